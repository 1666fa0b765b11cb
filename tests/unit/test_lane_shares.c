/* SPDX-License-Identifier: MIT */
/* Shares of the lanes: they add up, and workers that follow their plans reach them. */
#include "dice.h"
#include "unit.h"

#include "core/lane_shares.h"

#define ALL UINT64_MAX

static void test_sizes(void **state)
{
    static const struct {
        int live, rank, size;
    } cases[] = {{1, 0, 64}, {2, 0, 32},  {2, 1, 32},  {3, 0, 22},  {3, 1, 21},
                 {3, 2, 21}, {64, 63, 1}, {65, 63, 1}, {65, 64, 0}, {1, -1, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(lane_shares_size(cases[i].live, cases[i].rank) == cases[i].size, "%d of %d",
                   cases[i].rank, cases[i].live);
    for (int live = 1; live < 100; live++) {
        int sum = 0;

        for (int rank = 0; rank < live; rank++)
            sum += lane_shares_size(live, rank);
        check_case(sum == LANE_COUNT, "%d workers", live);
    }
}

static struct lane_shares_plan plan_of(struct lane_shares_view view, struct lane_shares_local local)
{
    return lane_shares_plan(&view, &local, false);
}

static void test_first_worker_takes_all(void **state)
{
    struct lane_shares_view view = {.live = 1, .rank = 0, .free = ALL};
    struct lane_shares_plan plan = plan_of(view, (struct lane_shares_local){0});

    (void)state;
    assert_true(plan.take == ALL && plan.share == 64);
    assert_true((plan.give | plan.release | plan.resume) == 0);
}

static void test_workers_begin_at_different_lanes(void **state)
{
    struct lane_shares_view first = {.live = 2, .rank = 0, .free = ALL};
    struct lane_shares_view second = {.live = 2, .rank = 1, .free = ALL};
    uint64_t a = plan_of(first, (struct lane_shares_local){0}).take;
    uint64_t b = plan_of(second, (struct lane_shares_local){0}).take;

    (void)state;
    assert_int_equal(lane_shares_count(a), 32);
    assert_true((a & b) == 0 && (a | b) == ALL);
}

static void test_gives_what_is_idle_first(void **state)
{
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL};
    struct lane_shares_local local = {.owned = ALL, .busy = ALL & ~UINT64_C(0xff00)};
    struct lane_shares_plan plan = plan_of(view, local);

    (void)state;
    assert_int_equal(lane_shares_count(plan.give), 32);
    assert_true((plan.give & 0xff00) == 0xff00);
    assert_true(plan.release == 0xff00);
    assert_true(plan.take == 0);
}

/* What is under way is never released, whatever the reason. */
static void test_busy_lanes_are_kept(void **state)
{
    struct lane_shares_view view = {.live = 2, .rank = 1, .mine = ALL};
    struct lane_shares_local local = {.giving = 0xf0, .owned = 0xffffffff00000000, .busy = 0x30};

    (void)state;
    assert_true(plan_of(view, local).release == (UINT64_C(0xffffffff) & ~UINT64_C(0x30)));
    assert_true((lane_shares_plan(&view, &local, true).release & 0x30) == 0);
}

static void test_takes_back_what_it_was_giving(void **state)
{
    struct lane_shares_view view = {.live = 1, .rank = 0, .mine = ALL & ~UINT64_C(1), .free = 1};
    struct lane_shares_local local = {.owned = 0xffffffff00000000, .giving = 0xfffffffe};
    struct lane_shares_plan plan = plan_of(view, local);

    (void)state;
    assert_true(plan.resume == 0xfffffffe && plan.take == 1 && plan.release == 0);
}

/* Lanes that the database knows as its own, though it does not: an answer was lost. */
static void test_stray_lanes(void **state)
{
    struct lane_shares_view view = {.live = 2, .rank = 0, .mine = ALL, .free = 0};
    struct lane_shares_plan plan = plan_of(view, (struct lane_shares_local){.owned = 0xff});

    (void)state;
    assert_int_equal(lane_shares_count(plan.take), 24);
    assert_true((plan.take & plan.release) == 0);
    assert_true((plan.take | plan.release | 0xff) == ALL);
}

static void test_leaving_and_unknown(void **state)
{
    struct lane_shares_view view = {
        .live = 1, .rank = -1, .mine = 0xff, .free = ALL & ~UINT64_C(0xff)};
    struct lane_shares_local local = {.owned = 0xff, .busy = 0xf};
    struct lane_shares_plan plan = lane_shares_plan(&view, &local, true);

    (void)state;
    assert_true(plan.give == 0xff && plan.release == 0xf0 && plan.take == 0);
    plan = lane_shares_plan(&view, &local, false);
    assert_true((plan.give | plan.release | plan.take | plan.resume) == 0);
}

/* Any picture: the sets are disjoint, and with them the worker has at most its share. */
static void test_any_picture(void **state)
{
    struct dice dice = {.state = 4711};

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int live = (int)dice_below(&dice, 80) + 1;
        struct lane_shares_view view = {.live = live, .rank = (int)dice_below(&dice, live)};
        struct lane_shares_local local;
        struct lane_shares_plan plan;

        view.mine = dice_next(&dice);
        view.free = dice_next(&dice) & ~view.mine;
        local.owned = view.mine & dice_next(&dice);
        local.giving = view.mine & ~local.owned & dice_next(&dice);
        local.busy = dice_next(&dice);
        plan = plan_of(view, local);
        check_case((plan.take & (local.owned | local.giving)) == 0, "picture %d", i);
        check_case((plan.take & ~(view.free | view.mine)) == 0, "picture %d", i);
        check_case((plan.release & (local.busy | plan.take | plan.resume)) == 0, "picture %d", i);
        check_case((plan.resume & ~local.giving) == 0, "picture %d", i);
        check_case((plan.give & ~local.owned) == 0, "picture %d", i);
        check_case(lane_shares_count((local.owned & ~plan.give) | plan.resume | plan.take) <=
                       lane_shares_size(live, view.rank),
                   "picture %d", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_first_worker_takes_all),
        cmocka_unit_test(test_workers_begin_at_different_lanes),
        cmocka_unit_test(test_gives_what_is_idle_first),
        cmocka_unit_test(test_busy_lanes_are_kept),
        cmocka_unit_test(test_takes_back_what_it_was_giving),
        cmocka_unit_test(test_stray_lanes),
        cmocka_unit_test(test_leaving_and_unknown),
        cmocka_unit_test(test_any_picture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
