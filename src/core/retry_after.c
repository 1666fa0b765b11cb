#include "core/retry_after.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NOW_MAX_S          INT64_C(253402300799) /* the end of the year 9999 */
#define HALF_CENTURY_YEARS 50

/* IMF-fixdate, and the two obsolete forms that a recipient must read (RFC 9110, 5.6.7). */
static const char imf_fixdate[] = "%a, %d %b %Y %H:%M:%S GMT";
static const char rfc850_date[] = "%a, %d-%b-%y %H:%M:%S GMT";
static const char asctime_date[] = "%a %b %d %H:%M:%S %Y";

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static bool is_at_end(const char *text)
{
    return *skip_blanks(text) == '\0';
}

/* False when value is not all digits. What does not fit is INT64_MAX. */
static bool parse_seconds(const char *value, int64_t *ret_ms)
{
    int64_t ms = 0;
    const char *c = value;

    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(ms, 10, &ms) ||
            __builtin_add_overflow(ms, (*c - '0') * INT64_C(1000), &ms))
            ms = INT64_MAX;
    *ret_ms = ms;
    return c > value && is_at_end(c);
}

/* Reads English names whatever the process's locale: under German "Mo" would match half of "Mon".
 * glibc's "C" is a constant, so making it each time costs nothing. */
static bool parse_form(const char *value, const char *form, struct tm *ret_parts)
{
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const char *rest;

    if (english == (locale_t)0)
        return false;
    *ret_parts = (struct tm){0};
    rest = strptime_l(value, form, ret_parts, english);
    freelocale(english);
    return rest != NULL && is_at_end(rest);
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

static bool parse_date(const char *value, int64_t now_s, int64_t *ret_s)
{
    struct tm parts;
    struct tm asked;

    if (parse_form(value, rfc850_date, &parts))
        parts.tm_year = full_year(parts, now_s);
    else if (!parse_form(value, imf_fixdate, &parts) && !parse_form(value, asctime_date, &parts))
        return false;
    asked = parts;
    *ret_s = (int64_t)timegm(&parts);
    /* timegm() makes 2 March of 30 February: no such day was meant. A leap second may pass. */
    return parts.tm_mday == asked.tm_mday || asked.tm_sec >= 60;
}

int64_t retry_after_parse_ms(const char *value, int64_t now_s)
{
    int64_t ms, at_s;

    value = skip_blanks(value);
    if (parse_seconds(value, &ms))
        return ms;
    if (!parse_date(value, now_s, &at_s))
        return -1;
    if (at_s <= now_s)
        return 0;
    if (__builtin_sub_overflow(at_s, now_s, &ms) || __builtin_mul_overflow(ms, 1000, &ms))
        return INT64_MAX;
    return ms;
}
