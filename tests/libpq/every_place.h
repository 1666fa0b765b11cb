/* SPDX-License-Identifier: MIT */
/*
 * every_place.h: runs an exchange without a fault, and then with every fault at every place of it.
 *
 * An exchange is a function that begins a script (pq_begin() with what it is given), does something
 * over libpq's functions, checks what must hold, and ends the script (pq_end()). It must do the
 * same each time, but for what follows from the fault. The figures are printed; when a check fails,
 * so is the script that was running (every_place_tell() as the test's teardown).
 */
#ifndef POSTRIDER_TESTS_EVERY_PLACE_H
#define POSTRIDER_TESTS_EVERY_PLACE_H

#include "scripted_libpq.h"

/* What is given to pq_begin() and pq_end(). */
struct exchange_script {
    bool is_eager;
    const struct pq_trace *honest;
    const struct pq_fault *faults;
    int fault_count;
    struct pq_trace *trace; /* for pq_end(); NULL = it is not wanted */
};

struct exchange {
    const char *name;
    void (*run)(const struct exchange *exchange, const struct exchange_script *script);
    int variant;      /* for run */
    bool is_blocking; /* a command's connection: not all faults can happen to it */
};

/* Without a fault; its calls, for pq_trace_free(). */
struct pq_trace every_place_honest(const struct exchange *exchange, bool is_eager);

void every_place(const struct exchange *exchange);

/* Two faults at places that a fixed seed chooses, so many times. */
void every_place_twice(const struct exchange *exchange, int rounds);

int every_place_tell(void **state);

#endif
