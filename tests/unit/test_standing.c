/* SPDX-License-Identifier: MIT */
/* test_standing.c: the table of isolation keeps what its page promises. */
#include "unit.h"

#include "core/standing.h"

static void test_turns_are_all_given(void **state)
{
    int turns = 0;

    (void)state;
    for (int i = 0; i < STANDINGS; i++) {
        assert_true(standing_policies[i].refill_turns > 0);
        turns += standing_policies[i].refill_turns;
    }
    assert_int_equal(turns, STANDING_TURNS);
}

static void test_a_quarter_of_the_slots_is_left_for_the_proven(void **state)
{
    static const int slots[] = {64, 100, 256, 1024, 65536};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(slots); i++) {
        int others = 0;

        for (int standing = STANDING_PROVEN + 1; standing < STANDINGS; standing++)
            others += standing_slots((enum standing)standing, slots[i]);
        check_case(others <= slots[i] - slots[i] / 4, "%d of %d slots", others, slots[i]);
        assert_int_equal(standing_slots(STANDING_PROVEN, slots[i]), slots[i]);
    }
}

static void test_few_are_not_divided(void **state)
{
    (void)state;
    assert_int_equal(standing_slots(STANDING_UNKNOWN, 1), 1);
    assert_int_equal(standing_slots(STANDING_UNKNOWN, STANDING_FEW), STANDING_FEW);
    assert_int_equal(standing_slots(STANDING_DEAD, 1), 1);
    assert_int_equal(standing_rows(STANDING_DEAD, 1, false), 1);
}

static void test_rows(void **state)
{
    (void)state;
    assert_int_equal(standing_rows(STANDING_PROVEN, 1600, true), INT32_MAX);
    assert_int_equal(standing_rows(STANDING_UNKNOWN, 1600, false), INT32_MAX);
    assert_int_equal(standing_rows(STANDING_UNKNOWN, 1600, true), 200);
    assert_int_equal(standing_rows(STANDING_FALTERING, 1600, false), 100);
    assert_int_equal(standing_rows(STANDING_DEAD, 1600, true), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_are_all_given),
        cmocka_unit_test(test_a_quarter_of_the_slots_is_left_for_the_proven),
        cmocka_unit_test(test_few_are_not_divided),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
