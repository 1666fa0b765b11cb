/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/reach.h"

#define LIMIT 32

static void work_on(struct reach *reach, int64_t from_us, int64_t to_us)
{
    for (int64_t at_us = from_us; at_us <= to_us; at_us += 1000)
        reach_note(reach, true, reach->size, LIMIT, at_us);
}

static void test_starts_with_one(void **state)
{
    struct reach reach;

    (void)state;
    reach_init(&reach);
    assert_int_equal(reach_next_us(&reach, 0), 0);
    reach_note(&reach, true, 1, LIMIT, 1000);
    assert_int_equal(reach_next_us(&reach, 1), 1000 + REACH_PATIENCE_MIN_US);
    assert_int_equal(reach_next_us(&reach, 0), 0);
}

static void test_doubles_with_its_patience_up_to_the_limit(void **state)
{
    struct reach reach;

    (void)state;
    reach_init(&reach);
    work_on(&reach, 0, REACH_PATIENCE_MIN_US - 1000);
    assert_int_equal(reach.size, 1);
    work_on(&reach, REACH_PATIENCE_MIN_US, REACH_PATIENCE_MIN_US);
    assert_int_equal(reach.size, 2);
    work_on(&reach, REACH_PATIENCE_MIN_US + 1000, 2 * REACH_PATIENCE_MIN_US);
    assert_int_equal(reach.size, 4);
    work_on(&reach, 2 * REACH_PATIENCE_MIN_US, 10 * REACH_PATIENCE_MIN_US);
    assert_int_equal(reach.size, LIMIT);
    reach_init(&reach);
    for (int64_t at_us = 0; at_us < 10 * REACH_PATIENCE_MIN_US; at_us += 1000)
        reach_note(&reach, true, reach.size, 3, at_us);
    assert_int_equal(reach.size, 3);
}

/* A few rows now and then are no reason for more connections. */
static void test_running_out_of_work_begins_anew(void **state)
{
    struct reach reach;
    int64_t at_us = 0;

    (void)state;
    reach_init(&reach);
    for (int i = 0; i < 20; i++) {
        work_on(&reach, at_us, at_us + REACH_PATIENCE_MIN_US - 1000);
        at_us += REACH_PATIENCE_MIN_US;
        reach_note(&reach, false, 1, LIMIT, at_us);
    }
    assert_int_equal(reach.size, 1);
}

/* What was reached is kept; an answer in between does not begin the time anew. */
static void test_answers_in_between_do_not_count(void **state)
{
    struct reach reach;

    (void)state;
    reach_init(&reach);
    for (int64_t at_us = 0; at_us <= REACH_PATIENCE_MIN_US; at_us += 1000) {
        reach_note(&reach, true, 0, LIMIT, at_us);
        reach_note(&reach, true, 1, LIMIT, at_us);
    }
    assert_int_equal(reach.size, 2);
    reach_note(&reach, true, 2, LIMIT, 60000);
    reach_note(&reach, true, 2, 1, 60000 + 2 * REACH_PATIENCE_MIN_US);
    assert_int_equal(reach.size, 2);
    reach_note(&reach, false, 0, LIMIT, 300000);
    assert_int_equal(reach.size, 2);
}

static void test_is_as_patient_as_answers_are_slow(void **state)
{
    struct reach reach;

    (void)state;
    reach_init(&reach);
    reach_note_answer(&reach, 100000);
    reach_note(&reach, true, 1, LIMIT, 0);
    assert_int_equal(reach_next_us(&reach, 1), 200000);
    reach_note(&reach, true, 1, LIMIT, 199999);
    assert_int_equal(reach.size, 1);
    reach_note(&reach, true, 1, LIMIT, 200000);
    assert_int_equal(reach.size, 2);
    reach_note_answer(&reach, 20000);
    assert_true(reach.answer_us < 100000 && reach.answer_us > 80000);
    for (int i = 0; i < 100; i++)
        reach_note_answer(&reach, 10000000);
    reach_note(&reach, false, 0, LIMIT, 300000);
    reach_note(&reach, true, 2, LIMIT, 300000);
    assert_int_equal(reach_next_us(&reach, 2), 300000 + REACH_PATIENCE_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_with_one),
        cmocka_unit_test(test_doubles_with_its_patience_up_to_the_limit),
        cmocka_unit_test(test_running_out_of_work_begins_anew),
        cmocka_unit_test(test_answers_in_between_do_not_count),
        cmocka_unit_test(test_is_as_patient_as_answers_are_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
