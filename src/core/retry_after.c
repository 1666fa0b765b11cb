/* SPDX-License-Identifier: MIT */
#include "core/retry_after.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/compiler.h"

#define NOW_MAX_S          INT64_C(253402300799) /* the end of the year 9999 */
#define HALF_CENTURY_YEARS 50

/* The two obsolete forms that a recipient must read (RFC 9110, 5.6.7), … */
static const char rfc850_date[] = "%a, %d-%b-%y %H:%M:%S";
static const char asctime_date[] = "%a %b %d %H:%M:%S %Y";

/* … and those that a zone follows: IMF-fixdate, the same without a day, and RFC 3339. */
static const char *const zoned_dates[] = {
    "%a, %d %b %Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
};

static const char *const zones_of_utc[] = {"GMT", "UTC", "UT", "Z"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Of the value, or of one in a list of them. */
static bool is_at_end(const char *rest)
{
    rest = skip_blanks(rest);
    return *rest == '\0' || *rest == ',';
}

/* Returns where it ends, or NULL when value is not all digits, but for a fraction. What does not
 * fit is INT64_MAX. */
static const char *parse_seconds(const char *value, int64_t *ret_ms)
{
    int64_t ms = 0;
    int64_t unit_ms = 1000;
    const char *c = value;

    for (; is_digit(*c); c++)
        if (__builtin_mul_overflow(ms, 10, &ms) ||
            __builtin_add_overflow(ms, (*c - '0') * INT64_C(1000), &ms))
            ms = INT64_MAX;
    if (c > value && c[0] == '.' && is_digit(c[1]))
        for (c++; is_digit(*c); c++) {
            int64_t more_ms = unit_ms >= 10 ? (*c - '0') * (unit_ms /= 10) : 0;

            if (__builtin_add_overflow(ms, more_ms, &ms))
                ms = INT64_MAX;
        }
    *ret_ms = ms;
    return c > value && is_at_end(c) ? c : NULL;
}

/* Reads English names whatever the process's locale: under German "Mo" would match half of "Mon".
 * glibc's "C" is a constant, so making it each time costs nothing. */
static const char *parse_form(const char *value, const char *form, struct tm *ret_parts)
{
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const char *rest;

    if (english == (locale_t)0)
        return NULL;
    *ret_parts = (struct tm){0};
    rest = strptime_l(value, form, ret_parts, english);
    freelocale(english);
    return rest;
}

/* "+0100" or "+01:00": how far its clocks are ahead. */
static const char *parse_offset(const char *at, int64_t *ret_ahead_s)
{
    const char *minutes;
    int64_t seconds;

    if ((at[0] != '+' && at[0] != '-') || !is_digit(at[1]) || !is_digit(at[2]))
        return NULL;
    minutes = at[3] == ':' ? at + 4 : at + 3;
    if (!is_digit(minutes[0]) || !is_digit(minutes[1]))
        return NULL;
    seconds = ((at[1] - '0') * 10 + at[2] - '0') * INT64_C(3600) +
              ((minutes[0] - '0') * 10 + minutes[1] - '0') * INT64_C(60);
    *ret_ahead_s = at[0] == '-' ? -seconds : seconds;
    return minutes + 2;
}

static const char *parse_zone(const char *at, int64_t *ret_ahead_s)
{
    at = skip_blanks(at);
    *ret_ahead_s = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(zones_of_utc); i++) {
        size_t length = strlen(zones_of_utc[i]);

        if (strncasecmp(at, zones_of_utc[i], length) == 0 && is_at_end(at + length))
            return at + length;
    }
    return parse_offset(at, ret_ahead_s);
}

/*
 * A year of two digits is one of this century, unless that is more than 50 years away: then it is
 * of the last (RFC 9110, 5.6.7).
 */
static int full_year(struct tm parts, int64_t now_s)
{
    time_t now = (time_t)now_s;
    struct tm limit;

    if (now_s < 0 || now_s > NOW_MAX_S || gmtime_r(&now, &limit) == NULL)
        return parts.tm_year;
    parts.tm_year = limit.tm_year - (limit.tm_year + 1900) % 100 + parts.tm_year % 100;
    limit.tm_year += HALF_CENTURY_YEARS;
    return timegm(&parts) > timegm(&limit) ? parts.tm_year - 100 : parts.tm_year;
}

static const char *parse_parts(const char *value, int64_t now_s, struct tm *ret_parts,
                               int64_t *ret_ahead_s)
{
    const char *rest = parse_form(value, rfc850_date, ret_parts);

    *ret_ahead_s = 0;
    if (rest != NULL)
        ret_parts->tm_year = full_year(*ret_parts, now_s);
    for (size_t i = 0; rest == NULL && i < ARRAY_LENGTH(zoned_dates); i++)
        rest = parse_form(value, zoned_dates[i], ret_parts);
    return rest != NULL ? parse_zone(rest, ret_ahead_s)
                        : parse_form(value, asctime_date, ret_parts);
}

static const char *parse_date(const char *value, int64_t now_s, int64_t *ret_s)
{
    struct tm parts;
    struct tm asked;
    int64_t ahead_s;
    const char *rest = parse_parts(value, now_s, &parts, &ahead_s);

    if (rest == NULL || !is_at_end(rest))
        return NULL;
    asked = parts;
    *ret_s = (int64_t)timegm(&parts) - ahead_s;
    /* timegm() makes 2 March of 30 February: no such day was meant. A leap second may pass. */
    return parts.tm_mday == asked.tm_mday || asked.tm_sec >= 60 ? rest : NULL;
}

static int64_t distance_ms(int64_t at_s, int64_t now_s)
{
    int64_t ms;

    if (at_s <= now_s)
        return 0;
    if (__builtin_sub_overflow(at_s, now_s, &ms) || __builtin_mul_overflow(ms, 1000, &ms))
        return INT64_MAX;
    return ms;
}

/* Reads one of a list. Returns where it ends, or NULL when it can't be read. */
static const char *parse_one(const char *value, int64_t now_s, int64_t *ret_ms)
{
    const char *rest = parse_seconds(value, ret_ms);
    int64_t at_s = 0;

    if (rest != NULL)
        return rest;
    rest = parse_date(value, now_s, &at_s);
    *ret_ms = distance_ms(at_s, now_s);
    return rest;
}

/* A date has a comma of its own, so that what can't be read ends at any. */
int64_t retry_after_parse_ms(const char *value, int64_t now_s)
{
    int64_t longest_ms = -1;

    while (*(value = value + strspn(value, " \t,")) != '\0') {
        int64_t ms;
        const char *rest = parse_one(value, now_s, &ms);

        if (rest != NULL && ms > longest_ms)
            longest_ms = ms;
        value = rest != NULL ? skip_blanks(rest) : value + strcspn(value, ",");
    }
    return longest_ms;
}

bool retry_after_parse_date(const char *value, int64_t now_s, int64_t *ret_s)
{
    return parse_date(value, now_s, ret_s) != NULL;
}
