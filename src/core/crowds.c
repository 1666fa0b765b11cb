#include "core/crowds.h"

#define TIGHT_PARTS 8  /* of what is read ahead: the unknown that stall */
#define DOWN_PARTS  16 /* those that falter; the dead */

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
    int limit = INT32_MAX;

    switch (standing) {
    case STANDING_PROVEN:
        break;
    case STANDING_UNKNOWN:
        if (now_us < crowds->tight_until_us)
            limit = crowds->rows_ahead / TIGHT_PARTS;
        break;
    case STANDING_FALTERING:
    case STANDING_DEAD:
        limit = crowds->rows_ahead / DOWN_PARTS;
        break;
    }
    return limit > 0 ? limit : 1;
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

    return standing == STANDING_UNKNOWN ? spare < 0 : spare <= 0;
}
