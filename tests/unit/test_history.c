/* SPDX-License-Identifier: MIT */
/* What charts are made of. */
#include "core/history.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define CUSTOMER "00000000-0000-4000-8000-000000000001"

static void test_buckets(void **state)
{
    (void)state;
    assert_int_equal(history_bucket(-1), 0);
    assert_int_equal(history_bucket(0), 0);
    for (size_t i = 0; i < HISTORY_BUCKETS - 1; i++) {
        assert_int_equal(history_bucket(history_bounds_ms[i] * 1000), i);
        assert_int_equal(history_bucket(history_bounds_ms[i] * 1000 + 1), i + 1);
    }
    assert_int_equal(history_bucket(INT64_MAX), HISTORY_BUCKETS - 1);
}

static void test_statuses(void **state)
{
    static const struct {
        int status;
        enum history_status class;
    } cases[] = {{0, HISTORY_NONE},  {199, HISTORY_NONE}, {200, HISTORY_2XX}, {299, HISTORY_2XX},
                 {300, HISTORY_3XX}, {404, HISTORY_4XX},  {599, HISTORY_5XX}, {600, HISTORY_NONE}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(history_status(cases[i].status), cases[i].class);
}

static void test_counts(void **state)
{
    struct history_counts counts = {0}, sum = {0};

    (void)state;
    history_count(&counts, &(struct history_outcome){OUTCOME_DELIVERED, true, 200, 7000, 3000});
    history_count(&counts, &(struct history_outcome){OUTCOME_RETRY, true, 0, 7000, -1});
    history_count(&counts, &(struct history_outcome){OUTCOME_FAILED, false, 0, 0, -1});
    for (int i = 0; i < 2; i++)
        history_add(&sum, &counts);
    assert_int_equal(history_volume(&sum), 6);
    assert_int_equal(sum.delivered, 2);
    assert_int_equal(sum.retried, 2);
    assert_int_equal(sum.failed, 2);
    assert_int_equal(sum.statuses[HISTORY_2XX], 2);
    assert_int_equal(sum.statuses[HISTORY_NONE], 2);
    assert_int_equal(sum.attempt_duration[1], 4);
    assert_int_equal(sum.first_attempt_delay[0], 2);
    assert_int_equal(sum.first_attempt_delay[1], 0);
    assert_int_equal(history_attempts(&sum), 4);
}

/* Of the newest attempt, which what is added holds: what was never sent has no answer of its own. */
static void test_last_status(void **state)
{
    struct history_counts counts = {0}, unsent = {0}, newer = {0};

    (void)state;
    history_count(&counts, &(struct history_outcome){OUTCOME_RETRY, true, 404, 7000, -1});
    history_count(&counts, &(struct history_outcome){OUTCOME_FAILED, true, 410, 7000, -1});
    history_count(&counts, &(struct history_outcome){OUTCOME_FAILED, false, 0, 0, -1});
    assert_int_equal(counts.last_status, 410);
    history_count(&unsent, &(struct history_outcome){OUTCOME_FAILED, false, 0, 0, -1});
    history_add(&counts, &unsent);
    assert_int_equal(counts.last_status, 410);
    history_count(&newer, &(struct history_outcome){OUTCOME_RETRY, true, 0, 7000, -1});
    history_add(&counts, &newer);
    assert_int_equal(counts.last_status, 0);
}

static void test_trouble(void **state)
{
    struct history_counts counts = {0};

    (void)state;
    history_count(&counts, &(struct history_outcome){OUTCOME_DELIVERED, true, 200,
                                                     HISTORY_SLOW_MS * 1000, 0});
    assert_false(history_has_trouble(&counts));
    history_count(&counts, &(struct history_outcome){OUTCOME_DELIVERED, true, 200,
                                                     HISTORY_SLOW_MS * 1000 + 1, 0});
    assert_true(history_has_trouble(&counts));
}

static void offer(struct history_period *period, int number, uint32_t delivered, uint32_t retried)
{
    char url[32];

    snprintf(url, sizeof(url), "https://%d.example/", number);
    history_offer(period, CUSTOMER, url,
                  &(struct history_counts){.delivered = delivered, .retried = retried});
}

static const struct history_endpoint *find(const struct history_period *period, int number)
{
    char url[32];

    snprintf(url, sizeof(url), "https://%d.example/", number);
    for (size_t i = 0; i < period->endpoints_count; i++)
        if (strcmp(period->endpoints[i].url, url) == 0)
            return &period->endpoints[i];
    return NULL;
}

/* Trouble goes before volume, whatever comes first, and who is left out is counted. */
static void test_places(void **state)
{
    struct history_period period = {.left_out = 0};

    (void)state;
    for (int i = 0; i < HISTORY_ENDPOINTS; i++)
        offer(&period, i, 100 + (uint32_t)i, 0);
    assert_int_equal(period.left_out, 0);
    offer(&period, 1000, 1, 0);
    assert_null(find(&period, 1000));
    offer(&period, 1001, 1000, 0);
    assert_non_null(find(&period, 1001));
    assert_null(find(&period, 0));
    for (int i = 2000; i < 2000 + HISTORY_ENDPOINTS - 1; i++)
        offer(&period, i, 0, 1);
    assert_non_null(find(&period, 1001)); /* of those without trouble the busiest is left */
    assert_int_equal(period.left_out, 2 + HISTORY_ENDPOINTS - 1);
    offer(&period, 1001, 5, 2);
    assert_int_equal(find(&period, 1001)->counts.delivered, 1005);
    offer(&period, 3000, 0, 2);
    assert_non_null(find(&period, 1001));
    history_period_clear(&period);
    assert_int_equal(period.endpoints_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_last_status),
        cmocka_unit_test(test_trouble), cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
