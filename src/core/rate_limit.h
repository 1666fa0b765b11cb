/* SPDX-License-Identifier: MIT */
/*
 * core/rate_limit.h: a token bucket: so many requests per second, with a burst of
 * RATE_LIMIT_BURST_MS worth of them (at least one).
 *
 * Kept as one number, the time at which the bucket would be full (the generic cell rate algorithm
 * of ATM Forum TM 4.0), so it says exactly when the next token comes and nothing has to be
 * refilled. A bucket starts empty, also when its rate is changed: in any stretch of time that
 * begins with a restart or a hand-over to another worker no more than rate × time + burst requests
 * are made.
 */
#ifndef POSTRIDER_CORE_RATE_LIMIT_H
#define POSTRIDER_CORE_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_LIMIT_BURST_MS 50
#define RATE_LIMIT_MIN      0.001 /* per second; 0 = no limit */
#define RATE_LIMIT_MAX      1000000

struct rate_limit {
    double per_s; /* 0 = no limit */
    int64_t interval_ns;
    int64_t burst_ns;
    int64_t full_ns;
};

/* Nothing changes when the rate is the same. */
void rate_limit_set(struct rate_limit *limit, double per_s, int64_t now_us);

/* The same with a burst of its own, at least one; such a bucket starts full, for a client that comes
 * first has nobody's hand-over to wait for. */
void rate_limit_set_burst(struct rate_limit *limit, double per_s, int64_t burst_ms);

/* Empties the bucket. */
void rate_limit_restart(struct rate_limit *limit, int64_t now_us);

/* From when on a token is there; may be in the past. */
int64_t rate_limit_next_us(const struct rate_limit *limit);

/* Takes a token that is there. */
void rate_limit_take(struct rate_limit *limit, int64_t now_us);

/* Takes so many, of which one is there; the others are owed, and the next one comes later for it. */
void rate_limit_take_many(struct rate_limit *limit, int64_t count, int64_t now_us);

#endif
