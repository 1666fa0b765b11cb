/* SPDX-License-Identifier: MIT */
#include "core/position.h"

#include <stdbool.h>
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

/* So many digits, which are followed by a character; -1: they are not there. */
static int64_t take(const char **at, int digits, char behind)
{
    int64_t number = 0;

    for (int i = 0; i < digits; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9')
            return -1;
        number = number * 10 + ((*at)[i] - '0');
    }
    if ((*at)[digits] != behind)
        return -1;
    *at += digits + 1;
    return number;
}

/* Of the Gregorian calendar, since 1970: years begin with March, so that a leap day is their last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    year -= month <= 2;
    return 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

/* ".25+00": behind the seconds, of which at has left the point or the sign. */
static int64_t fraction_us(const char *at)
{
    int64_t us = 0;
    int64_t unit = 100000;

    for (; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
        us += (*at - '0') * unit;
    return us;
}

int64_t position_time_us(const char *time)
{
    int64_t year = take(&time, 4, '-');
    int64_t month = year < 0 ? -1 : take(&time, 2, '-');
    int64_t day = month < 0 ? -1 : take(&time, 2, ' ');
    int64_t hour = day < 0 ? -1 : take(&time, 2, ':');
    int64_t minute = hour < 0 ? -1 : take(&time, 2, ':');
    bool has_fraction = minute >= 0 && strspn(time, "0123456789") == 2 && time[2] == '.';
    int64_t second = minute < 0 ? -1 : take(&time, 2, has_fraction ? '.' : '+');

    if (second < 0)
        return INT64_MIN;
    return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60000000 + second * 1000000 +
           (has_fraction ? fraction_us(time) : 0);
}
