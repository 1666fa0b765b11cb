/* SPDX-License-Identifier: MIT */
/* Rows that come back as they were although their outcome was written. */
#include "core/returns.h"

#include <stdio.h>

#include "unit.h"

#define ID "0b5e2a11-0000-0000-0000-000000000001"

static struct returns returns;

static int begin(void **state)
{
    (void)state;
    returns_init(&returns);
    return 0;
}

static int end(void **state)
{
    (void)state;
    returns_free(&returns);
    return 0;
}

/* How long it has to wait when it is read at now_us. */
static int64_t wait_us(const char *id, int attempts, int64_t now_us, int expected_count)
{
    int count = -1;
    int64_t at_us = returns_may_send_us(&returns, id, attempts, now_us, &count);

    assert_int_equal(count, expected_count);
    return at_us > now_us ? at_us - now_us : 0;
}

static void test_retries_are_no_returns(void **state)
{
    (void)state;
    assert_int_equal(wait_us(ID, 0, 1, 0), 0);
    for (int attempts = 0; attempts < 20; attempts++) {
        returns_note_written(&returns, ID, attempts, 10 + attempts);
        assert_int_equal(wait_us(ID, attempts + 1, 10 + attempts, 0), 0);
    }
}

/* An operator who sends a dead one again, with its attempts set to 0. */
static void test_once_is_a_replay(void **state)
{
    (void)state;
    returns_note_written(&returns, ID, 19, 1000);
    assert_int_equal(wait_us(ID, 0, 2000, 1), 0);
}

static void test_each_further_return_waits_longer(void **state)
{
    int64_t now_us = 1000, pause_us = RETURNS_FIRST_US;

    (void)state;
    returns_note_written(&returns, ID, 0, now_us);
    assert_int_equal(wait_us(ID, 0, now_us, 1), 0);
    for (int i = 2; i <= 1000; i++) {
        returns_note_written(&returns, ID, 0, now_us);
        assert_int_equal(wait_us(ID, 0, now_us, i), pause_us);
        now_us += pause_us;
        assert_int_equal(wait_us(ID, 0, now_us, i), 0);
        pause_us = pause_us * 2 < RETURNS_LONGEST_US ? pause_us * 2 : (int64_t)RETURNS_LONGEST_US;
    }
}

/* An operator who replays again and again, as fast as people are. */
static void test_slow_returns_are_replays(void **state)
{
    int64_t now_us = 1000;

    (void)state;
    for (int i = 0; i < 20; i++) {
        returns_note_written(&returns, ID, 0, now_us);
        now_us += RETURNS_SLACK_US;
        assert_int_equal(wait_us(ID, 0, now_us, 0), 0);
    }
}

static void test_it_is_forgotten(void **state)
{
    (void)state;
    returns_note_written(&returns, ID, 0, 1000);
    returns_note_written(&returns, ID, 0, 2000);
    assert_int_equal(wait_us(ID, 0, 2000, 2), RETURNS_FIRST_US);
    assert_int_equal(wait_us(ID, 0, 2000 + RETURNS_FIRST_US + RETURNS_SLACK_US - 1, 2), 0);
    assert_int_equal(wait_us(ID, 0, 2000 + RETURNS_FIRST_US + RETURNS_SLACK_US, 0), 0);
}

/* Many others pass by: none of them is taken for another. */
static void test_others_are_not_hindered(void **state)
{
    (void)state;
    for (int i = 0; i < RETURNS_MAX * 3; i++) {
        char id[37];

        snprintf(id, sizeof(id), "0b5e2a11-0000-0000-0000-%012d", i);
        assert_int_equal(wait_us(id, 0, 1000 + i, 0), 0);
        returns_note_written(&returns, id, 0, 1000 + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_retries_are_no_returns, begin, end),
        cmocka_unit_test_setup_teardown(test_once_is_a_replay, begin, end),
        cmocka_unit_test_setup_teardown(test_each_further_return_waits_longer, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_returns_are_replays, begin, end),
        cmocka_unit_test_setup_teardown(test_it_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(test_others_are_not_hindered, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
