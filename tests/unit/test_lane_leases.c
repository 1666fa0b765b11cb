/* SPDX-License-Identifier: MIT */
/* What a worker asks for its lanes, and until when it believes that it owns them. */
#include "unit.h"

#include "core/lane_leases.h"

#define ALL      UINT64_MAX
#define LEASE_US 15000000
#define SECOND   INT64_C(1000000)

#define PATIENCE_US (20 * SECOND)

static struct lane_leases_request next(struct lane_leases *leases, int64_t now_us, uint64_t busy)
{
    return lane_leases_is_due(leases, now_us)
               ? lane_leases_next(leases, now_us, LEASE_US, busy, PATIENCE_US)
               : (struct lane_leases_request){.ask = LANE_LEASES_NOTHING};
}

static void answer(struct lane_leases *leases, int64_t now_us, uint64_t renewed,
                   struct lane_shares_view view)
{
    lane_leases_note_answer(leases, renewed, &view, now_us);
}

/* The only worker, at 0, with all lanes; the next renewal is due after a third of the lease. */
static struct lane_leases owner_of_all(void)
{
    struct lane_leases leases;

    lane_leases_init(&leases);
    assert_int_equal(next(&leases, 0, 0).ask, LANE_LEASES_RENEW);
    answer(&leases, 0, 0, (struct lane_shares_view){.live = 1, .rank = 0, .free = ALL});
    assert_true(next(&leases, 0, 0).take == ALL);
    answer(&leases, 0, ALL, (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL});
    assert_true(leases.owned == ALL);
    assert_int_equal(next(&leases, 0, 0).ask, LANE_LEASES_NOTHING);
    return leases;
}

static void test_takes_after_looking_and_renews(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_leases_request request;

    (void)state;
    assert_int_equal(next(&leases, SECOND - 1, 0).ask, LANE_LEASES_NOTHING);
    assert_int_equal(lane_leases_next_us(&leases), SECOND);
    assert_int_equal(next(&leases, SECOND, 0).ask, LANE_LEASES_LOOK);
    answer(&leases, SECOND, 0, (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL});
    request = next(&leases, LEASE_US / 3, 0);
    assert_int_equal(request.ask, LANE_LEASES_RENEW);
    assert_true(request.keep == ALL && request.take == 0 && request.release == 0);
}

/* One lease after the request was sent, not after it was answered. */
static void test_ends_a_lease_after_the_request(void **state)
{
    struct lane_leases leases = owner_of_all();
    int64_t sent_us = LEASE_US / 3;

    (void)state;
    next(&leases, sent_us, 0);
    answer(&leases, sent_us + 4 * SECOND, ALL,
           (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL});
    assert_true(lane_leases_may_start(&leases, 7, sent_us + LEASE_US - 1));
    assert_false(lane_leases_may_start(&leases, 7, sent_us + LEASE_US));
    assert_true(lane_leases_expire(&leases, sent_us + LEASE_US - 1) == 0);
    assert_int_equal(lane_leases_end_us(&leases), sent_us + LEASE_US);
    assert_true(lane_leases_expire(&leases, sent_us + LEASE_US) == ALL);
    assert_true(leases.owned == 0);
}

static void test_answer_that_comes_too_late_gives_nothing(void **state)
{
    struct lane_leases leases;

    (void)state;
    lane_leases_init(&leases);
    next(&leases, 0, 0);
    answer(&leases, 0, 0, (struct lane_shares_view){.live = 1, .rank = 0, .free = ALL});
    assert_true(next(&leases, 0, 0).take == ALL);
    answer(&leases, LEASE_US, ALL, (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL});
    assert_true(leases.owned == 0);
}

/* A lane whose row was locked by somebody keeps the end that it had. */
static void test_lane_that_was_not_renewed(void **state)
{
    struct lane_leases leases = owner_of_all();

    (void)state;
    next(&leases, 5 * SECOND, 0);
    answer(&leases, 5 * SECOND, ALL & ~UINT64_C(1),
           (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL});
    assert_false(lane_leases_may_start(&leases, 0, LEASE_US));
    assert_true(lane_leases_may_start(&leases, 1, LEASE_US));
    assert_true(lane_leases_expire(&leases, LEASE_US) == 1);
}

static void test_lane_that_another_has(void **state)
{
    struct lane_leases leases = owner_of_all();

    (void)state;
    next(&leases, SECOND, 0);
    answer(&leases, SECOND, 0,
           (struct lane_shares_view){.live = 1, .rank = 0, .mine = ALL & ~UINT64_C(1)});
    assert_true(leases.owned == (ALL & ~UINT64_C(1)));
}

/* Given first, renewed while something is under way, released when nothing is. */
static void test_hands_lanes_over(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL};
    struct lane_leases_request request;

    (void)state;
    next(&leases, SECOND, 0);
    answer(&leases, SECOND, 0, view);
    request = next(&leases, SECOND, ALL);
    assert_int_equal(request.ask, LANE_LEASES_NOTHING);
    assert_int_equal(lane_shares_count(leases.owned), 32);
    assert_int_equal(lane_shares_count(leases.giving), 32);

    request = next(&leases, LEASE_US / 3, ALL);
    assert_true(request.ask == LANE_LEASES_RENEW && request.keep == ALL && request.release == 0);
    answer(&leases, LEASE_US / 3, ALL, view);
    request = next(&leases, LEASE_US / 3 + SECOND / 2, ALL & ~leases.giving);
    assert_int_equal(request.ask, LANE_LEASES_RENEW);
    assert_int_equal(lane_shares_count(request.release), 32);
    assert_true((request.keep & request.release) == 0 && leases.giving == 0);
    view.mine = leases.owned;
    answer(&leases, LEASE_US / 3 + SECOND / 2, leases.owned, view);
    assert_int_equal(next(&leases, LEASE_US / 3 + SECOND / 2, 0).ask, LANE_LEASES_NOTHING);
}

/* Renewed as before, and asked every 20 ms whether it may go. */
static struct lane_leases_request wait_on(struct lane_leases *leases, int64_t until_us,
                                          uint64_t busy, struct lane_shares_view view)
{
    struct lane_leases_request request = {.ask = LANE_LEASES_NOTHING};

    for (int64_t now_us = SECOND; now_us <= until_us && request.release == 0; now_us += 20000) {
        request = next(leases, now_us, busy);
        if (request.ask != LANE_LEASES_NOTHING)
            answer(leases, now_us, request.keep, view);
    }
    return request;
}

/* What hangs, or can't be written, keeps its lane waiting for so long and no longer. */
static void test_busy_lanes_go_after_a_while(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL};
    struct lane_leases_request request;
    uint64_t given;

    (void)state;
    assert_int_equal(wait_on(&leases, SECOND + PATIENCE_US - 40000, ALL, view).release, 0);
    given = leases.giving;
    assert_int_equal(lane_shares_count(given), 32);
    assert_true(lane_leases_waiting(&leases, SECOND + PATIENCE_US) == given);
    request = next(&leases, SECOND + PATIENCE_US + 40000, ALL);
    assert_true(request.ask == LANE_LEASES_RENEW && request.release == given);
    assert_true(leases.giving == 0 && request.keep == leases.owned);
    view.mine = leases.owned;
    answer(&leases, SECOND + PATIENCE_US + 40000, leases.owned, view);
    assert_int_equal(next(&leases, SECOND + PATIENCE_US + 80000, ALL).ask, LANE_LEASES_NOTHING);
    assert_int_equal(lane_leases_waiting(&leases, SECOND + PATIENCE_US + 80000), 0);
}

/* Also lanes that are ours in the database alone: the answer to their release was lost. */
static void test_busy_lanes_of_a_lost_release_go_again(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL};
    uint64_t given;
    int64_t now_us = SECOND;

    (void)state;
    wait_on(&leases, now_us + PATIENCE_US - 40000, ALL, view);
    given = leases.giving;
    now_us += PATIENCE_US + 40000;
    assert_true(next(&leases, now_us, ALL).release == given);
    lane_leases_note_failure(&leases, now_us);
    for (int64_t end_us = now_us + PATIENCE_US + 2 * SECOND; now_us < end_us; now_us += 20000) {
        struct lane_leases_request request = next(&leases, now_us, ALL);

        if (request.release == given)
            return;
        assert_int_equal(request.release, 0);
        if (request.ask != LANE_LEASES_NOTHING)
            answer(&leases, now_us, request.keep, view);
    }
    fail_msg("lanes that are busy stay");
}

/* One that is wanted again meanwhile begins to wait anew when it is given again. */
static void test_patience_begins_with_each_giving(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view two = {.live = 2, .rank = 0, .mine = ALL};
    struct lane_shares_view one = {.live = 1, .rank = 0, .mine = ALL};
    int64_t now_us = SECOND;

    (void)state;
    for (int i = 0; i < 40; i++, now_us += SECOND) {
        struct lane_leases_request request;

        for (int n = 0; n < 3; n++) {
            request = next(&leases, now_us + n * 20000, ALL);
            assert_int_equal(request.release, 0);
            if (request.ask != LANE_LEASES_NOTHING)
                answer(&leases, now_us + n * 20000, request.keep, i % 10 == 9 ? one : two);
        }
    }
}

/* So that "status" says it while it lasts, and not at the next renewal. */
static void test_tells_at_once_that_lanes_wait(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL};
    int renewals = 0;

    (void)state;
    for (int64_t now_us = SECOND; now_us < 4 * SECOND; now_us += 20000) {
        struct lane_leases_request request = next(&leases, now_us, ALL);

        renewals += request.ask == LANE_LEASES_RENEW;
        if (request.ask != LANE_LEASES_NOTHING)
            answer(&leases, now_us, request.keep, view);
        if (now_us < SECOND + LANE_LEASES_TELL_US)
            assert_int_equal(renewals, 0);
    }
    assert_int_equal(renewals, 1);
}

/* While lanes are missing it looks often, then less often, and never when nothing is missing. */
static void test_looks_often_while_lanes_are_missing(void **state)
{
    struct lane_shares_view view = {.live = 2, .rank = 1};
    struct lane_leases leases;
    int looks = 0;

    (void)state;
    lane_leases_init(&leases);
    for (int64_t now_us = 0; now_us < 60 * SECOND; now_us += 10000) {
        if (next(&leases, now_us, 0).ask == LANE_LEASES_NOTHING)
            continue;
        answer(&leases, now_us, 0, view);
        looks += now_us >= 10 * SECOND && now_us < 20 * SECOND;
        if (now_us == 0)
            assert_int_equal(lane_leases_next_us(&leases), 0);
        next(&leases, now_us, 0);
        if (now_us == 0)
            assert_int_equal(lane_leases_next_us(&leases), 100000);
    }
    assert_in_range(looks, 20, 26);
}

static void test_leaves(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_leases_request request;

    (void)state;
    lane_leases_leave(&leases, true, false, 100);
    request = next(&leases, 100, 0xff);
    assert_int_equal(request.ask, LANE_LEASES_RENEW);
    assert_true(request.release == (ALL & ~UINT64_C(0xff)) && request.keep == 0xff);
    assert_true(leases.owned == 0 && leases.giving == 0xff);
}

/* With others, who need a moment to see it: until then it goes on as before. */
static void test_leaves_to_others(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_shares_view view = {.live = 3, .rank = 0, .mine = 0xfffff, .free = 0};
    struct lane_leases_request request;

    (void)state;
    next(&leases, SECOND, 0);
    answer(&leases, SECOND, 0, view);
    lane_leases_leave(&leases, true, false, 2 * SECOND);
    view.rank = -1;
    view.live = 2;
    request = next(&leases, 2 * SECOND, 0);
    assert_int_equal(request.ask, LANE_LEASES_RENEW);
    assert_true(request.keep == 0xfffff && request.release == 0);
    answer(&leases, 2 * SECOND, 0xfffff, view);
    lane_leases_leave(&leases, true, false, 2 * SECOND + LANE_LEASES_NOTICE_US - 1);
    assert_true(leases.owned == 0xfffff);
    next(&leases, 2 * SECOND, 0);
    assert_int_equal(lane_leases_next_us(&leases), 3 * SECOND);
    lane_leases_leave(&leases, true, false, 2 * SECOND + LANE_LEASES_NOTICE_US);
    assert_true(leases.owned == 0 && leases.giving == 0xfffff);
    assert_true(next(&leases, 2 * SECOND + LANE_LEASES_NOTICE_US, 0xf).release == 0xffff0);
}

static void test_leaves_in_a_hurry(void **state)
{
    struct lane_leases leases = owner_of_all();

    (void)state;
    next(&leases, SECOND, 0);
    answer(&leases, SECOND, 0, (struct lane_shares_view){.live = 2, .rank = 0, .mine = ALL});
    lane_leases_leave(&leases, true, false, SECOND);
    assert_true(leases.owned != 0);
    lane_leases_leave(&leases, true, true, SECOND + 1);
    assert_true(leases.owned == 0);
}

/* It may have happened or not: asked again after a pause, with a later turn. */
static void test_failure(void **state)
{
    struct lane_leases leases = owner_of_all();
    struct lane_leases_request first, second;

    (void)state;
    first = next(&leases, LEASE_US / 3, 0);
    lane_leases_note_failure(&leases, LEASE_US / 3 + 10);
    assert_int_equal(next(&leases, LEASE_US / 3 + 10, 0).ask, LANE_LEASES_NOTHING);
    second = next(&leases, LEASE_US / 3 + SECOND / 2, 0);
    assert_int_equal(second.ask, LANE_LEASES_RENEW);
    assert_true(second.turn > first.turn && second.keep == ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_after_looking_and_renews),
        cmocka_unit_test(test_ends_a_lease_after_the_request),
        cmocka_unit_test(test_answer_that_comes_too_late_gives_nothing),
        cmocka_unit_test(test_lane_that_was_not_renewed),
        cmocka_unit_test(test_lane_that_another_has),
        cmocka_unit_test(test_hands_lanes_over),
        cmocka_unit_test(test_busy_lanes_go_after_a_while),
        cmocka_unit_test(test_busy_lanes_of_a_lost_release_go_again),
        cmocka_unit_test(test_patience_begins_with_each_giving),
        cmocka_unit_test(test_tells_at_once_that_lanes_wait),
        cmocka_unit_test(test_looks_often_while_lanes_are_missing),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_leaves_to_others),
        cmocka_unit_test(test_leaves_in_a_hurry),
        cmocka_unit_test(test_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
