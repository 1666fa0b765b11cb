/* SPDX-License-Identifier: MIT */
#include "core/position.h"

#include <string.h>

#include "base/compiler.h"

#define FIRST_ID "00000000-0000-0000-0000-000000000000"

const struct position position_head = {"-infinity", FIRST_ID};

void position_set(struct position *position, const char *time, const char *id)
{
    size_t time_length = strlen(time);
    size_t id_length = strlen(id);

    if (time_length >= sizeof(position->time) || id_length >= sizeof(position->id))
        bug("a position of %zu and %zu bytes", time_length, id_length);
    memcpy(position->time, time, time_length + 1);
    memcpy(position->id, id, id_length + 1);
}

void position_set_time(struct position *position, const char *time)
{
    position_set(position, time, FIRST_ID);
}

int position_compare(const struct position *a, const struct position *b)
{
    int by_time = strcmp(a->time, b->time);

    return by_time != 0 ? by_time : strcmp(a->id, b->id);
}
