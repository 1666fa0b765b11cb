/* SPDX-License-Identifier: MIT */
/* Times of rows, as the worker's connection writes them. */
#include "core/position.h"

#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "unit.h"

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01 00:00:00+00", 0},
        {"1969-12-31 23:59:59.5+00", -500000},
        {"2000-02-29 12:00:00+00", INT64_C(951825600000000)},
        {"2026-03-01 00:00:00.000001+00", INT64_C(1772323200000001)},
        {"2031-05-17 12:03:04.25+00", INT64_C(1936785784250000)},
        {"9999-12-31 23:59:59.999999+00", INT64_C(253402300799999999)},
        {"0001-01-01 00:00:00+00", INT64_C(-62135596800000000)},
        {"-infinity", INT64_MIN},
        {"infinity", INT64_MIN},
        {"10000-01-01 00:00:00+00", INT64_MIN},
        {"0044-03-15 00:00:00+00 BC",
         INT64_C(-60772291200000000)}, /* no row of it is read in order */
        {"2026-03-01", INT64_MIN},
        {"2026-03-01 00:00", INT64_MIN},
        {"", INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[POSITION_TIME_SIZE] = "";

        snprintf(text, sizeof(text), "%s", cases[i].text);
        if (position_time_us(text) != cases[i].us)
            fail_msg("%s: %lld", cases[i].text, (long long)position_time_us(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
