/* SPDX-License-Identifier: MIT */
#include "core/ramp.h"

#define BATCHES_A_SECOND  10 /* small ones rather than one large one */
#define PASS_PAUSE_MS     2000
#define PASS_PAUSE_MAX_MS 60000

/* What has been done since the ramp began is the sum of all rates so far, so a rate that grows by
 * ln 2 of it doubles each second. */
static int64_t rate_at(int64_t done, int64_t asked)
{
    int64_t last = asked > 0 ? asked : RAMP_LAST_RATE;
    int64_t rate = done < last * 2 ? RAMP_FIRST_RATE + done * 7 / 10 : last;

    return rate < last ? rate : last;
}

struct ramp_batch ramp_next(int64_t done, int64_t rate)
{
    int64_t now = rate_at(done, rate);
    int64_t rows = now / BATCHES_A_SECOND;
    int64_t wait_ms;

    if (rows < 1)
        rows = 1;
    if (rows > RAMP_ROWS_MAX)
        rows = RAMP_ROWS_MAX;
    wait_ms = rows * 1000 / now;
    return (struct ramp_batch){rows, wait_ms > 0 ? wait_ms : 1};
}

int64_t ramp_left_ms(int64_t done, int64_t left, int64_t rate)
{
    int64_t ms = 0;

    while (left > 0) {
        int64_t now = rate_at(done, rate);
        int64_t rows = left < now ? left : now;

        /* Nothing changes any more. */
        if (now == rate_at(done + left, rate))
            return ms + left * 1000 / now;
        ms += rows * 1000 / now;
        done += rows;
        left -= rows;
    }
    return ms;
}

int64_t ramp_pass_pause_ms(int pass)
{
    int64_t ms = PASS_PAUSE_MS;

    if (pass >= RAMP_PASSES)
        return RAMP_NO_PASS;
    for (int i = 1; i < pass && ms < PASS_PAUSE_MAX_MS; i++)
        ms *= 2;
    return ms < PASS_PAUSE_MAX_MS ? ms : PASS_PAUSE_MAX_MS;
}
