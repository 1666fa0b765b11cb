/* SPDX-License-Identifier: MIT */
#include "core/standstill.h"

static int64_t pause_us(int streak)
{
    int64_t pause = STANDSTILL_FIRST_US;

    for (int i = 1; i < streak && pause < STANDSTILL_LONGEST_US; i++)
        pause *= 2;
    return pause < STANDSTILL_LONGEST_US ? pause : STANDSTILL_LONGEST_US;
}

void standstill_note(struct standstill *standstill, size_t stayed, size_t undone, int64_t now_us)
{
    if (stayed > 0) {
        *standstill = (struct standstill){.streak = 0};
        return;
    }
    if (undone == 0)
        return;
    if (standstill->streak == 0)
        standstill->since_us = now_us;
    /* The pause has long stopped growing by then. */
    if (standstill->streak < 1000)
        standstill->streak++;
    standstill->probe_us = now_us + pause_us(standstill->streak);
}

bool standstill_may_start(const struct standstill *standstill, size_t under_way, int64_t now_us)
{
    return standstill->streak == 0 || (under_way == 0 && now_us >= standstill->probe_us);
}
