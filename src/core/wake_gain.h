/* SPDX-License-Identifier: MIT */
/*
 * core/wake_gain.h: whether a worker wants to be woken.
 *
 * A wake-up costs the producer (NOTIFY takes a database-wide lock at commit) and the worker a read,
 * so a worker asks for it only while it gains by it:
 *   busy      rows come faster than WAKE_GAIN_BUSY_RATE: reads follow each other anyway
 *   crowded   most wake-ups are for rows of other workers' lanes: it polls every
 *             WAKE_GAIN_POLL_US for a while, which costs no more, and producers nothing
 *   else      it asks
 * Rates are taken over windows of WAKE_GAIN_WINDOW_US, and what is busy ends only at half the rate,
 * so that saying one thing or the other is rare.
 *
 * Pure: the caller counts, passes the time, and does the asking.
 */
#ifndef POSTRIDER_CORE_WAKE_GAIN_H
#define POSTRIDER_CORE_WAKE_GAIN_H

#include <stdbool.h>
#include <stdint.h>

#define WAKE_GAIN_WINDOW_US    250000
#define WAKE_GAIN_BUSY_RATE    1000 /* rows a second */
#define WAKE_GAIN_USELESS_RATE 50   /* wake-ups a second that bring no row */
#define WAKE_GAIN_CROWDED_US   10000000
#define WAKE_GAIN_POLL_US      20000

struct wake_gain {
    int64_t window_us; /* its beginning */
    int64_t rows;      /* read in it */
    int64_t wakes;     /* in it */
    bool is_busy;
    int64_t crowded_until_us;
};

void wake_gain_init(struct wake_gain *gain, int64_t now_us);

/* What has happened until now: rows that were read, wake-ups that were followed by a read. */
void wake_gain_note(struct wake_gain *gain, int64_t rows, int64_t wakes, int64_t now_us);

bool wake_gain_is_busy(const struct wake_gain *gain);
bool wake_gain_is_crowded(const struct wake_gain *gain, int64_t now_us);

/* When the answers above may change if nothing happens; INT64_MAX = they won't. */
int64_t wake_gain_next_us(const struct wake_gain *gain, int64_t now_us);

#endif
