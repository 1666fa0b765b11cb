/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/breaker.h"
#include "core/health.h"

#define SECOND INT64_C(1000000)

static const struct breaker_policy policy = {.failures = 3, .max_interval_us = 60 * SECOND};

static bool fail_at(struct breaker *breaker, int64_t now_us)
{
    return breaker_note_failure(breaker, &policy, false, now_us, 0);
}

static void open_at(struct breaker *breaker, int64_t now_us)
{
    *breaker = (struct breaker){.failures = 0};
    assert_false(fail_at(breaker, now_us));
    assert_false(fail_at(breaker, now_us));
    assert_true(fail_at(breaker, now_us));
}

static void test_opens_after_failures_in_a_row(void **state)
{
    struct breaker breaker = {.failures = 0};

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_false(fail_at(&breaker, 1));
        assert_false(fail_at(&breaker, 1));
        assert_false(breaker_note_success(&breaker));
    }
    open_at(&breaker, 5 * SECOND);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.opened_us, 5 * SECOND);
    fail_at(&breaker, 5 * SECOND); /* that was out already */
    assert_int_equal(breaker.opened_after, 3);
    assert_false(breaker_is_probe_due(&breaker, 6 * SECOND - 1));
    assert_true(breaker_is_probe_due(&breaker, 6 * SECOND));
}

static void test_pauses_double_up_to_the_longest(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct breaker breaker;
    int64_t now_us = 0;

    (void)state;
    open_at(&breaker, now_us);
    for (size_t i = 0; i < ARRAY_LENGTH(seconds); i++) {
        check_case(breaker.next_probe_us - now_us == seconds[i] * SECOND, "pause %zu: %lld us", i,
                   (long long)(breaker.next_probe_us - now_us));
        now_us = breaker.next_probe_us;
        breaker_begin_probe(&breaker);
        assert_false(breaker_is_probe_due(&breaker, now_us));
        assert_false(breaker_note_failure(&breaker, &policy, true, now_us, 0));
    }
    assert_int_equal(breaker.opened_us, 0);
}

static void test_jitter_shortens(void **state)
{
    struct breaker breaker = {.failures = 2};

    (void)state;
    assert_true(breaker_note_failure(&breaker, &policy, false, 0, 0.9999));
    assert_in_range(breaker.next_probe_us, 750000, 751000);
}

static void test_short_maximum_holds_for_the_first_pause(void **state)
{
    const struct breaker_policy quick = {.failures = 1, .max_interval_us = 200000};
    struct breaker breaker = {.failures = 0};

    (void)state;
    assert_true(breaker_note_failure(&breaker, &quick, false, 0, 0));
    assert_int_equal(breaker.next_probe_us, 200000);
}

static void test_success_closes(void **state)
{
    struct breaker breaker;

    (void)state;
    open_at(&breaker, 0);
    breaker_begin_probe(&breaker);
    assert_true(breaker_note_success(&breaker));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker.failures, 0);
    /* A request from before it opened. */
    open_at(&breaker, 0);
    assert_true(breaker_note_success(&breaker));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

/* Requests that were in flight when it opened fail later: they are no probes. */
static void test_late_failures_do_not_put_off_the_probe(void **state)
{
    struct breaker breaker;

    (void)state;
    open_at(&breaker, 0);
    assert_false(fail_at(&breaker, 900000));
    assert_int_equal(breaker.next_probe_us, SECOND);
    breaker_begin_probe(&breaker);
    assert_false(fail_at(&breaker, SECOND));
    assert_int_equal(breaker.state, BREAKER_PROBING);
}

static void test_void_probe_is_made_again(void **state)
{
    struct breaker breaker;

    (void)state;
    open_at(&breaker, 0);
    breaker_begin_probe(&breaker);
    breaker_void_probe(&breaker, 7 * SECOND);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.next_probe_us, 8 * SECOND);
}

static void test_never_opens_with_zero(void **state)
{
    const struct breaker_policy never = {.failures = 0, .max_interval_us = SECOND};
    struct breaker breaker = {.failures = 0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_false(breaker_note_failure(&breaker, &never, false, 0, 0));
    breaker.failures = INT32_MAX;
    assert_false(breaker_note_failure(&breaker, &never, false, 0, 0));
}

static void test_known_to_be_down(void **state)
{
    struct breaker breaker = {.failures = 0};

    (void)state;
    breaker_resume(&breaker, &policy, 1, 9 * SECOND, 0);
    assert_true(breaker_is_probe_due(&breaker, 9 * SECOND));
    breaker_begin_probe(&breaker);
    assert_false(breaker_note_failure(&breaker, &policy, true, 9 * SECOND, 0));
    assert_int_equal(breaker.next_probe_us, 11 * SECOND);
}

/* One that has failed for long goes on with long pauses, the first at a time of its own. */
static void test_resumes_where_it_was(void **state)
{
    static const struct {
        int64_t failing_s, first_s, second_s; /* with random01 = 0.5 for the first */
    } cases[] = {{0, 500, 2000}, {20, 5000, 20000}, {40, 10000, 40000}, {3600, 15000, 60000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct breaker breaker = {.failures = 0};

        breaker_resume(&breaker, &policy, cases[i].failing_s * SECOND, 9 * SECOND, 0.5);
        assert_int_equal(breaker.next_probe_us, 9 * SECOND + cases[i].first_s * 1000);
        breaker_begin_probe(&breaker);
        breaker_note_failure(&breaker, &policy, true, 9 * SECOND, 0);
        assert_int_equal(breaker.next_probe_us, 9 * SECOND + cases[i].second_s * 1000);
    }
}

/* --- whose failure it is --- */

static void test_health(void **state)
{
    static const struct {
        const char *name;
        struct attempt attempt;
        bool was_connected;
        enum health expected;
        int64_t hold_ms;
    } cases[] = {
        {"200", {ATTEMPT_ANSWERED, 200, -1}, true, HEALTH_GOOD, 0},
        {"204 with Retry-After", {ATTEMPT_ANSWERED, 204, 9000}, true, HEALTH_GOOD, 0},
        {"302", {ATTEMPT_ANSWERED, 302, -1}, true, HEALTH_ALIVE, 0},
        {"404", {ATTEMPT_ANSWERED, 404, -1}, true, HEALTH_ALIVE, 0},
        {"408", {ATTEMPT_ANSWERED, 408, -1}, true, HEALTH_ALIVE, 0},
        {"410", {ATTEMPT_ANSWERED, 410, -1}, true, HEALTH_ALIVE, 0},
        {"429", {ATTEMPT_ANSWERED, 429, -1}, true, HEALTH_BUSY, 0},
        {"429 with Retry-After", {ATTEMPT_ANSWERED, 429, 9000}, true, HEALTH_BUSY, 9000},
        {"429 until next year", {ATTEMPT_ANSWERED, 429, 99000000}, true, HEALTH_BUSY, 60000},
        {"500", {ATTEMPT_ANSWERED, 500, -1}, true, HEALTH_DOWN, 0},
        {"500 with Retry-After", {ATTEMPT_ANSWERED, 500, 9000}, true, HEALTH_DOWN, 0},
        {"503 with Retry-After", {ATTEMPT_ANSWERED, 503, 9000}, true, HEALTH_DOWN, 9000},
        {"no answer in time", {ATTEMPT_TIMEOUT, 0, -1}, true, HEALTH_DOWN, 0},
        {"no connection in time", {ATTEMPT_TIMEOUT, 0, -1}, false, HEALTH_UNREACHABLE, 0},
        {"no such name", {ATTEMPT_DNS, 0, -1}, false, HEALTH_UNREACHABLE, 0},
        {"refused", {ATTEMPT_CONNECT, 0, -1}, false, HEALTH_UNREACHABLE, 0},
        {"bad certificate", {ATTEMPT_TLS, 0, -1}, false, HEALTH_UNREACHABLE, 0},
        {"garbage", {ATTEMPT_BROKEN, 0, -1}, true, HEALTH_DOWN, 0},
        {"forbidden address", {ATTEMPT_UNSENDABLE, 0, -1}, false, HEALTH_UNKNOWN, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        enum health health = health_of(&cases[i].attempt, cases[i].was_connected, false);

        check_case(health == cases[i].expected, "%s: %d", cases[i].name, (int)health);
        check_case(health_hold_ms(&cases[i].attempt, 60000) == cases[i].hold_ms, "%s: hold",
                   cases[i].name);
        check_case(health_is_failure(health) ==
                       (health == HEALTH_DOWN || health == HEALTH_UNREACHABLE),
                   "%s", cases[i].name);
    }
}

/* A customer's wrong client certificate must not stop the others of the same host. */
static void test_health_with_a_client_certificate(void **state)
{
    static const struct attempt tls = {ATTEMPT_TLS, 0, -1}, refused = {ATTEMPT_CONNECT, 0, -1};
    static const struct attempt late = {ATTEMPT_TIMEOUT, 0, -1};

    (void)state;
    assert_int_equal(health_of(&tls, false, true), HEALTH_DOWN);
    assert_int_equal(health_of(&refused, false, true), HEALTH_UNREACHABLE);
    assert_int_equal(health_of(&late, false, true), HEALTH_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_after_failures_in_a_row),
        cmocka_unit_test(test_pauses_double_up_to_the_longest),
        cmocka_unit_test(test_jitter_shortens),
        cmocka_unit_test(test_short_maximum_holds_for_the_first_pause),
        cmocka_unit_test(test_success_closes),
        cmocka_unit_test(test_late_failures_do_not_put_off_the_probe),
        cmocka_unit_test(test_void_probe_is_made_again),
        cmocka_unit_test(test_never_opens_with_zero),
        cmocka_unit_test(test_known_to_be_down),
        cmocka_unit_test(test_resumes_where_it_was),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_health_with_a_client_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
