/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include <limits.h>
#include <math.h>

#include "core/retry.h"

static const struct retry_policy defaults = {
    .max_attempts = 20,
    .initial_delay_ms = 1000,
    .multiplier = 2,
    .max_delay_ms = INT64_C(4) * 3600 * 1000,
    .jitter = 0.1,
    .statuses_length = 3,
    .statuses = {408, 425, 429},
};

static void test_delays_grow_up_to_the_maximum(void **state)
{
    static const struct {
        int attempt;
        double random01;
        int64_t delay_ms;
    } cases[] = {
        {1, 0, 1000},       {2, 0, 2000},         {3, 0, 4000},           {14, 0, 8192000},
        {15, 0, 14400000},  {20, 0, 14400000},    {INT_MAX, 0, 14400000}, {0, 0, 1000},
        {-5, 0, 1000},      {INT_MIN, 0, 1000},   {1, 0.5, 950},          {15, 0.5, 13680000},
        {1, 0.999999, 901}, {15, 0.75, 13320000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t delay_ms = retry_delay_ms(&defaults, cases[i].attempt, cases[i].random01);

        check_case(delay_ms == cases[i].delay_ms, "attempt %d, random %g: %lld", cases[i].attempt,
                   cases[i].random01, (long long)delay_ms);
    }
}

static void test_a_schedule_replaces_the_series(void **state)
{
    struct retry_policy policy = defaults;

    (void)state;
    policy.schedule_length = 3;
    policy.schedule_ms[0] = 5000;
    policy.schedule_ms[1] = 300000;
    policy.schedule_ms[2] = 86400000; /* above max_delay: the operator wrote it */
    assert_int_equal(retry_delay_ms(&policy, -1, 0), 5000);
    assert_int_equal(retry_delay_ms(&policy, 1, 0), 5000);
    assert_int_equal(retry_delay_ms(&policy, 2, 0), 300000);
    assert_int_equal(retry_delay_ms(&policy, 3, 0), 86400000);
    assert_int_equal(retry_delay_ms(&policy, 4, 0), 86400000);
    assert_int_equal(retry_delay_ms(&policy, INT_MAX, 0), 86400000);
    assert_int_equal(retry_delay_ms(&policy, 1, 0.5), 4750);
    policy.schedule_length = 1;
    assert_int_equal(retry_delay_ms(&policy, 7, 0), 5000);
}

/* Each field of a row, over a configuration with a series and over one with a schedule. */
static void test_an_endpoints_row_wins(void **state)
{
    static const struct {
        const char *name;
        struct retry_overrides own;
        int64_t series_ms[2], schedule_ms[2]; /* after the first and the third attempt */
    } cases[] = {
        /* attempts, initial delay, multiplier, maximum, jitter, schedule */
        {"nothing", {-1, -1, -1, -1, -1, 0, {0}}, {1000, 4000}, {5000, 86400000}},
        {"initial delay", {-1, 7000, -1, -1, -1, 0, {0}}, {7000, 28000}, {7000, 28000}},
        {"initial delay above the maximum",
         {-1, 20000000, -1, -1, -1, 0, {0}},
         {20000000, 20000000},
         {20000000, 20000000}},
        {"multiplier", {-1, -1, 3, -1, -1, 0, {0}}, {1000, 9000}, {1000, 9000}},
        {"maximum", {-1, -1, -1, 3000, -1, 0, {0}}, {1000, 3000}, {3000, 3000}},
        {"maximum below the initial delay",
         {-1, 7000, -1, 6000, -1, 0, {0}},
         {6000, 6000},
         {6000, 6000}},
        {"schedule", {-1, -1, -1, -1, -1, 2, {100, 200}}, {100, 200}, {100, 200}},
        {"schedule and all others", {3, 7000, 3, 50, 0, 2, {100, 200}}, {100, 200}, {100, 200}},
        {"attempts and jitter", {3, -1, -1, -1, 0, 0, {0}}, {1000, 4000}, {5000, 86400000}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct retry_policy series = defaults, schedule = defaults;

        schedule.schedule_length = 3;
        schedule.schedule_ms[0] = 5000;
        schedule.schedule_ms[1] = 300000;
        schedule.schedule_ms[2] = 86400000;
        retry_policy_override(&series, &cases[i].own);
        retry_policy_override(&schedule, &cases[i].own);
        for (int j = 0; j < 2; j++) {
            check_case(retry_delay_ms(&series, 1 + 2 * j, 0) == cases[i].series_ms[j],
                       "%s, series: %lld", cases[i].name,
                       (long long)retry_delay_ms(&series, 1 + 2 * j, 0));
            check_case(retry_delay_ms(&schedule, 1 + 2 * j, 0) == cases[i].schedule_ms[j],
                       "%s, schedule: %lld", cases[i].name,
                       (long long)retry_delay_ms(&schedule, 1 + 2 * j, 0));
        }
        assert_int_equal(series.max_attempts, cases[i].own.max_attempts < 0 ? 20 : 3);
        assert_true(series.jitter == (cases[i].own.jitter < 0 ? 0.1 : 0));
    }
}

/* An endpoint's row is written by hand, so a policy can hold what no configuration would. */
static void test_nonsense_gives_a_delay_within_the_bounds(void **state)
{
    static const struct {
        const char *name;
        int64_t initial_ms, max_ms;
        double multiplier, jitter, random01;
        int64_t delay_ms; /* after the third attempt */
    } cases[] = {
        {"multiplier NaN", 1000, 60000, NAN, 0, 0, 60000},
        {"multiplier infinite", 1000, 60000, INFINITY, 0, 0, 60000},
        {"multiplier 0", 1000, 60000, 0, 0, 0, 0},
        {"jitter NaN", 1000, 60000, 2, NAN, 0.5, 4000},
        {"jitter negative", 1000, 60000, 2, -1, 0.5, 4000},
        {"jitter above 1", 1000, 60000, 2, 5, 0.5, 0},
        {"jitter above 1, once and a half", 1000, 60000, 2, 3, 0.5, 0},
        {"jitter infinite", 1000, 60000, 2, INFINITY, 0.5, 0},
        {"random NaN", 1000, 60000, 2, 0.5, NAN, 4000},
        {"random 1", 1000, 60000, 2, 1, 1, 0},
        {"initial negative", -1000, 60000, 2, 0, 0, 0},
        {"maximum negative", 1000, -1, 2, 0, 0, 0},
        {"maximum below initial", 1000, 10, 2, 0, 0, 10},
        {"largest", INT64_MAX, INT64_MAX, 10, 0, 0, INT64_MAX},
        {"largest, whole jitter", INT64_MAX, INT64_MAX, 1, 1, 0, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct retry_policy policy = {.initial_delay_ms = cases[i].initial_ms,
                                      .max_delay_ms = cases[i].max_ms,
                                      .multiplier = cases[i].multiplier,
                                      .jitter = cases[i].jitter};
        int64_t delay_ms = retry_delay_ms(&policy, 3, cases[i].random01);

        check_case(delay_ms == cases[i].delay_ms, "%s: %lld", cases[i].name, (long long)delay_ms);
    }
}

static struct retry_policy random_policy(struct dice *dice)
{
    struct retry_policy policy = {
        .initial_delay_ms = 1 + (int64_t)exp(dice_fraction(dice) * 43),
        .multiplier = 1 + dice_fraction(dice) * (dice_below(dice, 10) == 0 ? 1e6 : 4),
        .jitter = dice_below(dice, 4) == 0 ? 1 : dice_fraction(dice),
    };
    int64_t room = INT64_MAX - policy.initial_delay_ms;

    policy.max_delay_ms = policy.initial_delay_ms;
    if (dice_below(dice, 10) == 0)
        policy.max_delay_ms += room;
    else
        policy.max_delay_ms += (int64_t)(dice_fraction(dice) * 0x1p62) % room;
    return policy;
}

static void test_random_policies_keep_the_bounds(void **state)
{
    struct dice dice = {20240917};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct retry_policy policy = random_policy(&dice);
        int64_t before_ms = 0;

        for (int attempt = 1; attempt < 80; attempt++) {
            int64_t plain_ms = retry_delay_ms(&policy, attempt, 0);
            int64_t delay_ms = retry_delay_ms(&policy, attempt, dice_fraction(&dice));
            double least_ms = (double)plain_ms * (1 - policy.jitter);

            /* A double holds 53 bits of an int64_t: allow for what is rounded off. */
            least_ms -= 1 + (double)plain_ms * 1e-15;
            check_case(plain_ms >= before_ms && plain_ms <= policy.max_delay_ms && delay_ms >= 0 &&
                           delay_ms <= plain_ms && (double)delay_ms >= least_ms,
                       "initial %lld, max %lld, ×%g, jitter %g, attempt %d: %lld of %lld",
                       (long long)policy.initial_delay_ms, (long long)policy.max_delay_ms,
                       policy.multiplier, policy.jitter, attempt, (long long)delay_ms,
                       (long long)plain_ms);
            before_ms = plain_ms;
        }
    }
}

/* The defaults are said to keep trying for about a day. */
static void test_the_defaults_span_about_a_day(void **state)
{
    int64_t total_ms = 0;

    (void)state;
    for (int attempt = 1; attempt < defaults.max_attempts; attempt++)
        total_ms += retry_delay_ms(&defaults, attempt, 0);
    assert_in_range(total_ms / 3600000, 20, 28);
}

static void test_statuses(void **state)
{
    static const int retried[] = {408, 425, 429, 500, 501, 502, 503, 504, 599};
    static const int final[] = {-1, 0, 200, 301, 400, 401, 404, 410, 422, 499, 600, INT_MAX};
    struct retry_policy none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(retried); i++)
        check_case(retry_is_retryable_status(&defaults, retried[i]), "%d", retried[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(final); i++)
        check_case(!retry_is_retryable_status(&defaults, final[i]), "%d", final[i]);
    assert_false(retry_is_retryable_status(&none, 429));
    assert_true(retry_is_retryable_status(&none, 500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_grow_up_to_the_maximum),
        cmocka_unit_test(test_a_schedule_replaces_the_series),
        cmocka_unit_test(test_an_endpoints_row_wins),
        cmocka_unit_test(test_nonsense_gives_a_delay_within_the_bounds),
        cmocka_unit_test(test_random_policies_keep_the_bounds),
        cmocka_unit_test(test_the_defaults_span_about_a_day),
        cmocka_unit_test(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
