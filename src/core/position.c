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

/* Two digits; 100 or more: they are not there. */
static int64_t pair(const char *at)
{
    unsigned tens = (unsigned)at[0] - '0', ones = (unsigned)at[1] - '0';

    return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

/* Of the Gregorian calendar, since 1970: years begin with March, so that a leap day is their last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    year -= month <= 2;
    return 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

/* "25+00": behind the point of the seconds. */
static int64_t fraction_us(const char *at)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t number = 0;
    int digits = 0;

    for (; digits < 6 && at[digits] >= '0' && at[digits] <= '9'; digits++)
        number = number * 10 + (at[digits] - '0');
    return number * units[digits];
}

int64_t position_time_us(const char time[POSITION_TIME_SIZE])
{
    /* "2026-01-02 03:04:05": each place is known, since it is asked for each delivery. */
    int64_t days, seconds;

    if (time[4] != '-' || time[7] != '-' || time[10] != ' ' || time[13] != ':' || time[16] != ':' ||
        (time[19] != '.' && time[19] != '+') || pair(time) == 100 || pair(time + 2) == 100)
        return INT64_MIN;
    days = days_of(pair(time) * 100 + pair(time + 2), pair(time + 5), pair(time + 8));
    seconds = (pair(time + 11) * 60 + pair(time + 14)) * 60 + pair(time + 17);
    return (days * 86400 + seconds) * 1000000 + (time[19] == '.' ? fraction_us(time + 20) : 0);
}
