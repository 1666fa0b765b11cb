/* SPDX-License-Identifier: MIT */
#include "core/reach.h"

/* A new answer counts 1/8, as in TCP's estimate of round trips (RFC 6298). */
#define SMOOTHING 8

void reach_init(struct reach *reach)
{
    *reach = (struct reach){.size = 1};
}

static int64_t patience_us(const struct reach *reach)
{
    int64_t patience_us = reach->answer_us * 2;

    if (patience_us < REACH_PATIENCE_MIN_US)
        return REACH_PATIENCE_MIN_US;
    return patience_us < REACH_PATIENCE_MAX_US ? patience_us : REACH_PATIENCE_MAX_US;
}

void reach_note(struct reach *reach, bool has_work, int in_flight, int limit, int64_t now_us)
{
    if (!has_work) {
        reach->is_short = false;
        return;
    }
    if (in_flight < reach->size)
        return;
    if (!reach->is_short) {
        reach->is_short = true;
        reach->short_since_us = now_us;
        return;
    }
    if (now_us - reach->short_since_us < patience_us(reach))
        return;
    if (reach->size < limit)
        reach->size = reach->size > limit / 2 ? limit : reach->size * 2;
    reach->short_since_us = now_us;
}

void reach_note_answer(struct reach *reach, int64_t took_us)
{
    if (reach->answer_us == 0)
        reach->answer_us = took_us;
    reach->answer_us += (took_us - reach->answer_us) / SMOOTHING;
}

int64_t reach_next_us(const struct reach *reach, int in_flight)
{
    return in_flight < reach->size ? 0 : reach->short_since_us + patience_us(reach);
}
