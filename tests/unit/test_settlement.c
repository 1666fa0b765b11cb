/* SPDX-License-Identifier: MIT */
/* Whether an outcome that was written has stayed: every status that it can have been written as. */
#include "core/settlement.h"

#include "base/compiler.h"
#include "unit.h"

#define DELAY_MS 60000

static struct outcome outcome_of(enum outcome_kind kind)
{
    return (struct outcome){
        .kind = kind, .counts_attempt = true, .delay_ms = kind == OUTCOME_RETRY ? DELAY_MS : 0};
}

static void test_every_row(void **state)
{
    /* Of an outcome for a row with 3 attempts, what the row is afterwards, and what that means. */
    static const struct {
        enum outcome_kind outcome;
        struct settlement_row row;
        enum settlement settlement;
    } cases[] = {
        {OUTCOME_DELIVERED, {OUTCOME_DELIVERED, 4, true, false}, SETTLEMENT_STAYS},
        {OUTCOME_DELIVERED, {OUTCOME_RETRY, 3, true, false}, SETTLEMENT_UNDONE},
        {OUTCOME_DELIVERED, {OUTCOME_RETRY, 4, false, false}, SETTLEMENT_UNDONE},
        {OUTCOME_DELIVERED, {OUTCOME_FAILED, 4, true, false}, SETTLEMENT_LEFT},
        {OUTCOME_FAILED, {OUTCOME_FAILED, 4, true, false}, SETTLEMENT_STAYS},
        {OUTCOME_FAILED, {OUTCOME_DELIVERED, 4, true, false}, SETTLEMENT_LEFT},
        {OUTCOME_FAILED, {OUTCOME_RETRY, 4, true, false}, SETTLEMENT_UNDONE},
        {OUTCOME_RETRY, {OUTCOME_RETRY, 4, false, false}, SETTLEMENT_STAYS},
        {OUTCOME_RETRY, {OUTCOME_RETRY, 4, true, false}, SETTLEMENT_EARLY},
        {OUTCOME_RETRY, {OUTCOME_RETRY, 3, false, false}, SETTLEMENT_UNDONE},
        {OUTCOME_RETRY, {OUTCOME_RETRY, 3, true, false}, SETTLEMENT_UNDONE},
        {OUTCOME_RETRY, {OUTCOME_FAILED, 4, true, false}, SETTLEMENT_LEFT},
        {OUTCOME_RETRY, {OUTCOME_DELIVERED, 3, true, false}, SETTLEMENT_LEFT},
        /* It is pending elsewhere: it was not turned back, and is another endpoint's. */
        {OUTCOME_RETRY, {OUTCOME_RETRY, 4, false, true}, SETTLEMENT_LEFT},
        {OUTCOME_FAILED, {OUTCOME_FAILED, 4, true, true}, SETTLEMENT_STAYS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome = outcome_of(cases[i].outcome);

        assert_int_equal(settlement_of_row(&outcome, 3, &cases[i].row), cases[i].settlement);
    }
}

static void test_row_that_did_not_come_back(void **state)
{
    (void)state;
    assert_int_equal(settlement_of_missing(true), SETTLEMENT_UNDONE);
    assert_int_equal(settlement_of_missing(false), SETTLEMENT_LEFT);
}

/* What could not be sent counts no attempt. */
static void test_unsent(void **state)
{
    struct outcome outcome = {.kind = OUTCOME_FAILED};

    (void)state;
    assert_int_equal(
        settlement_of_row(&outcome, 3, &(struct settlement_row){OUTCOME_FAILED, 3, true, false}),
        SETTLEMENT_STAYS);
    assert_int_equal(
        settlement_of_row(&outcome, 3, &(struct settlement_row){OUTCOME_RETRY, 3, true, false}),
        SETTLEMENT_UNDONE);
    /* Its endpoint was not removed after all. */
    assert_int_equal(
        settlement_of_row(&outcome, 3, &(struct settlement_row){OUTCOME_RETRY, 3, true, true}),
        SETTLEMENT_LEFT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_row_that_did_not_come_back),
        cmocka_unit_test(test_unsent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
