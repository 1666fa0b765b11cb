/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/gathering.h"

/* Outcomes at an even pace, each batch written at once: outcomes in a batch at the end. */
static size_t batch_at(int64_t pace_us, int64_t *ret_longest_us)
{
    struct gathering gathering = {0};
    int64_t first_us = 0;
    size_t batch = 0, count = 0;

    *ret_longest_us = 0;
    for (int64_t now_us = 20; now_us < 10000000; now_us += 20) {
        if (now_us % pace_us == 0 && count++ == 0)
            first_us = now_us;
        if (count == 0 || now_us < gathering_due_us(&gathering, count, first_us))
            continue;
        gathering_note_written(&gathering, count, now_us);
        if (now_us - first_us > *ret_longest_us)
            *ret_longest_us = now_us - first_us;
        batch = count;
        count = 0;
    }
    return batch;
}

static void test_lone_outcome_is_written_soon(void **state)
{
    struct gathering gathering = {0};

    (void)state;
    assert_int_equal(gathering_due_us(&gathering, 1, 1000000), 1000000 + GATHERING_FIRST_US);
    gathering_note_written(&gathering, 1, 1003000);
    assert_int_equal(gathering_due_us(&gathering, 1, 2000000), 2000000 + GATHERING_FIRST_US);
}

static void test_few_outcomes_are_not_held_up(void **state)
{
    int64_t longest_us;

    (void)state;
    assert_int_equal(batch_at(10000, &longest_us), 1);
    assert_true(longest_us <= GATHERING_FIRST_US);
}

static void test_many_outcomes_are_written_together(void **state)
{
    int64_t longest_us;

    (void)state;
    assert_int_equal(batch_at(1000, &longest_us), 20);
    assert_true(longest_us <= GATHERING_LONGEST_US);
    assert_int_equal(batch_at(60, &longest_us), GATHERING_FULL);
    assert_true(longest_us < GATHERING_LONGEST_US);
}

static void test_full_batch_does_not_wait(void **state)
{
    struct gathering gathering = {0};

    (void)state;
    gathering_note_written(&gathering, 1000, 1000000);
    assert_int_equal(gathering_due_us(&gathering, GATHERING_FULL - 1, 1000000),
                     1000000 + GATHERING_LONGEST_US);
    assert_int_equal(gathering_due_us(&gathering, GATHERING_FULL, 1000000), 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lone_outcome_is_written_soon),
        cmocka_unit_test(test_few_outcomes_are_not_held_up),
        cmocka_unit_test(test_many_outcomes_are_written_together),
        cmocka_unit_test(test_full_batch_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
