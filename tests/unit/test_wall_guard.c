/* SPDX-License-Identifier: MIT */
/* A wall clock that springs ahead is not believed at once. */
#include "core/wall_guard.h"

#include "base/compiler.h"
#include "unit.h"

#define HOUR_US INT64_C(3600000000)
#define YEAR_S  INT64_C(31536000)

static const int64_t start_us = 5 * HOUR_US;
static const int64_t start_s = 1900000000;

static int64_t ask(struct wall_guard *guard, int64_t after_s, int64_t ahead_s)
{
    return wall_guard_time_s(guard, start_us + after_s * 1000000, start_s + after_s + ahead_s);
}

static void test_a_clock_that_runs_is_followed(void **state)
{
    struct wall_guard guard = {0};

    (void)state;
    for (int64_t after_s = 0; after_s < 100000; after_s += 60)
        assert_int_equal(ask(&guard, after_s, after_s / 60), start_s + after_s + after_s / 60);
}

static void test_a_step_ahead_is_believed_after_an_hour(void **state)
{
    struct wall_guard guard = {0};

    (void)state;
    assert_int_equal(ask(&guard, 0, 0), start_s);
    for (int64_t after_s = 60; after_s < 3660; after_s += 60)
        assert_int_equal(ask(&guard, after_s, YEAR_S), start_s + after_s);
    assert_int_equal(ask(&guard, 3660, YEAR_S), start_s + 3660 + YEAR_S);
}

static void test_a_step_that_is_taken_back_leaves_nothing(void **state)
{
    struct wall_guard guard = {0};

    (void)state;
    assert_int_equal(ask(&guard, 0, 0), start_s);
    assert_int_equal(ask(&guard, 60, YEAR_S), start_s + 60);
    assert_int_equal(ask(&guard, 120, 0), start_s + 120);
    assert_int_equal(ask(&guard, 3700, YEAR_S), start_s + 3700);
}

static void test_a_step_back_is_followed_at_once(void **state)
{
    struct wall_guard guard = {0};

    (void)state;
    assert_int_equal(ask(&guard, 0, 0), start_s);
    assert_int_equal(ask(&guard, 60, -YEAR_S), start_s + 60 - YEAR_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_that_runs_is_followed),
        cmocka_unit_test(test_a_step_ahead_is_believed_after_an_hour),
        cmocka_unit_test(test_a_step_that_is_taken_back_leaves_nothing),
        cmocka_unit_test(test_a_step_back_is_followed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
