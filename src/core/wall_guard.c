/* SPDX-License-Identifier: MIT */
#include "core/wall_guard.h"

int64_t wall_guard_time_s(struct wall_guard *guard, int64_t monotonic_us, int64_t wall_s)
{
    int64_t monotonic_s = monotonic_us / 1000000;
    int64_t offset_s = wall_s - monotonic_s;
    bool is_ahead = guard->is_set && offset_s > guard->offset_s + WALL_GUARD_SLACK_S;

    /* A clock that was set right stays ahead; one that has sprung is set back by then, or believed.
     */
    if (is_ahead && guard->doubted_us == 0)
        guard->doubted_us = monotonic_us;
    if (!is_ahead || monotonic_us - guard->doubted_us >= WALL_GUARD_DOUBT_US)
        *guard = (struct wall_guard){.is_set = true, .offset_s = offset_s};
    return monotonic_s + guard->offset_s;
}
