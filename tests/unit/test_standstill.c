/* SPDX-License-Identifier: MIT */
/* How much is sent while nothing that is written stays. */
#include "core/standstill.h"

#include "unit.h"

static void test_nothing_is_wrong(void **state)
{
    struct standstill standstill = {0};

    (void)state;
    standstill_note(&standstill, 5, 0, 1);
    standstill_note(&standstill, 0, 0, 2);
    standstill_note(&standstill, 1, 4, 3);
    assert_true(standstill_may_start(&standstill, 1000, 4));
}

static void test_one_at_a_time_with_growing_pauses(void **state)
{
    struct standstill standstill = {0};
    int64_t now_us = 0, pause_us = STANDSTILL_FIRST_US;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        standstill_note(&standstill, 0, 3, now_us);
        assert_false(standstill_may_start(&standstill, 0, now_us + pause_us - 1));
        assert_true(standstill_may_start(&standstill, 0, now_us + pause_us));
        assert_false(standstill_may_start(&standstill, 1, now_us + pause_us));
        now_us += pause_us;
        pause_us =
            pause_us * 2 < STANDSTILL_LONGEST_US ? pause_us * 2 : (int64_t)STANDSTILL_LONGEST_US;
    }
}

static void test_one_that_stays_ends_it(void **state)
{
    struct standstill standstill = {0};

    (void)state;
    standstill_note(&standstill, 0, 1, 0);
    standstill_note(&standstill, 0, 1, 1);
    assert_false(standstill_may_start(&standstill, 0, 2));
    /* A second try of one that did not stay is no news. */
    standstill_note(&standstill, 0, 0, STANDSTILL_LONGEST_US);
    assert_true(standstill_may_start(&standstill, 0, STANDSTILL_LONGEST_US));
    assert_false(standstill_may_start(&standstill, 1, STANDSTILL_LONGEST_US));
    standstill_note(&standstill, 1, 1, STANDSTILL_LONGEST_US);
    assert_true(standstill_may_start(&standstill, 1, STANDSTILL_LONGEST_US));
    standstill_note(&standstill, 0, 1, 0);
    assert_true(standstill_may_start(&standstill, 0, STANDSTILL_FIRST_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_wrong),
        cmocka_unit_test(test_one_at_a_time_with_growing_pauses),
        cmocka_unit_test(test_one_that_stays_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
