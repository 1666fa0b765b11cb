/* SPDX-License-Identifier: MIT */
#include "core/gathering.h"

void gathering_note_written(struct gathering *gathering, size_t count, int64_t now_us)
{
    int64_t rest_us = (int64_t)count * GATHERING_EACH_US;

    gathering->rest_until_us =
        now_us + (rest_us < GATHERING_LONGEST_US ? rest_us : GATHERING_LONGEST_US);
}

int64_t gathering_due_us(const struct gathering *gathering, size_t count, int64_t first_us)
{
    int64_t due_us = first_us + GATHERING_FIRST_US;

    if (count >= GATHERING_FULL)
        return first_us;
    return due_us > gathering->rest_until_us ? due_us : gathering->rest_until_us;
}
