/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <limits.h>

#include "core/outcome.h"

static const struct retry_policy policy = {
    .max_attempts = 5,
    .initial_delay_ms = 1000,
    .multiplier = 2,
    .max_delay_ms = 60000,
    .jitter = 0.5,
    .statuses_length = 3,
    .statuses = {408, 425, 429},
};

static struct outcome decide(int attempts_before, enum attempt_result result, int status,
                             int64_t retry_after_ms)
{
    struct attempt attempt = {result, status, retry_after_ms};

    return outcome_decide(&policy, attempts_before, &attempt, 0);
}

static struct outcome decide_once(int attempts_before)
{
    struct retry_policy once = policy;
    struct attempt attempt = {ATTEMPT_TIMEOUT, 0, -1};

    once.max_attempts = 1;
    return outcome_decide(&once, attempts_before, &attempt, 0);
}

static void test_every_status(void **state)
{
    (void)state;
    for (int status = -10; status <= 1000; status++) {
        struct outcome outcome = decide(0, ATTEMPT_ANSWERED, status, -1);
        bool is_listed = status == 408 || status == 425 || status == 429;
        enum outcome_kind expected = OUTCOME_FAILED;

        if (status >= 200 && status <= 299)
            expected = OUTCOME_DELIVERED;
        else if (status < 200 || status >= 500 || is_listed)
            expected = OUTCOME_RETRY;
        check_case(outcome.kind == expected, "%d: %d", status, (int)outcome.kind);
        check_case(outcome.counts_attempt, "%d", status);
        check_case(outcome.disables_endpoint == (status == 410), "%d", status);
        check_case(!outcome.is_exhausted, "%d", status);
        check_case(outcome.delay_ms == (expected == OUTCOME_RETRY ? 1000 : 0), "%d", status);
    }
}

static void test_every_failure_without_an_answer(void **state)
{
    static const enum attempt_result retried[] = {ATTEMPT_TIMEOUT, ATTEMPT_DNS, ATTEMPT_CONNECT,
                                                  ATTEMPT_TLS, ATTEMPT_BROKEN};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(retried); i++) {
        /* A status or a Retry-After left over from elsewhere means nothing here. */
        struct outcome outcome = decide(1, retried[i], 429, 30000);

        check_case(outcome.kind == OUTCOME_RETRY, "%s", attempt_result_name(retried[i]));
        check_case(outcome.counts_attempt, "%s", attempt_result_name(retried[i]));
        check_case(outcome.delay_ms == 2000, "%s", attempt_result_name(retried[i]));
        check_case(decide(1, retried[i], 200, -1).kind == OUTCOME_RETRY, "%s",
                   attempt_result_name(retried[i]));
        check_case(!decide(1, retried[i], 410, -1).disables_endpoint, "%s",
                   attempt_result_name(retried[i]));
    }
}

static void test_what_was_not_sent_fails_and_is_not_counted(void **state)
{
    static const int counters[] = {INT_MIN, -1, 0, 3, 5, INT_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(counters); i++) {
        struct outcome outcome = decide(counters[i], ATTEMPT_UNSENDABLE, 200, 1000);

        check_case(outcome.kind == OUTCOME_FAILED, "%d", counters[i]);
        check_case(!outcome.counts_attempt, "%d", counters[i]);
        check_case(!outcome.is_exhausted, "%d", counters[i]);
        check_case(!outcome.disables_endpoint, "%d", counters[i]);
    }
}

static void test_attempts_run_out(void **state)
{
    static const struct {
        int attempts_before;
        bool is_exhausted;
        int64_t delay_ms;
    } cases[] = {
        {INT_MIN, false, 1000}, {-1, false, 1000}, {0, false, 1000}, {1, false, 2000},
        {3, false, 8000},       {4, true, 0},      {5, true, 0},     {INT_MAX, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome = decide(cases[i].attempts_before, ATTEMPT_ANSWERED, 500, -1);
        enum outcome_kind expected = cases[i].is_exhausted ? OUTCOME_FAILED : OUTCOME_RETRY;

        check_case(outcome.kind == expected, "%d", cases[i].attempts_before);
        check_case(outcome.is_exhausted == cases[i].is_exhausted, "%d", cases[i].attempts_before);
        check_case(outcome.delay_ms == cases[i].delay_ms, "%d: %lld", cases[i].attempts_before,
                   (long long)outcome.delay_ms);
    }
    /* With a single attempt allowed, the first one is the last. */
    assert_true(decide_once(0).is_exhausted);
    assert_true(decide_once(-1).is_exhausted);
    /* A 2xx delivers however many attempts there were; a final status is not an exhausted one. */
    assert_int_equal(decide(INT_MAX, ATTEMPT_ANSWERED, 204, -1).kind, OUTCOME_DELIVERED);
    assert_false(decide(INT_MAX, ATTEMPT_ANSWERED, 404, -1).is_exhausted);
    assert_true(decide(INT_MAX, ATTEMPT_ANSWERED, 410, -1).disables_endpoint);
}

static void test_retry_after(void **state)
{
    static const struct {
        int status;
        int64_t retry_after_ms;
        int64_t delay_ms;
    } cases[] = {
        {429, -1, 2000},        {429, 0, 2000},      {429, 1999, 2000},   {429, 2001, 2001},
        {429, 60000, 60000},    {429, 60001, 60000}, {503, 30000, 30000}, {503, INT64_MAX, 60000},
        {429, INT64_MIN, 2000}, {500, 30000, 2000},  {502, 30000, 2000},  {408, 30000, 2000},
        {425, INT64_MAX, 2000}, {999, 30000, 2000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome =
            decide(1, ATTEMPT_ANSWERED, cases[i].status, cases[i].retry_after_ms);

        check_case(outcome.kind == OUTCOME_RETRY, "%d", cases[i].status);
        check_case(outcome.delay_ms == cases[i].delay_ms, "%d, %lld: %lld", cases[i].status,
                   (long long)cases[i].retry_after_ms, (long long)outcome.delay_ms);
    }
    assert_int_equal(decide(1, ATTEMPT_ANSWERED, 404, 30000).delay_ms, 0);
}

static void test_retry_after_never_shortens_a_schedule(void **state)
{
    struct retry_policy scheduled = policy;
    struct attempt attempt = {ATTEMPT_ANSWERED, 503, 70000};

    (void)state;
    scheduled.schedule_length = 1;
    scheduled.schedule_ms[0] = 600000;
    assert_int_equal(outcome_decide(&scheduled, 0, &attempt, 0).delay_ms, 600000);
    assert_int_equal(outcome_decide(&scheduled, 0, &attempt, 0.5).delay_ms, 450000);
}

static void test_the_operator_may_have_any_status_retried(void **state)
{
    struct retry_policy patient = policy;
    struct attempt gone = {ATTEMPT_ANSWERED, 410, -1};
    struct attempt limited = {ATTEMPT_ANSWERED, 429, 30000};
    struct outcome outcome;

    (void)state;
    patient.statuses_length = 1;
    patient.statuses[0] = 410;
    outcome = outcome_decide(&patient, 0, &gone, 0);
    assert_int_equal(outcome.kind, OUTCOME_RETRY);
    assert_false(outcome.disables_endpoint);
    outcome = outcome_decide(&patient, 4, &gone, 0);
    assert_true(outcome.is_exhausted);
    assert_false(outcome.disables_endpoint);
    assert_int_equal(outcome_decide(&patient, 0, &limited, 0).kind, OUTCOME_FAILED);
}

static void test_names(void **state)
{
    static const char *const names[ATTEMPT_RESULTS] = {
        "answered", "timeout", "dns", "connect", "tls", "broken", "unsendable"};

    (void)state;
    for (int i = 0; i < ATTEMPT_RESULTS; i++)
        assert_string_equal(attempt_result_name((enum attempt_result)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status),
        cmocka_unit_test(test_every_failure_without_an_answer),
        cmocka_unit_test(test_what_was_not_sent_fails_and_is_not_counted),
        cmocka_unit_test(test_attempts_run_out),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_retry_after_never_shortens_a_schedule),
        cmocka_unit_test(test_the_operator_may_have_any_status_retried),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
