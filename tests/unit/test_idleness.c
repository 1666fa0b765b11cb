/* Whether a worker wants to be woken. */
#include "core/idleness.h"

#include "base/compiler.h"
#include "unit.h"

#define STEP_US 5000

/* Rows and wake-ups at even rates for a while; the time after it. */
static int64_t pass(struct idleness *idleness, int64_t now_us, int64_t for_us, int rows_a_step,
                    int wakes_a_step)
{
    int64_t until_us = now_us + for_us;

    for (; now_us < until_us; now_us += STEP_US)
        idleness_note(idleness, rows_a_step, wakes_a_step, now_us);
    return now_us;
}

static void test_rows_one_by_one(void **state)
{
    struct idleness idleness;

    (void)state;
    idleness_init(&idleness, 0);
    for (int64_t now_us = 0; now_us < 10000000; now_us += STEP_US) {
        idleness_note(&idleness, 1, 1, now_us);
        assert_false(idleness_is_busy(&idleness));
        assert_false(idleness_is_crowded(&idleness, now_us));
    }
}

static void test_busy_and_back(void **state)
{
    struct idleness idleness;
    int64_t now_us;

    (void)state;
    idleness_init(&idleness, 0);
    now_us = pass(&idleness, 0, 2 * IDLENESS_WINDOW_US, 5, 0);
    assert_true(idleness_is_busy(&idleness));
    /* Between the two limits it stays what it is. */
    now_us = pass(&idleness, now_us, 1000000, 4, 0);
    assert_true(idleness_is_busy(&idleness));
    now_us = pass(&idleness, now_us, 2 * IDLENESS_WINDOW_US, 2, 0);
    assert_false(idleness_is_busy(&idleness));
    now_us = pass(&idleness, now_us, 1000000, 4, 0);
    assert_false(idleness_is_busy(&idleness));
}

static void test_silence_ends_busy(void **state)
{
    struct idleness idleness;
    int64_t now_us;

    (void)state;
    idleness_init(&idleness, 0);
    now_us = pass(&idleness, 0, 2 * IDLENESS_WINDOW_US, 100, 0);
    for (int windows = 0; idleness_is_busy(&idleness); windows++) {
        assert_true(windows < 3);
        assert_true(idleness_next_us(&idleness, now_us) >= now_us);
        now_us = idleness_next_us(&idleness, now_us);
        idleness_note(&idleness, 0, 0, now_us);
    }
    assert_int_equal(idleness_next_us(&idleness, now_us), INT64_MAX);
}

static void test_burst_after_silence(void **state)
{
    struct idleness idleness;

    (void)state;
    idleness_init(&idleness, 0);
    idleness_note(&idleness, 1000, 0, 3600000000);
    idleness_note(&idleness, 0, 0, 3600000000 + IDLENESS_WINDOW_US);
    assert_true(idleness_is_busy(&idleness));
}

static void test_wake_ups_for_others(void **state)
{
    struct idleness idleness;
    int64_t now_us;

    (void)state;
    idleness_init(&idleness, 0);
    now_us = pass(&idleness, 0, 2 * IDLENESS_WINDOW_US, 0, 1);
    assert_true(idleness_is_crowded(&idleness, now_us));
    assert_false(idleness_is_busy(&idleness));
    assert_true(idleness_next_us(&idleness, now_us) > now_us);
    now_us = idleness_next_us(&idleness, now_us);
    assert_false(idleness_is_crowded(&idleness, now_us));
    /* Half of them bring rows, and the rest are few. */
    now_us = pass(&idleness, now_us, 1000000, 0, 0);
    for (int i = 0; i < 1000; i++, now_us += 4 * STEP_US)
        idleness_note(&idleness, i % 2, 1, now_us);
    assert_false(idleness_is_crowded(&idleness, now_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_one_by_one),     cmocka_unit_test(test_busy_and_back),
        cmocka_unit_test(test_silence_ends_busy),   cmocka_unit_test(test_burst_after_silence),
        cmocka_unit_test(test_wake_ups_for_others),
    };

    return cmocka_run_group_tests_name("idleness", tests, NULL, NULL);
}
