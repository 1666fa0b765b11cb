/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "core/window.h"

static void succeed(struct window *window, int count)
{
    for (int i = 0; i < count; i++)
        window_note_success(window);
}

static void test_grows_fast_until_the_first_failure(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, 32, WINDOW_START);
    assert_int_equal(window_size(&window), WINDOW_START);
    succeed(&window, WINDOW_START);
    assert_int_equal(window_size(&window), 2 * WINDOW_START);
    succeed(&window, 2 * WINDOW_START);
    assert_int_equal(window_size(&window), 4 * WINDOW_START);
    window_note_failure(&window);
    assert_int_equal(window_size(&window), 4 * WINDOW_START - 1);
    succeed(&window, 4 * WINDOW_START - 1);
    assert_int_equal(window_size(&window), 4 * WINDOW_START - 1);
    succeed(&window, 2);
    assert_int_equal(window_size(&window), 4 * WINDOW_START);
}

static void test_stays_within_its_bounds(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, 2, WINDOW_START);
    assert_int_equal(window_size(&window), 2);
    succeed(&window, 1000);
    assert_int_equal(window_size(&window), 2);
    for (int i = 0; i < 1000; i++)
        window_note_failure(&window);
    assert_int_equal(window_size(&window), 1);
}

/* Restarted, it adds one with each round: 1 + 2 + … + 7 successes to get to 8. */
static void test_restart_is_a_ramp(void **state)
{
    struct window window;
    int successes = 0;

    (void)state;
    window_init(&window, 32, WINDOW_START);
    succeed(&window, 100);
    window_restart(&window);
    for (int size = 1; size <= 8; size++) {
        for (; window_size(&window) < size; successes++)
            window_note_success(&window);
        assert_int_equal(window_size(&window), size);
    }
    assert_in_range(successes, 20, 35);
}

static void test_limit_can_change(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, 32, WINDOW_START);
    succeed(&window, 100);
    window_set_limit(&window, 5);
    assert_int_equal(window_size(&window), 5);
    window_set_limit(&window, 40);
    assert_int_equal(window_size(&window), 5);
    succeed(&window, 35);
    assert_int_equal(window_size(&window), 40);
}

/* A receiver that fails a share of its requests settles, and does not shrink to nothing. */
static void test_settles_with_a_share_of_failures(void **state)
{
    static const struct {
        int failures_percent, low, high;
    } cases[] = {{5, 12, 32}, {10, 5, 15}, {30, 1, 4}, {60, 1, 2}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct dice dice = {.state = 7};
        struct window window;
        double sum = 0;

        window_init(&window, 32, WINDOW_START);
        for (int n = 0; n < 20000; n++) {
            if (dice_below(&dice, 100) < cases[i].failures_percent)
                window_note_failure(&window);
            else
                window_note_success(&window);
            sum += window_size(&window);
        }
        check_case(sum / 20000 >= cases[i].low && sum / 20000 <= cases[i].high, "%d %%: mean %.1f",
                   cases[i].failures_percent, sum / 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_fast_until_the_first_failure),
        cmocka_unit_test(test_stays_within_its_bounds),
        cmocka_unit_test(test_restart_is_a_ramp),
        cmocka_unit_test(test_limit_can_change),
        cmocka_unit_test(test_settles_with_a_share_of_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
