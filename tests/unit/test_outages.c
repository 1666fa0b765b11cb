/* SPDX-License-Identifier: MIT */
/* Which outages of the database are worth a line in the log. */
#include "core/outages.h"

#include "base/compiler.h"
#include "unit.h"

#define SECOND_US 1000000

static void test_one_outage_is_told_once(void **state)
{
    struct outages outages = {0};
    int untold = -1;

    (void)state;
    assert_true(outages_note_up(&outages));
    assert_true(outages_note_down(&outages, "it was lost", SECOND_US, &untold));
    assert_int_equal(untold, 0);
    for (int i = 2; i < 1000; i++)
        assert_false(outages_note_down(&outages, "connection refused", i * SECOND_US, &untold));
    assert_true(outages_note_up(&outages));
    assert_false(outages_note_up(&outages));
}

static void test_away_from_the_beginning(void **state)
{
    struct outages outages = {0};
    int untold = -1;

    (void)state;
    assert_true(outages_note_down(&outages, "connection refused", 0, &untold));
    assert_false(outages_note_down(&outages, "connection refused", SECOND_US, &untold));
    assert_true(outages_note_up(&outages));
}

/* Up and down every second for ten minutes. */
static void test_up_and_down(void **state)
{
    static const char *const reasons[] = {"a", "b", "c", "d", "e", "f", "g"};

    (void)state;
    for (int count = 1; count <= (int)ARRAY_LENGTH(reasons); count++) {
        struct outages outages = {0};
        int lines = 0, ends = 0, outages_seen = 0, untold;

        (void)outages_note_up(&outages);
        for (int i = 0; i < 600; i++) {
            if (outages_note_down(&outages, reasons[i % count], i * SECOND_US, &untold)) {
                lines++;
                outages_seen += 1 + untold;
            }
            ends += outages_note_up(&outages);
        }
        check_case(lines >= 10 && lines <= 10 * OUTAGES_MAX, "%d reasons: %d lines", count, lines);
        check_case(count > 1 || lines == 10, "one reason: %d lines", lines);
        check_case(ends == lines, "%d reasons: %d lines, %d ends", count, lines, ends);
        check_case(outages_seen + outages.untold == 600, "%d are told of, %d are not", outages_seen,
                   outages.untold);
    }
}

/* One that was not told of goes on: after a while it is. */
static void test_an_outage_that_lasts(void **state)
{
    struct outages outages = {0};
    int untold = -1, lines = 0;

    (void)state;
    assert_true(outages_note_down(&outages, "a", 0, &untold));
    assert_true(outages_note_up(&outages));
    for (int i = 1; i < 600; i++)
        lines += outages_note_down(&outages, "a", i * SECOND_US, &untold);
    assert_int_equal(lines, 1);
    assert_int_equal(untold, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_outage_is_told_once),
        cmocka_unit_test(test_away_from_the_beginning),
        cmocka_unit_test(test_up_and_down),
        cmocka_unit_test(test_an_outage_that_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
