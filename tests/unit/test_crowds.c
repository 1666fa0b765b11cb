/* SPDX-License-Identifier: MIT */
/* How many rows may wait of those of one standing: each rule of core/crowds.h by itself. */
#include "unit.h"

#include "core/crowds.h"

#define AHEAD 160

static struct crowds crowds;

static int set_up(void **state)
{
    (void)state;
    crowds = (struct crowds){.rows_ahead = AHEAD};
    return 0;
}

/* An endpoint that has none takes rows while there is room, up to so many; how many it got. */
static int take(enum standing standing, int most)
{
    int got = 0;

    while (got < most && crowds_room(&crowds, standing, got, 0) > 0) {
        got++;
        crowds_count(&crowds, standing, 1, got);
    }
    return got;
}

static void test_the_dead_have_a_part(void **state)
{
    (void)state;
    assert_int_equal(take(STANDING_DEAD, 1000), AHEAD / 16);
    assert_int_equal(take(STANDING_DEAD, 1000), 0);
    assert_false(crowds_has_room(&crowds, STANDING_DEAD, 0));
    assert_int_equal(take(STANDING_FALTERING, 1000), AHEAD / 16);
    assert_int_equal(take(STANDING_PROVEN, 1000), 1000);
    assert_int_equal(take(STANDING_UNKNOWN, 1000), 1000);
}

static void test_unknown_that_stall_have_a_part(void **state)
{
    (void)state;
    crowds_tighten(&crowds, 0);
    assert_int_equal(take(STANDING_UNKNOWN, 1000), AHEAD / 8);
    assert_true(crowds_has_room(&crowds, STANDING_UNKNOWN, CROWD_TIGHT_US));
    assert_false(crowds_has_room(&crowds, STANDING_UNKNOWN, CROWD_TIGHT_US - 1));
    assert_true(crowds_has_room(&crowds, STANDING_PROVEN, 0));
}

/* Who was there first has taken more, and gets no more. */
static void test_members_get_equal_parts(void **state)
{
    (void)state;
    assert_int_equal(take(STANDING_DEAD, 2), 2);
    assert_int_equal(take(STANDING_DEAD, 1000), 5);
    assert_int_equal(take(STANDING_DEAD, 1000), 3);
    assert_int_equal(crowds_room(&crowds, STANDING_DEAD, 2, 0), 0);
    assert_int_equal(take(STANDING_DEAD, 1000), 0);
}

static void test_many_have_a_row_each(void **state)
{
    (void)state;
    for (int i = 0; i < AHEAD / 16; i++)
        assert_int_equal(take(STANDING_FALTERING, 1), 1);
    assert_int_equal(crowds.of[STANDING_FALTERING].members, AHEAD / 16);
    crowds_count(&crowds, STANDING_FALTERING, -1, 0);
    assert_int_equal(crowds.of[STANDING_FALTERING].members, AHEAD / 16 - 1);
    assert_true(crowds_has_room(&crowds, STANDING_FALTERING, 0));
}

static void test_a_few_rows_are_a_row(void **state)
{
    (void)state;
    crowds.rows_ahead = 3;
    assert_int_equal(take(STANDING_DEAD, 1000), 1);
}

/* A full crowd of the dead changes its members, one of the unknown only gives back what is too
 * much. */
static void test_who_makes_room(void **state)
{
    (void)state;
    take(STANDING_DEAD, AHEAD / 16 - 1);
    assert_false(crowds_is_excessive(&crowds, STANDING_DEAD, 0));
    take(STANDING_DEAD, 1);
    crowds_count(&crowds, STANDING_DEAD, 1, 1);
    assert_true(crowds_is_excessive(&crowds, STANDING_DEAD, 0));
    take(STANDING_UNKNOWN, AHEAD / 8);
    assert_false(crowds_is_excessive(&crowds, STANDING_UNKNOWN, 0));
    crowds_tighten(&crowds, 0);
    assert_false(crowds_is_excessive(&crowds, STANDING_UNKNOWN, 0));
    crowds_count(&crowds, STANDING_UNKNOWN, 1, 1);
    assert_true(crowds_is_excessive(&crowds, STANDING_UNKNOWN, 0));
    assert_false(crowds_is_excessive(&crowds, STANDING_UNKNOWN, CROWD_TIGHT_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_dead_have_a_part, set_up),
        cmocka_unit_test_setup(test_unknown_that_stall_have_a_part, set_up),
        cmocka_unit_test_setup(test_members_get_equal_parts, set_up),
        cmocka_unit_test_setup(test_many_have_a_row_each, set_up),
        cmocka_unit_test_setup(test_a_few_rows_are_a_row, set_up),
        cmocka_unit_test_setup(test_who_makes_room, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
