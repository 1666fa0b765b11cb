/* SPDX-License-Identifier: MIT */
#include "core/crowds.h"

void crowds_count(struct crowds *crowds, enum standing standing, int change, int rows)
{
    struct crowd *crowd = &crowds->of[standing];

    crowd->rows += change;
    crowd->members += (rows > 0) - (rows - change > 0);
}

void crowds_tighten(struct crowds *crowds, int64_t now_us)
{
    crowds->tight_until_us = now_us + CROWD_TIGHT_US;
}

static int limit_of(const struct crowds *crowds, enum standing standing, int64_t now_us)
{
    return standing_rows(standing, crowds->rows_ahead, now_us < crowds->tight_until_us);
}

int crowds_room(const struct crowds *crowds, enum standing standing, int rows, int64_t now_us)
{
    const struct crowd *crowd = &crowds->of[standing];
    int limit = limit_of(crowds, standing, now_us);
    int members = crowd->members + (rows == 0);
    int part, left;

    if (limit == INT32_MAX)
        return INT32_MAX;
    part = limit / members;
    part = (part > 0 ? part : 1) - rows;
    left = limit - crowd->rows;
    if (left < part)
        part = left;
    return part > 0 ? part : 0;
}

bool crowds_has_room(const struct crowds *crowds, enum standing standing, int64_t now_us)
{
    return crowds_room(crowds, standing, 0, now_us) > 0;
}

bool crowds_is_excessive(const struct crowds *crowds, enum standing standing, int64_t now_us)
{
    int spare = limit_of(crowds, standing, now_us) - crowds->of[standing].rows;

    return standing_policies[standing].waits_for_time ? spare <= 0 : spare < 0;
}
