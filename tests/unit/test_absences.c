/* SPDX-License-Identifier: MIT */
/* test_absences.c: when a delivery is looked for again whose event is not there. */
#include "unit.h"

#include <stdio.h>

#include "core/absences.h"
#include "core/lane.h"

#define S INT64_C(1000000)

static int set_up(void **state)
{
    static struct absences absences;

    absences_init(&absences);
    *state = &absences;
    return 0;
}

static int tear_down(void **state)
{
    absences_free(*state);
    return 0;
}

static void test_pauses_grow(void **state)
{
    static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct absences *absences = *state;
    int64_t now_us = 5 * S;

    assert_null(absences_next(absences, now_us));
    assert_true(absences_next_us(absences) == INT64_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(pauses_s); i++) {
        assert_true(absences_note(absences, "a", "event", 3, now_us) == (i == 0));
        assert_true(absences_next_us(absences) <= now_us + pauses_s[i] * S);
        assert_null(absences_next(absences, now_us + pauses_s[i] * S - 1));
        now_us += pauses_s[i] * S;
        assert_string_equal(absences_next(absences, now_us), "a");
        assert_null(absences_next(absences, now_us));
        assert_true(absences_has(absences, "a"));
    }
}

/* Its row was fetched, and it was not among the due ones. */
static void test_what_is_not_seen_again_has_gone(void **state)
{
    struct absences *absences = *state;

    (void)absences_note(absences, "a", "event", 3, 0);
    (void)absences_note(absences, "b", "event", 3, 0);
    assert_non_null(absences_next(absences, S));
    assert_non_null(absences_next(absences, S));
    assert_null(absences_next(absences, S));
    assert_false(absences_note(absences, "b", "event", 3, S + 1));
    assert_int_equal(absences_count(absences), 2);
    while (absences_next(absences, S + ABSENCES_ANSWER_US) != NULL)
        ;
    assert_false(absences_has(absences, "a"));
    assert_true(absences_has(absences, "b"));
}

static void test_event_that_is_there_again(void **state)
{
    struct absences *absences = *state;

    (void)absences_note(absences, "a", "event", 3, 0);
    absences_note_there(absences, "a");
    absences_note_there(absences, "b");
    assert_int_equal(absences_count(absences), 0);
    assert_null(absences_first(absences));
    assert_true(absences_next_us(absences) == INT64_MAX);
    assert_true(absences_note(absences, "a", "event", 3, 0));
}

static void test_lanes_that_are_given_up(void **state)
{
    struct absences *absences = *state;

    (void)absences_note(absences, "a", "event", 3, 0);
    (void)absences_note(absences, "b", "event", 63, 0);
    absences_forget(absences, LANE_BIT(63) | LANE_BIT(0));
    assert_string_equal(absences_first(absences)->id, "a");
    assert_int_equal(absences_count(absences), 1);
}

static void test_not_more_than_so_many(void **state)
{
    struct absences *absences = *state;
    char id[37];

    for (int i = 0; i < ABSENCES_MAX; i++) {
        assert_false(absences_is_full(absences));
        snprintf(id, sizeof(id), "%d", i);
        assert_true(absences_note(absences, id, "event", 3, 0));
    }
    assert_true(absences_is_full(absences));
    assert_false(absences_note(absences, "one more", "event", 3, 0));
    assert_false(absences_has(absences, "one more"));
    assert_false(absences_note(absences, "7", "event", 3, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pauses_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_seen_again_has_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event_that_is_there_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lanes_that_are_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_more_than_so_many, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
