/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "base/units.h"

#define DAY_MS INT64_C(86400000)

typedef bool parse_function(const char *text, int64_t *ret_value, struct error *error);

struct accepted {
    const char *text;
    int64_t value;
};

static void check_accepted(parse_function *parse, const struct accepted *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = -1;
        struct error error;

        check_case(parse(cases[i].text, &value, &error), "%s: %s", cases[i].text, error.message);
        check_case(value == cases[i].value, "%s: %lld", cases[i].text, (long long)value);
    }
}

struct refused {
    const char *text;
    const char *reason;
};

static void check_refused(parse_function *parse, const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = 4711;
        struct error error;

        check_case(!parse(cases[i].text, &value, &error), "%s", cases[i].text);
        check_case(strstr(error.message, cases[i].reason) != NULL, "%s: %s", cases[i].text,
                   error.message);
        check_case(strncmp(error.message + 1, cases[i].text, strnlen(cases[i].text, 64)) == 0,
                   "%s: %s", cases[i].text, error.message);
        check_case(value == 4711, "%s", cases[i].text);
    }
}

static void test_durations(void **state)
{
    static const struct accepted accepted[] = {
        {"0", 0},
        {"00", 0},
        {"0ms", 0},
        {"0d", 0},
        {"250ms", 250},
        {"10s", 10000},
        {"5m", 300000},
        {"4h", 14400000},
        {"7d", 7 * DAY_MS},
        {"0010s", 10000},
        {"9223372036854775807ms", INT64_MAX},
        {"106751991167d", 106751991167 * DAY_MS},
    };
    static const struct refused refused[] = {
        {"", "is not a duration: write a whole number and one of ms, s, m, h, d"},
        {"s", "is not a duration"},
        {"10", "is not a duration"},
        {"10 s", "is not a duration"},
        {" 10s", "is not a duration"},
        {"10s ", "is not a duration"},
        {"-10s", "is not a duration"},
        {"+10s", "is not a duration"},
        {"1.5s", "is not a duration"},
        {"1h30m", "is not a duration"},
        {"10S", "is not a duration"},
        {"10sec", "is not a duration"},
        {"10us", "is not a duration"},
        {"1w", "is not a duration"},
        {"0x10s", "is not a duration"},
        {"99999999999999999999x", "is not a duration"},
        {"9223372036854775808ms", "is too large for a duration"},
        {"9223372036854776s", "is too large for a duration"},
        {"106751991168d", "is too large for a duration"},
        {"99999999999999999999999999999999999999d", "is too large for a duration"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaa\" is not a duration"},
    };

    (void)state;
    check_accepted(units_parse_duration_ms, accepted, ARRAY_LENGTH(accepted));
    check_refused(units_parse_duration_ms, refused, ARRAY_LENGTH(refused));
}

static void test_sizes(void **state)
{
    static const struct accepted accepted[] = {
        {"0", 0},
        {"0KiB", 0},
        {"512", 512},
        {"64KiB", 65536},
        {"1MiB", 1048576},
        {"2GiB", INT64_C(2147483648)},
        {"9223372036854775807", INT64_MAX},
        {"8589934591GiB", INT64_C(8589934591) << 30},
    };
    static const struct refused refused[] = {
        {"", "is not a size: write a whole number of bytes or of KiB, MiB or GiB"},
        {"KiB", "is not a size"},
        {"1kB", "is not a size"},
        {"1KB", "is not a size"},
        {"1MB", "is not a size"},
        {"1M", "is not a size"},
        {"1kib", "is not a size"},
        {"1B", "is not a size"},
        {"1 MiB", "is not a size"},
        {"-1", "is not a size"},
        {"1.5MiB", "is not a size"},
        {"9223372036854775808", "is too large for a size"},
        {"8589934592GiB", "is too large for a size"},
    };

    (void)state;
    check_accepted(units_parse_size_bytes, accepted, ARRAY_LENGTH(accepted));
    check_refused(units_parse_size_bytes, refused, ARRAY_LENGTH(refused));
}

static void test_integers(void **state)
{
    static const struct accepted accepted[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-7", -7},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
    };
    static const struct refused refused[] = {
        {"", "is not a whole number: write digits alone"},
        {"-", "is not a whole number"},
        {"--1", "is not a whole number"},
        {"+1", "is not a whole number"},
        {"1.0", "is not a whole number"},
        {"1e3", "is not a whole number"},
        {"0x1", "is not a whole number"},
        {" 1", "is not a whole number"},
        {"1 ", "is not a whole number"},
        {"9223372036854775808", "is too large for a whole number"},
        {"99999999999999999999999", "is too large for a whole number"},
        {"99999999999999999999999x", "is not a whole number"},
    };

    (void)state;
    check_accepted(units_parse_integer, accepted, ARRAY_LENGTH(accepted));
    check_refused(units_parse_integer, refused, ARRAY_LENGTH(refused));
}

static void test_exact_formats(void **state)
{
    static const struct {
        int64_t value;
        const char *duration, *size;
    } cases[] = {
        {0, "0ms", "0"},
        {1, "1ms", "1"},
        {999, "999ms", "999"},
        {1000, "1s", "1000"},
        {1024, "1024ms", "1KiB"},
        {1500, "1500ms", "1500"},
        {60000, "1m", "60000"},
        {90000, "90s", "90000"},
        {3600000, "1h", "3600000"},
        {7 * DAY_MS, "7d", "590625KiB"},
        {INT64_C(1) << 20, "1048576ms", "1MiB"},
        {INT64_C(3) << 30, "3221225472ms", "3GiB"},
        {-1000, "-1s", "-1000"},
        {INT64_MAX, "9223372036854775807ms", "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808ms", "-8589934592GiB"},
    };
    char text[UNITS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_string_equal(units_format_duration_ms(cases[i].value, text), cases[i].duration);
        assert_string_equal(units_format_size_bytes(cases[i].value, text), cases[i].size);
    }
}

/* What a formatter writes, its parser reads back. */
static void test_round_trips(void **state)
{
    struct dice dice = {5};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)(dice_next(&dice) >> (1 + dice_below(&dice, 63)));
        int64_t parsed = -1;
        char text[UNITS_TEXT_SIZE];
        struct error error;

        if (dice_below(&dice, 3) == 0)
            value -= value % DAY_MS;
        units_format_duration_ms(value, text);
        check_case(units_parse_duration_ms(text, &parsed, &error) && parsed == value, "%s", text);
        units_format_size_bytes(value, text);
        check_case(units_parse_size_bytes(text, &parsed, &error) && parsed == value, "%s", text);
    }
}

static void test_about(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0 ms"},         {999, "999 ms"},
        {1000, "1.0 s"},     {3449, "3.4 s"},
        {10000, "10 s"},     {119000, "119 s"},
        {120000, "2 min"},   {720000, "12 min"},
        {7200000, "2 h"},    {172799999, "48 h"},
        {5400000, "90 min"}, {90000000, "25 h"},
        {2 * DAY_MS, "2 d"}, {365 * DAY_MS, "365 d"},
        {-5, "-5 ms"},       {INT64_MAX, "106751991167 d"},
    };
    char text[UNITS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(units_format_about_ms(cases[i].ms, text), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_integers),    cmocka_unit_test(test_exact_formats),
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
