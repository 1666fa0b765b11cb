/* SPDX-License-Identifier: MIT */
/*
 * core/wall_guard.h: a wall clock that is not believed at once when it springs ahead.
 *
 * Retention deletes by age, and a clock that is wrong by a year makes everything old. So the time
 * that it goes by runs with the monotonic clock: a step back is followed at once, since it deletes
 * less; a step ahead of more than WALL_GUARD_SLACK_S only when it has lasted for
 * WALL_GUARD_DOUBT_US, in which somebody can set it right. What the clock says at the start is
 * believed: the database's, which retention asks for as well, is most often another one.
 *
 * Pure: the caller passes both clocks.
 */
#ifndef POSTRIDER_CORE_WALL_GUARD_H
#define POSTRIDER_CORE_WALL_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define WALL_GUARD_SLACK_S  60
#define WALL_GUARD_DOUBT_US INT64_C(3600000000)

/* All zero: nothing is known. */
struct wall_guard {
    bool is_set;
    int64_t offset_s;   /* of the wall clock from the monotonic one, as believed */
    int64_t doubted_us; /* since then it is ahead of that; 0 = it is not */
};

/* The time to go by, in seconds since 1970. */
int64_t wall_guard_time_s(struct wall_guard *guard, int64_t monotonic_us, int64_t wall_s);

#endif
