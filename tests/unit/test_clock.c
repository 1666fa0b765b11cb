/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <time.h>

#include "base/clock.h"

static void test_the_monotonic_clock_never_goes_back(void **state)
{
    int64_t before_us = clock_monotonic_us();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now_us = clock_monotonic_us();

        assert_true(now_us >= before_us);
        before_us = now_us;
    }
}

static void test_the_wall_clock_is_in_seconds(void **state)
{
    int64_t before_s = (int64_t)time(NULL);
    int64_t now_s = clock_wall_s();

    (void)state;
    assert_in_range(now_s, before_s, (int64_t)time(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_monotonic_clock_never_goes_back),
        cmocka_unit_test(test_the_wall_clock_is_in_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
