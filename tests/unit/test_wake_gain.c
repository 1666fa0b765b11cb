/* SPDX-License-Identifier: MIT */
/* Whether a worker wants to be woken. */
#include "core/wake_gain.h"

#include "base/compiler.h"
#include "unit.h"

#define STEP_US 5000

/* Rows and wake-ups at even rates for a while; the time after it. */
static int64_t pass(struct wake_gain *gain, int64_t now_us, int64_t for_us, int rows_a_step,
                    int wakes_a_step)
{
    int64_t until_us = now_us + for_us;

    for (; now_us < until_us; now_us += STEP_US)
        wake_gain_note(gain, rows_a_step, wakes_a_step, now_us);
    return now_us;
}

static void test_rows_one_by_one(void **state)
{
    struct wake_gain gain;

    (void)state;
    wake_gain_init(&gain, 0);
    for (int64_t now_us = 0; now_us < 10000000; now_us += STEP_US) {
        wake_gain_note(&gain, 1, 1, now_us);
        assert_false(wake_gain_is_busy(&gain));
        assert_false(wake_gain_is_crowded(&gain, now_us));
    }
}

static void test_busy_and_back(void **state)
{
    struct wake_gain gain;
    int64_t now_us;

    (void)state;
    wake_gain_init(&gain, 0);
    now_us = pass(&gain, 0, 2 * WAKE_GAIN_WINDOW_US, 5, 0);
    assert_true(wake_gain_is_busy(&gain));
    /* Between the two limits it stays what it is. */
    now_us = pass(&gain, now_us, 1000000, 4, 0);
    assert_true(wake_gain_is_busy(&gain));
    now_us = pass(&gain, now_us, 2 * WAKE_GAIN_WINDOW_US, 2, 0);
    assert_false(wake_gain_is_busy(&gain));
    now_us = pass(&gain, now_us, 1000000, 4, 0);
    assert_false(wake_gain_is_busy(&gain));
}

static void test_silence_ends_busy(void **state)
{
    struct wake_gain gain;
    int64_t now_us;

    (void)state;
    wake_gain_init(&gain, 0);
    now_us = pass(&gain, 0, 2 * WAKE_GAIN_WINDOW_US, 100, 0);
    for (int windows = 0; wake_gain_is_busy(&gain); windows++) {
        assert_true(windows < 3);
        assert_true(wake_gain_next_us(&gain, now_us) >= now_us);
        now_us = wake_gain_next_us(&gain, now_us);
        wake_gain_note(&gain, 0, 0, now_us);
    }
    assert_int_equal(wake_gain_next_us(&gain, now_us), INT64_MAX);
}

static void test_burst_after_silence(void **state)
{
    struct wake_gain gain;

    (void)state;
    wake_gain_init(&gain, 0);
    wake_gain_note(&gain, 1000, 0, 3600000000);
    wake_gain_note(&gain, 0, 0, 3600000000 + WAKE_GAIN_WINDOW_US);
    assert_true(wake_gain_is_busy(&gain));
}

static void test_wake_ups_for_others(void **state)
{
    struct wake_gain gain;
    int64_t now_us;

    (void)state;
    wake_gain_init(&gain, 0);
    now_us = pass(&gain, 0, 2 * WAKE_GAIN_WINDOW_US, 0, 1);
    assert_true(wake_gain_is_crowded(&gain, now_us));
    assert_false(wake_gain_is_busy(&gain));
    assert_true(wake_gain_next_us(&gain, now_us) > now_us);
    now_us = wake_gain_next_us(&gain, now_us);
    assert_false(wake_gain_is_crowded(&gain, now_us));
    /* Half of them bring rows, and the rest are few. */
    now_us = pass(&gain, now_us, 1000000, 0, 0);
    for (int i = 0; i < 1000; i++, now_us += 4 * STEP_US)
        wake_gain_note(&gain, i % 2, 1, now_us);
    assert_false(wake_gain_is_crowded(&gain, now_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_one_by_one),     cmocka_unit_test(test_busy_and_back),
        cmocka_unit_test(test_silence_ends_busy),   cmocka_unit_test(test_burst_after_silence),
        cmocka_unit_test(test_wake_ups_for_others),
    };

    return cmocka_run_group_tests_name("gain", tests, NULL, NULL);
}
