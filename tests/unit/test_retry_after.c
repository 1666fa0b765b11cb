/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include <locale.h>
#include <time.h>

#include "core/retry_after.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110, 5.6.7. */
#define EXAMPLE_S INT64_C(784111777)
#define DAY_S     INT64_C(86400)

static void test_seconds(void **state)
{
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"120", 120000},
        {"000120", 120000},
        {" \t120\t ", 120000},
        {"9223372036854775", INT64_C(9223372036854775000)},
        {"9223372036854776", INT64_MAX},
        {"9223372036854775807", INT64_MAX},
        {"99999999999999999999999999999999999999999999999999999999999999", INT64_MAX},
        {"000000000000000000000000000000000000000000000000000000000000001", 1000},
        {"", -1},
        {" ", -1},
        {"-1", -1},
        {"+1", -1},
        {"292.05", 292050},
        {"1.5", 1500},
        {"0.0009", 0},
        {"9999999999999999999.5", INT64_MAX},
        {"1.", -1},
        {".5", -1},
        {"1.5.1", -1},
        {"1,5", 5000}, /* two of them */
        {"1e3", -1},
        {"0x10", -1},
        {"12 0", -1},
        {"120s", -1},
        {"120,", 120000},
        {", 120", 120000},
        {"7, 120, 9", 120000},
        {"soon, 120", 120000},
        {"120, soon", 120000},
        {"-1 , 0", 0},
        {"soon, later", -1},
        {",", -1},
        {"120\n", -1},
        {"\xc2\xa0"
         "120",
         -1},
        {"soon", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = retry_after_parse_ms(cases[i].value, EXAMPLE_S);

        check_case(ms == cases[i].ms, "\"%s\": %lld", cases[i].value, (long long)ms);
    }
}

static void test_dates(void **state)
{
    static const struct {
        const char *value;
        int64_t offset_s; /* from EXAMPLE_S; -1: not a date */
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
        {"Sun Nov  6 08:49:37 1994", 0},
        {" Sun, 06 Nov 1994 08:50:37 GMT\t", 60},
        {"Sunday, 06-Nov-94 09:49:37 GMT", 3600},
        {"Monday, 07-Nov-94 08:49:37 GMT", DAY_S},
        {"Mon Nov  7 08:49:37 1994", DAY_S},
        {"Wed Nov 16 08:49:37 1994", 10 * DAY_S},
        {"Wed, 16 Nov 1994 08:49:37 GMT", 10 * DAY_S},
        /* The last second of a February that has 29 days, and a leap second. */
        {"Thu, 29 Feb 1996 23:59:59 GMT", INT64_C(825638399) - EXAMPLE_S},
        {"Sat, 31 Dec 1994 23:59:60 GMT", INT64_C(788918400) - EXAMPLE_S},
        {"Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648) - EXAMPLE_S},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799) - EXAMPLE_S},

        {"Sun, 06 Nov 1994 08:49:37 UTC", 0},
        {"Sun, 06 Nov 1994 08:49:37 utc", 0},
        {"Sun, 06 Nov 1994 08:49:37 UT", 0},
        {"Sun, 06 Nov 1994 08:50:37 +0000", 60},
        {"Sun, 06 Nov 1994 08:50:37 -0000", 60},
        {"Sun, 06 Nov 1994 09:49:37 +0100", 0},
        {"Sun, 06 Nov 1994 08:49:37 -0130", 5400},
        {"Sunday, 06-Nov-94 08:50:37 UTC", 60},
        {"06 Nov 1994 08:50:37 GMT", 60},
        {"1994-11-06T08:50:37Z", 60},
        {"1994-11-06T10:50:37+02:00", 60},
        {"Sun, 06 Nov 1994 08:50:37 GMT, 0", 60},
        {"0, Sun, 06 Nov 1994 08:50:37 GMT, 0", 60},
        {"0, Sun Nov  6 08:50:37 1994, 0", 60},
        {"never, Sun, 06 Nov 1994 08:50:37 GMT", 60},

        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", -1},
        {"Sun, 06 Nov 1994 08:49:37 +01", -1},
        {"Sun, 06 Nov 1994 08:49:37 +1", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC+1", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT+1", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT junk", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Thu, 31 Nov 1994 08:49:37 GMT", -1},
        {"Wed, 29 Feb 1995 08:49:37 GMT", -1},
        {"Wed, 30 Feb 1996 08:49:37 GMT", -1},
        {"Son, 06 Nov 1994 08:49:37 GMT", 0}, /* the day says nothing */
        {"Sun, 06 Okt 1994 08:49:37 GMT", -1},
        {"1994-11-06T08:49:37", -1},
        {"1994-11-06", -1},
        {"Sun Nov  6 08:49:37 1994 GMT", -1},
        {"Sun, ", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = retry_after_parse_ms(cases[i].value, EXAMPLE_S);
        int64_t expected_ms = cases[i].offset_s < 0 ? -1 : cases[i].offset_s * 1000;

        check_case(ms == expected_ms, "\"%s\": %lld", cases[i].value, (long long)ms);
        if (cases[i].offset_s >= 0)
            check_case(retry_after_parse_ms(cases[i].value, INT64_C(300000000000)) == 0, "\"%s\"",
                       cases[i].value);
    }
}

/* A past date, and clocks that are set to nonsense. */
static void test_distance_from_now(void **state)
{
    static const struct {
        int64_t now_s;
        int64_t ms;
    } cases[] = {
        {EXAMPLE_S - 1, 1000},  {EXAMPLE_S, 0},
        {EXAMPLE_S + 1, 0},     {INT64_MAX, 0},
        {0, EXAMPLE_S * 1000},  {-1, (EXAMPLE_S + 1) * 1000},
        {INT64_MIN, INT64_MAX}, {INT64_MIN / 1000, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t ms = retry_after_parse_ms("Sun, 06 Nov 1994 08:49:37 GMT", cases[i].now_s);

        check_case(ms == cases[i].ms, "%lld: %lld", (long long)cases[i].now_s, (long long)ms);
    }
}

static int64_t start_of_s(int year)
{
    struct tm parts = {.tm_year = year - 1900, .tm_mday = 1};

    return (int64_t)timegm(&parts);
}

/* "More than 50 years in the future" means the most recent year in the past (RFC 9110, 5.6.7). */
static void test_years_of_two_digits(void **state)
{
    static const struct {
        const char *value;
        int now;
        int year; /* 0: the time is past */
    } cases[] = {
        {"Sunday, 01-Jan-95 00:00:00 GMT", 1994, 1995},
        {"Sunday, 01-Jan-93 00:00:00 GMT", 1994, 0},
        {"Sunday, 01-Jan-00 00:00:00 GMT", 1999, 0}, /* 1900: of this century */
        {"Sunday, 01-Jan-27 00:00:00 GMT", 2026, 2027},
        {"Sunday, 01-Jan-25 00:00:00 GMT", 2026, 0},
        {"Sunday, 01-Jan-70 00:00:00 GMT", 2026, 2070},
        {"Sunday, 01-Jan-76 00:00:00 GMT", 2026, 2076},
        {"Sunday, 02-Jan-76 00:00:00 GMT", 2026, 0},
        {"Sunday, 01-Jan-77 00:00:00 GMT", 2026, 0},
        {"Sunday, 01-Jan-99 00:00:00 GMT", 2026, 0},
        {"Sunday, 01-Jan-71 00:00:00 GMT", 2070, 2071},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t now_s = start_of_s(cases[i].now);
        int64_t ms = retry_after_parse_ms(cases[i].value, now_s);
        int64_t expected_ms = cases[i].year == 0 ? 0 : (start_of_s(cases[i].year) - now_s) * 1000;

        check_case(ms == expected_ms, "%s in %d: %lld", cases[i].value, cases[i].now,
                   (long long)ms);
    }
    /* A clock beyond all calendars must do no harm. */
    assert_int_equal(retry_after_parse_ms("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MAX), 0);
    assert_int_equal(retry_after_parse_ms("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MIN), INT64_MAX);
}

static void write_date(char *value, size_t size, int form, const struct tm *parts)
{
    char start[32];

    if (form == 0) {
        strftime(value, size, "%a, %d %b %Y %H:%M:%S GMT", parts);
    } else if (form == 1) {
        strftime(start, sizeof(start), "%A, %d-%b", parts);
        snprintf(value, size, "%s-%02d %02d:%02d:%02d GMT", start, parts->tm_year % 100,
                 parts->tm_hour, parts->tm_min, parts->tm_sec);
    } else {
        strftime(value, size, "%a %b %e %H:%M:%S %Y", parts);
    }
}

static void test_random_dates_round_trip(void **state)
{
    struct dice dice = {99};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        time_t now = (time_t)dice_below(&dice, INT64_C(4102444800)); /* 1970 … 2099 */
        time_t then = now + (time_t)dice_below(&dice, DAY_S * 365 * 49);
        struct tm parts, today;
        char value[64];
        int64_t ms;

        gmtime_r(&then, &parts);
        gmtime_r(&now, &today);
        /* Two digits are read in the century of now. */
        if (i % 3 == 1 && (parts.tm_year + 1900) / 100 != (today.tm_year + 1900) / 100)
            continue;
        write_date(value, sizeof(value), i % 3, &parts);
        ms = retry_after_parse_ms(value, (int64_t)now);
        check_case(ms == (int64_t)(then - now) * 1000, "%s at %lld: %lld", value, (long long)now,
                   (long long)ms);
    }
}

/* As a Date header has it: no list, and no number of seconds. */
static void test_dates_alone(void **state)
{
    static const struct {
        const char *value;
        bool is_date;
    } cases[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", true},
                 {"Sunday, 06-Nov-94 08:49:37 GMT", true},
                 {"Sun Nov  6 08:49:37 1994", true},
                 {"120", false},
                 {"", false},
                 {"yesterday", false},
                 {"Sun, 31 Feb 1994 08:49:37 GMT", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t at_s = 0;

        check_case(retry_after_parse_date(cases[i].value, EXAMPLE_S, &at_s) == cases[i].is_date,
                   "%s", cases[i].value);
        check_case(!cases[i].is_date || at_s == EXAMPLE_S, "%s: %lld", cases[i].value,
                   (long long)at_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_distance_from_now),
        cmocka_unit_test(test_years_of_two_digits),
        cmocka_unit_test(test_random_dates_round_trip),
        cmocka_unit_test(test_dates_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
