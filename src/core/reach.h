/* SPDX-License-Identifier: MIT */
/*
 * core/reach.h: how many requests at a time an endpoint has shown to need.
 *
 * A window (core/window.h) says what a receiver may be asked to bear; this says what is of use. A
 * request beside another one needs a connection of its own: far dearer than a request, with TLS by
 * two orders of magnitude, and a few rows that happen to come together are served as soon over the
 * connection that is there. So an endpoint starts with one request at a time, and gets twice as
 * many whenever it has had more work than it may send for as long as its patience: twice the time
 * that its answers take, within REACH_PATIENCE_MIN_US and _MAX_US. So a request that hangs never holds the others back for
 * longer than that, and a backlog has 32 requests in flight after five such times. What was reached
 * is kept, since its connections stand. (Before it has answered at all, the
 * scheduler may not let it have more.)
 *
 * Pure: time is an argument.
 */
#ifndef POSTRIDER_CORE_REACH_H
#define POSTRIDER_CORE_REACH_H

#include <stdbool.h>
#include <stdint.h>

#define REACH_PATIENCE_MIN_US 50000
#define REACH_PATIENCE_MAX_US 500000

struct reach {
    int size;
    bool is_short;
    int64_t short_since_us; /* with is_short: since when it has had more work than it may send */
    int64_t answer_us;      /* how long answers take: smoothed */
};

void reach_init(struct reach *reach);

/* After each change of what it has. limit: its window, beyond which there is no use in more. */
void reach_note(struct reach *reach, bool has_work, int in_flight, int limit, int64_t now_us);

/* An answer came so long after its request was started. */
void reach_note_answer(struct reach *reach, int64_t took_us);

/* When it may have one more, as things are; 0 where it may now. */
int64_t reach_next_us(const struct reach *reach, int in_flight);

#endif
