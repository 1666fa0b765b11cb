/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/rate_limit.h"

#define SECOND INT64_C(1000000)

/* Takes whenever it may, looking every step_us; the number of requests in the time. */
static int64_t run(struct rate_limit *limit, int64_t from_us, int64_t duration_us, int64_t step_us)
{
    int64_t count = 0;

    for (int64_t now_us = from_us; now_us < from_us + duration_us; now_us += step_us)
        while (rate_limit_next_us(limit) <= now_us && count < 100000000) {
            rate_limit_take(limit, now_us);
            count++;
        }
    return count;
}

static void test_no_limit(void **state)
{
    struct rate_limit limit = {0};

    (void)state;
    rate_limit_set(&limit, 0, 5 * SECOND);
    for (int i = 0; i < 1000; i++) {
        assert_true(rate_limit_next_us(&limit) <= 0);
        rate_limit_take(&limit, 5 * SECOND);
    }
}

static void test_rates(void **state)
{
    static const struct {
        double per_s;
        int64_t duration_us, step_us, low, high;
    } cases[] = {
        {1, 100 * SECOND, 1000, 98, 100},
        {0.1, 1000 * SECOND, 10000, 98, 100},
        {2.5, 100 * SECOND, 1000, 248, 250},
        {100, 10 * SECOND, 1000, 998, 1000 + 5},
        {1000, 10 * SECOND, 1000, 9950, 10000 + 50},
        /* A worker that looks rarely makes up for it by the burst. */
        {1000, 10 * SECOND, 20000, 9900, 10000 + 50},
        {333.3, 30 * SECOND, 777, 9980, 9999 + 17},
        {100000, 1 * SECOND, 1000, 99000, 100000 + 5000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct rate_limit limit = {0};
        int64_t count;

        rate_limit_set(&limit, cases[i].per_s, 77 * SECOND);
        count = run(&limit, 77 * SECOND, cases[i].duration_us, cases[i].step_us);
        check_case(count >= cases[i].low && count <= cases[i].high, "%g/s: %lld requests",
                   cases[i].per_s, (long long)count);
    }
}

/* From any moment on: what a receiver counts in a window. */
static void test_burst_after_a_pause(void **state)
{
    struct rate_limit limit = {0};
    int64_t count;

    (void)state;
    rate_limit_set(&limit, 200, 0);
    count = run(&limit, 60 * SECOND, 1000, 1000);
    assert_int_equal(count, 10);
    count = run(&limit, 60 * SECOND + 1000, SECOND, 1000);
    assert_in_range(count, 199, 200);
}

static void test_starts_empty(void **state)
{
    struct rate_limit limit = {0};

    (void)state;
    rate_limit_set(&limit, 10, SECOND);
    assert_int_equal(rate_limit_next_us(&limit), SECOND + SECOND / 10);
    rate_limit_set(&limit, 10, 2 * SECOND);
    assert_int_equal(rate_limit_next_us(&limit), SECOND + SECOND / 10);
    rate_limit_set(&limit, 5, 10 * SECOND);
    assert_int_equal(rate_limit_next_us(&limit), 10 * SECOND + SECOND / 5);
    rate_limit_restart(&limit, 20 * SECOND);
    assert_int_equal(rate_limit_next_us(&limit), 20 * SECOND + SECOND / 5);
}

/* No nonsense reaches the arithmetic. */
static void test_rates_are_bounded(void **state)
{
    struct rate_limit limit = {0};

    (void)state;
    rate_limit_set(&limit, 1e-300, 0);
    assert_int_equal(rate_limit_next_us(&limit), 1000 * SECOND);
    rate_limit_set(&limit, 1e300, 0);
    assert_in_range(run(&limit, 0, SECOND, 1000), 990000, 1050000);
    rate_limit_set(&limit, -1, 0);
    assert_true(rate_limit_next_us(&limit) <= 0);
}

/* For clients: nobody waits for the first, and what is taken at once is owed. */
static void test_a_burst_of_its_own(void **state)
{
    struct rate_limit limit = {0};

    (void)state;
    rate_limit_set_burst(&limit, 10, 1000);
    for (int i = 0; i < 10; i++) {
        assert_true(rate_limit_next_us(&limit) <= 5 * SECOND);
        rate_limit_take(&limit, 5 * SECOND);
    }
    assert_int_equal(rate_limit_next_us(&limit), 5 * SECOND + SECOND / 10);
    rate_limit_take_many(&limit, 30, 6 * SECOND);
    assert_int_equal(rate_limit_next_us(&limit), 8 * SECOND + SECOND / 10);
    rate_limit_set_burst(&limit, 10, 1000);
    assert_int_equal(rate_limit_next_us(&limit), 8 * SECOND + SECOND / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_burst_after_a_pause),
        cmocka_unit_test(test_starts_empty),
        cmocka_unit_test(test_rates_are_bounded),
        cmocka_unit_test(test_a_burst_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
