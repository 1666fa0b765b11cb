/* SPDX-License-Identifier: MIT */
#include "core/rate_limit.h"

/* False: the rate is the same, or none. */
static bool change(struct rate_limit *limit, double per_s, int64_t burst_ms)
{
    if (per_s < RATE_LIMIT_MIN)
        per_s = per_s > 0 ? RATE_LIMIT_MIN : 0;
    if (per_s > RATE_LIMIT_MAX)
        per_s = RATE_LIMIT_MAX;
    if (limit->per_s == per_s)
        return false;
    *limit = (struct rate_limit){.per_s = per_s};
    if (per_s <= 0)
        return false;
    limit->interval_ns = (int64_t)(1e9 / per_s);
    limit->burst_ns = burst_ms * INT64_C(1000000) - limit->interval_ns;
    if (limit->burst_ns < 0)
        limit->burst_ns = 0;
    return true;
}

void rate_limit_set(struct rate_limit *limit, double per_s, int64_t now_us)
{
    if (change(limit, per_s, RATE_LIMIT_BURST_MS))
        rate_limit_restart(limit, now_us);
}

void rate_limit_set_burst(struct rate_limit *limit, double per_s, int64_t burst_ms)
{
    (void)change(limit, per_s, burst_ms);
}

void rate_limit_restart(struct rate_limit *limit, int64_t now_us)
{
    limit->full_ns = now_us * 1000 + limit->burst_ns + limit->interval_ns;
}

int64_t rate_limit_next_us(const struct rate_limit *limit)
{
    /* Rounded up: a token must not be asked for a moment before it is there. */
    return limit->per_s > 0 ? (limit->full_ns - limit->burst_ns + 999) / 1000 : INT64_MIN;
}

void rate_limit_take(struct rate_limit *limit, int64_t now_us)
{
    rate_limit_take_many(limit, 1, now_us);
}

void rate_limit_take_many(struct rate_limit *limit, int64_t count, int64_t now_us)
{
    if (limit->per_s <= 0)
        return;
    if (limit->full_ns < now_us * 1000)
        limit->full_ns = now_us * 1000;
    limit->full_ns += count * limit->interval_ns;
}
