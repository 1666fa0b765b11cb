/* SPDX-License-Identifier: MIT */
#include "core/standing.h"

#include <stdint.h>

const struct standing_policy standing_policies[STANDINGS] = {
    [STANDING_PROVEN] = {.slot_parts = 1, .refill_turns = 9},
    [STANDING_UNKNOWN] = {.slot_parts = 2, .tight_row_parts = 8, .refill_turns = 4},
    [STANDING_FALTERING] = {.slot_parts = 8,
                            .row_parts = 16,
                            .tight_row_parts = 16,
                            .refill_turns = 2,
                            .waits_for_time = true},
    [STANDING_DEAD] = {.slot_parts = 8,
                       .row_parts = 16,
                       .tight_row_parts = 16,
                       .refill_turns = 1,
                       .waits_for_time = true},
};

int standing_slots(enum standing standing, int slots)
{
    int part = slots / standing_policies[standing].slot_parts;

    if (standing == STANDING_UNKNOWN && part < STANDING_FEW)
        part = slots < STANDING_FEW ? slots : STANDING_FEW;
    return part > 0 ? part : 1;
}

int standing_rows(enum standing standing, int rows, bool is_tight)
{
    const struct standing_policy *policy = &standing_policies[standing];
    int parts = is_tight ? policy->tight_row_parts : policy->row_parts;

    if (parts == 0)
        return INT32_MAX;
    return rows / parts > 0 ? rows / parts : 1;
}
