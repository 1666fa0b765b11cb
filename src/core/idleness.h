/*
 * core/idleness.h: whether a worker wants to be woken.
 *
 * A wake-up costs the producer (NOTIFY takes a database-wide lock at commit) and the worker a read,
 * so a worker asks for it only while it gains by it:
 *   busy      rows come faster than IDLENESS_BUSY_RATE: reads follow each other anyway
 *   crowded   most wake-ups are for rows of other workers' lanes: it polls every
 *             IDLENESS_POLL_US for a while, which costs no more, and producers nothing
 *   else      it asks
 * Rates are taken over windows of IDLENESS_WINDOW_US, and what is busy ends only at half the rate,
 * so that saying one thing or the other is rare.
 *
 * Pure: the caller counts, passes the time, and does the asking.
 */
#ifndef POSTRIDER_CORE_IDLENESS_H
#define POSTRIDER_CORE_IDLENESS_H

#include <stdbool.h>
#include <stdint.h>

#define IDLENESS_WINDOW_US    250000
#define IDLENESS_BUSY_RATE    1000 /* rows a second */
#define IDLENESS_USELESS_RATE 50   /* wake-ups a second that bring no row */
#define IDLENESS_CROWDED_US   10000000
#define IDLENESS_POLL_US      20000

struct idleness {
    int64_t window_us; /* its beginning */
    int64_t rows;      /* read in it */
    int64_t wakes;     /* in it */
    bool is_busy;
    int64_t crowded_until_us;
};

void idleness_init(struct idleness *idleness, int64_t now_us);

/* What has happened until now: rows that were read, wake-ups that were followed by a read. */
void idleness_note(struct idleness *idleness, int64_t rows, int64_t wakes, int64_t now_us);

bool idleness_is_busy(const struct idleness *idleness);
bool idleness_is_crowded(const struct idleness *idleness, int64_t now_us);

/* When the answers above may change if nothing happens; INT64_MAX = they won't. */
int64_t idleness_next_us(const struct idleness *idleness, int64_t now_us);

#endif
