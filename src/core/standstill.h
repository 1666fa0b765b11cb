/* SPDX-License-Identifier: MIT */
/*
 * core/standstill.h: how much is sent while nothing that is written stays.
 *
 * When the first outcomes of deliveries are refused or undone, one after another and none stays
 * (core/settlement.h), something stands between the worker and its table, and whatever is sent now
 * will be sent again by the next worker. So only one request at a time is made, after a pause that
 * grows, until the outcome of one stays. One that is written again says nothing: a single row that
 * can't be written must not slow down the others.
 *
 * Pure: time is an argument.
 */
#ifndef POSTRIDER_CORE_STANDSTILL_H
#define POSTRIDER_CORE_STANDSTILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STANDSTILL_FIRST_US   500000
#define STANDSTILL_LONGEST_US 10000000

struct standstill {
    int streak; /* batches without an outcome that stayed; 0 = no standstill */
    int64_t since_us;
    int64_t probe_us; /* the next request may be made */
};

/* First outcomes of so many deliveries were written: these stayed (or are another's), these not. */
void standstill_note(struct standstill *standstill, size_t stayed, size_t undone, int64_t now_us);

/* under_way: requests in flight, and first outcomes that are not written. */
bool standstill_may_start(const struct standstill *standstill, size_t under_way, int64_t now_us);

#endif
