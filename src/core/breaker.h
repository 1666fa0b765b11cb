/* SPDX-License-Identifier: MIT */
/*
 * core/breaker.h: a circuit breaker: whether a server that has failed is asked again.
 *
 *   closed   → open      after policy.failures failures in a row
 *   open     → probing   the next probe is due and a request goes out for it
 *            → closed    a request that was still in flight has succeeded
 *   probing  → open      the probe has failed, or has said nothing
 *            → closed    any request has succeeded
 *
 * The pause before a probe is BREAKER_FIRST_US and doubles with each that fails, up to
 * policy.max_interval_us; up to a quarter of it is taken away at random, so that breakers that
 * opened together don't probe together. What counts as a failure, and whose, is core/health.h's.
 */
#ifndef POSTRIDER_CORE_BREAKER_H
#define POSTRIDER_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FIRST_US  1000000
#define BREAKER_JITTER    0.25
#define BREAKER_RESUME_US 30000000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

#define BREAKER_STATES (BREAKER_PROBING + 1)

struct breaker_policy {
    int failures; /* 0 = it never opens */
    int64_t max_interval_us;
};

struct breaker {
    enum breaker_state state;
    int failures;          /* in a row */
    int opened_after;      /* so many of them; 0: known to fail before this process began */
    int64_t opened_us;     /* unless closed */
    int64_t pause_us;      /* before the next probe */
    int64_t next_probe_us; /* while open */
};

/* True when it opens by this failure. One of an older request changes nothing while it is open. */
bool breaker_note_failure(struct breaker *breaker, const struct breaker_policy *policy,
                          bool is_probe, int64_t now_us, double random01);

/* True when it closes by this success. */
bool breaker_note_success(struct breaker *breaker);

/*
 * The server was known to be down before, for so long: open, with the pauses that it has come to by
 * then. Its first probe is at a random time within the pause and BREAKER_RESUME_US, so that a
 * worker that starts with ten thousand of them doesn't ask all at once.
 */
void breaker_resume(struct breaker *breaker, const struct breaker_policy *policy,
                    int64_t failing_us, int64_t now_us, double random01);

bool breaker_is_probe_due(const struct breaker *breaker, int64_t now_us);
void breaker_begin_probe(struct breaker *breaker);

/* The probe has said nothing about this server: another one after the same pause. */
void breaker_void_probe(struct breaker *breaker, int64_t now_us);

const char *breaker_state_name(enum breaker_state state);

#endif
