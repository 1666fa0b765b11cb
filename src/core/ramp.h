/* SPDX-License-Identifier: MIT */
/*
 * core/ramp.h: how fast dead letters are sent again.
 *
 * Receivers that were down come back slowly, and what kills them again is all that has gathered
 * meanwhile, at once. So a replay begins with RAMP_FIRST_RATE rows a second, which doubles each
 * second up to the rate that was asked for, or up to batches of RAMP_ROWS_MAX one after another:
 * what is wrong shows while little has been sent. What no receiver has to bear, a discard, is done
 * as if the ramp were over. How far up the ramp is follows from the rows that
 * are done, not from a clock: who takes a replay over after a crash goes on where it was, and an
 * hour in which nobody did anything is no reason to be faster.
 *
 * A pass is one walk over all rows of a replay. Those of endpoints that fail are left in it, but
 * for one each, which finds out whether the endpoint answers by now; a further pass after a growing
 * pause takes them when it does. After RAMP_PASSES of them, about two minutes, they are left.
 *
 * Pure: no time comes in.
 */
#ifndef POSTRIDER_CORE_RAMP_H
#define POSTRIDER_CORE_RAMP_H

#include <stdint.h>

#define RAMP_FIRST_RATE 100   /* rows a second */
#define RAMP_LAST_RATE  10000 /* where no rate was asked for */
#define RAMP_ROWS_MAX   1000
#define RAMP_PASSES     7
#define RAMP_NO_PASS    (-1)
#define RAMP_IS_OVER    INT64_C(1000000000000) /* so many done, and no rate grows any more */

struct ramp_batch {
    int64_t rows;
    int64_t wait_ms; /* from this batch to the next one */
};

/* The next batch, when so many are done since the ramp began. rate 0: none was asked for. */
struct ramp_batch ramp_next(int64_t done, int64_t rate);

/* About how long it takes to do left more. */
int64_t ramp_left_ms(int64_t done, int64_t left, int64_t rate);

/* The pause behind this pass, the first being 1; RAMP_NO_PASS when it was the last one. */
int64_t ramp_pass_pause_ms(int pass);

#endif
