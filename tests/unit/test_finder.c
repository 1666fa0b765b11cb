/* SPDX-License-Identifier: MIT */
/* The finder against a small model of the queue: rows with a time, a lane, and a commit later on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/finder.h"
#include "dice.h"

#define ROWS     1000
#define PAUSE_US 250000
#define READ_US  1000

struct row {
    int64_t time_us;
    int64_t committed_us;
    int64_t found_us; /* -1 = not yet */
    int lane;
    struct position position;
};

struct model {
    struct finder finder;
    struct row rows[ROWS];
    int64_t now_us;
    struct dice dice;
    int reads;
};

/* counts are of the plan's lanes, in their order. */
static struct finder_scan *sweep_of(struct finder *finder)
{
    return &finder->scans[FINDER_SWEEP - FINDER_FIRST_SCAN];
}

static struct finder_scan *recheck_of(struct finder *finder)
{
    return &finder->scans[FINDER_RECHECK - FINDER_FIRST_SCAN];
}

static void note_end(struct finder *finder, const struct finder_plan *plan, const int *counts,
                     int64_t bytes, int64_t started_us, int64_t now_us)
{
    struct finder_yield yield = {.started_us = started_us};
    int rows = 0;

    for (int i = 0; i < plan->lanes_count; i++) {
        yield.rows[plan->lanes[i]] = counts[i];
        rows += counts[i];
    }
    yield.known = rows;
    finder_note_payloads(finder, rows, bytes);
    finder_note_end(finder, plan, &yield, now_us);
}

static int compare_rows(const void *a, const void *b)
{
    return position_compare(&(*(const struct row *const *)a)->position,
                            &(*(const struct row *const *)b)->position);
}

static bool is_read(const struct model *model, const struct finder_plan *plan,
                    const struct row *row)
{
    if (row->committed_us > model->now_us || row->time_us > model->now_us)
        return false;
    if (position_compare(&row->position, finder_from(&model->finder, plan, row->lane)) <= 0)
        return false;
    return plan->read == FINDER_FORWARD ||
           position_compare(&row->position, finder_to(&model->finder, plan, row->lane)) <= 0;
}

/* What the database does: rows of one lane in order, limited for each lane and for all. */
static int read_lane(struct model *model, const struct finder_plan *plan, int lane, int room)
{
    static struct row *found[ROWS];
    int limit = plan->lane_rows < room ? plan->lane_rows : room;
    int count = 0;

    for (int i = 0; i < ROWS; i++)
        if (model->rows[i].lane == lane && model->rows[i].found_us < 0 &&
            is_read(model, plan, &model->rows[i]))
            found[count++] = &model->rows[i];
    qsort(found, (size_t)count, sizeof(found[0]), compare_rows);
    if (count > limit)
        count = limit;
    for (int i = 0; i < count; i++) {
        finder_note_row(&model->finder, plan, lane, found[i]->position.time, found[i]->position.id);
        found[i]->found_us = model->now_us;
    }
    return count;
}

static void model_read(struct model *model, const struct finder_plan *plan)
{
    int64_t started_us = model->now_us;
    int counts[LANE_COUNT];
    int total = 0;

    for (int i = 0; i < plan->lanes_count; i++) {
        counts[i] = read_lane(model, plan, plan->lanes[i], plan->rows - total);
        total += counts[i];
    }
    model->now_us += READ_US;
    model->reads++;
    note_end(&model->finder, plan, counts, total * 100, started_us, model->now_us);
}

static void model_run(struct model *model, int64_t until_us, int room)
{
    while (model->now_us < until_us) {
        struct finder_plan plan = finder_plan(&model->finder, model->now_us, room, 1 << 20);
        int64_t next_us = finder_next_us(&model->finder);

        if (plan.read != FINDER_NOTHING)
            model_read(model, &plan);
        else
            model->now_us = next_us > model->now_us ? next_us : model->now_us + 1;
    }
}

/* Rows over 10 s; a share of them is committed up to a second after its time. */
static struct model *model_new(uint64_t seed, int lanes, int late_percent)
{
    struct model *model = calloc(1, sizeof(*model));

    model->dice.state = seed;
    finder_init(&model->finder, PAUSE_US);
    for (int i = 0; i < lanes; i++)
        finder_own(&model->finder, i);
    for (int i = 0; i < ROWS; i++) {
        struct row *row = &model->rows[i];

        row->time_us = (int64_t)(dice_next(&model->dice) % 10000000);
        row->committed_us = row->time_us;
        if ((int)(dice_next(&model->dice) % 100) < late_percent)
            row->committed_us += (int64_t)(dice_next(&model->dice) % 1000000);
        row->lane = (int)(dice_next(&model->dice) % (uint64_t)lanes);
        row->found_us = -1;
        snprintf(row->position.time, sizeof(row->position.time), "%020lld",
                 (long long)row->time_us);
        snprintf(row->position.id, sizeof(row->position.id), "%08llx-%04d",
                 (unsigned long long)dice_next(&model->dice), i);
    }
    return model;
}

static int count_lost(const struct model *model, int64_t *ret_longest_us)
{
    int lost = 0;

    *ret_longest_us = 0;
    for (int i = 0; i < ROWS; i++) {
        int64_t delay_us = model->rows[i].found_us - model->rows[i].committed_us;

        if (model->rows[i].found_us < 0)
            lost++;
        else if (delay_us > *ret_longest_us)
            *ret_longest_us = delay_us;
    }
    return lost;
}

static void test_every_committed_row_is_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        int lanes = seed % 3 == 0 ? 64 : (int)seed % 5 + 1;
        struct model *model = model_new(seed, lanes, (int)(seed * 7 % 60));
        int64_t longest_us;

        model_run(model, 12000000, 50 + (int)seed * 20);
        assert_int_equal(count_lost(model, &longest_us), 0);
        /* A page of a sweep is followed by a pause of 50 times its cost; a sweep has few here. */
        assert_in_range(longest_us, 0, 2 * PAUSE_US + 10 * 50 * READ_US);
        free(model);
    }
}

/* The proof that the test above can fail: without sweeps late commits are lost. */
static void test_cursor_alone_loses_late_commits(void **state)
{
    struct model *model = model_new(7, 4, 40);
    int64_t longest_us;

    (void)state;
    sweep_of(&model->finder)->next_us = INT64_MAX;
    model_run(model, 12000000, 500);
    assert_in_range(count_lost(model, &longest_us), 50, ROWS);
    free(model);
}

static void test_idle_finder_slows_down(void **state)
{
    struct model *model = model_new(3, 64, 0);

    (void)state;
    for (int i = 0; i < ROWS; i++)
        model->rows[i].found_us = 0;
    model_run(model, 10000000, 500);
    /* One poll for each pause, and the few quick ones of the start. */
    assert_in_range(model->reads, 10000000 / PAUSE_US, 10000000 / PAUSE_US + 10);
    free(model);
}

static void test_no_room_means_no_read(void **state)
{
    struct finder finder;

    (void)state;
    finder_init(&finder, PAUSE_US);
    finder_own(&finder, 3);
    assert_int_equal(finder_plan(&finder, 1, 0, 1000).read, FINDER_NOTHING);
    assert_int_equal(finder_plan(&finder, 1, 10, 0).read, FINDER_NOTHING);
    assert_int_equal(finder_plan(&finder, 1, 10, 1000).read, FINDER_FORWARD);
}

static void test_no_lanes_means_no_read(void **state)
{
    struct finder finder;

    (void)state;
    finder_init(&finder, PAUSE_US);
    assert_int_equal(finder_plan(&finder, 1, 10, 1000).read, FINDER_NOTHING);
    finder_own(&finder, 3);
    assert_true(finder_owns(&finder, 3));
    assert_false(finder_owns(&finder, -1));
    assert_false(finder_owns(&finder, LANE_COUNT));
    finder_disown(&finder, 3);
    assert_int_equal(finder_plan(&finder, 1, 10, 1000).read, FINDER_NOTHING);
}

static void test_rows_are_limited_by_bytes(void **state)
{
    struct finder finder;
    struct finder_plan plan;
    int counts[LANE_COUNT] = {10};

    (void)state;
    finder_init(&finder, PAUSE_US);
    finder_own(&finder, 0);
    for (int i = 0; i < 20; i++) {
        plan = finder_plan(&finder, 1, 1000, 10000000);
        assert_int_equal(plan.read, FINDER_FORWARD);
        note_end(&finder, &plan, counts, 10 * 100000, 0, 1);
    }
    plan = finder_plan(&finder, 1, 1000, 1000000);
    assert_in_range(plan.rows, 8, 13);
    plan = finder_plan(&finder, 1, 1000, 1);
    assert_int_equal(plan.rows, 1);
}

static void test_failure_pauses_and_keeps_cursors(void **state)
{
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    finder_init(&finder, PAUSE_US);
    finder_own(&finder, 0);
    plan = finder_plan(&finder, 1000, 10, 1000);
    assert_int_equal(plan.read, FINDER_FORWARD);
    finder_note_failure(&finder, 1000);
    assert_int_equal(finder_plan(&finder, 1001, 10, 1000).read, FINDER_NOTHING);
    assert_true(finder_next_us(&finder) > 1001);
    plan = finder_plan(&finder, finder_next_us(&finder), 10, 1000);
    assert_int_equal(plan.read, FINDER_FORWARD);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "-infinity");
}

static void test_restart_reads_from_the_head(void **state)
{
    struct finder finder;
    struct finder_plan plan;
    int counts[LANE_COUNT] = {1};

    (void)state;
    finder_init(&finder, PAUSE_US);
    finder_own(&finder, 0);
    plan = finder_plan(&finder, 1, 10, 1000);
    finder_note_row(&finder, &plan, 0, "2026-01-01 00:00:00+00", "a");
    note_end(&finder, &plan, counts, 10, 0, 1);
    assert_string_equal((&finder.lanes[0].cursor)->id, "a");
    finder_restart(&finder);
    assert_string_equal((&finder.lanes[0].cursor)->time, "-infinity");
}

/* A lane that is always full gets its turn, and no more than that. */
static void test_full_lane_does_not_starve_others(void **state)
{
    struct finder finder;
    int seen[LANE_COUNT] = {0};

    (void)state;
    finder_init(&finder, PAUSE_US);
    for (int i = 0; i < 4; i++)
        finder_own(&finder, i);
    for (int i = 0; i < 8; i++) {
        int counts[LANE_COUNT] = {0};
        struct finder_plan plan = finder_plan(&finder, 1, 100, 1000000);

        if (plan.read == FINDER_SWEEP) {
            note_end(&finder, &plan, counts, 0, 1, 1);
            continue;
        }
        seen[plan.lanes[0]]++;
        counts[0] = plan.rows;
        finder_note_row(&finder, &plan, plan.lanes[0], "2026-01-01 00:00:00+00", "a");
        note_end(&finder, &plan, counts, 100, 1, 1);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(seen[i], 1, 2);
}

/* Reads a sweep page of count rows of lane 0, the last one named id, and says when it ended. */
static void read_sweep_page(struct finder *finder, int64_t now_us, int64_t cost_us, int count,
                            const char *id)
{
    struct finder_plan plan = finder_plan(finder, now_us, 1000, 1 << 20);
    int counts[LANE_COUNT] = {count};

    assert_int_equal(plan.read, FINDER_SWEEP);
    finder_note_row(finder, &plan, 0, "2026-01-01 00:00:00+00", id);
    note_end(finder, &plan, counts, 0, now_us, now_us + cost_us);
}

/* Lane 0 with a cursor behind its head, so that there is something to sweep. */
static void init_with_cursor(struct finder *finder)
{
    struct finder_plan plan;
    int counts[LANE_COUNT] = {1};

    finder_init(finder, PAUSE_US);
    finder_own(finder, 0);
    plan = finder_plan(finder, 1, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_FORWARD);
    finder_note_row(finder, &plan, 0, "2026-01-02 00:00:00+00", "z");
    note_end(finder, &plan, counts, 10, 1, 1);
}

static void test_long_sweep_goes_on_where_its_page_ended(void **state)
{
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = 0;
    read_sweep_page(&finder, 10, 1, FINDER_ROWS_MAX, "m");
    plan = finder_plan(&finder, sweep_of(&finder)->next_us, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_SWEEP);
    assert_string_equal(finder_from(&finder, &plan, 0)->id, "m");
}

static void test_sweep_that_ended_begins_at_the_head(void **state)
{
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = 0;
    read_sweep_page(&finder, 10, 1, FINDER_ROWS_MAX - 1, "m");
    plan = finder_plan(&finder, sweep_of(&finder)->next_us, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_SWEEP);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "-infinity");
}

static void test_sweeps_take_their_share_of_the_time(void **state)
{
    const int64_t cost_us = 100000;
    const int counts[] = {1, FINDER_ROWS_MAX};
    struct finder finder;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        init_with_cursor(&finder);
        sweep_of(&finder)->next_us = 0;
        read_sweep_page(&finder, 10, cost_us, counts[i], "m");
        assert_int_equal(sweep_of(&finder)->next_us,
                         10 + cost_us + (int64_t)((double)cost_us / FINDER_SWEEP_SHARE));
        /* Forward reads go on meanwhile. */
        assert_int_equal(finder_plan(&finder, 10 + cost_us, 1000, 1 << 20).read, FINDER_FORWARD);
    }
}

/* What a page finds is work, which the page is not paid for. */
static void test_rows_that_a_scan_finds_cost_nothing(void **state)
{
    static const struct {
        int rows, known;
        int64_t paid_us;
    } cases[] = {{100, 100, 1000}, {100, 25, 250}, {100, 0, 0}, {0, 0, 1000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct finder_yield yield = {
            .rows = {cases[i].rows}, .known = cases[i].known, .started_us = 10};
        struct finder finder;
        struct finder_plan plan;

        init_with_cursor(&finder);
        sweep_of(&finder)->next_us = 0;
        sweep_of(&finder)->shortest_pause_us = 0;
        plan = finder_plan(&finder, 10, 1000, 1 << 20);
        assert_int_equal(plan.read, FINDER_SWEEP);
        finder_note_end(&finder, &plan, &yield, 1010);
        assert_int_equal(sweep_of(&finder)->next_us, 1010 + cases[i].paid_us * 50);
    }
}

static void test_reads_pause_only_when_they_bring_nothing(void **state)
{
    const int none[LANE_COUNT] = {0};
    const int some[LANE_COUNT] = {1};
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    plan = finder_plan(&finder, 1, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_FORWARD);
    note_end(&finder, &plan, none, 0, 1, 2);
    assert_int_equal(finder_plan(&finder, 2, 1000, 1 << 20).read, FINDER_NOTHING);
    finder_wake(&finder);
    plan = finder_plan(&finder, 2, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_FORWARD);
    note_end(&finder, &plan, some, 10, 2, 3);
    assert_int_equal(finder_plan(&finder, 3, 1000, 1 << 20).read, FINDER_FORWARD);
    assert_true(finder_next_us(&finder) <= 3);
}

static int lane_rows_next(struct finder *finder)
{
    return finder_plan(finder, 1, 1000, INT64_MAX / 2).lane_rows;
}

/* Of what gave as much as it was asked for there may be more, and of what a cut left out. */
static void test_lanes_with_more_share_a_read(void **state)
{
    struct finder finder;
    struct finder_plan plan;
    int none[LANE_COUNT] = {0}, two[LANE_COUNT] = {0}, first[LANE_COUNT] = {0};

    (void)state;
    finder_init(&finder, PAUSE_US);
    for (int i = 0; i < 10; i++)
        finder_own(&finder, i);
    sweep_of(&finder)->next_us = INT64_MAX;
    plan = finder_plan(&finder, 1, 1000, INT64_MAX / 2);
    assert_int_equal(plan.lane_rows, 100);
    two[2] = 100;
    two[5] = 100;
    two[7] = 99;
    note_end(&finder, &plan, two, 299, 1, 1);
    plan = finder_plan(&finder, 1, 1000, INT64_MAX / 2);
    assert_int_equal(plan.rows, 1000);
    assert_int_equal(plan.lane_rows, 500);
    first[0] = 500;
    first[1] = 500;
    note_end(&finder, &plan, first, 1000, 1, 1);
    assert_int_equal(lane_rows_next(&finder), 100);
    note_end(&finder, &plan, none, 0, 1, 1);
    finder_wake(&finder);
    assert_int_equal(lane_rows_next(&finder), 100);
}

static void read_forward(struct finder *finder, int64_t now_us, int count)
{
    struct finder_plan plan = finder_plan(finder, now_us, 1000, 1 << 20);
    int counts[LANE_COUNT] = {count};

    assert_int_equal(plan.read, FINDER_FORWARD);
    note_end(finder, &plan, counts, count, now_us, now_us);
}

/* Where rows come again, the next ones are not waited for as long as in the quiet before. */
static void test_rows_end_the_long_pauses(void **state)
{
    int64_t first_pause_us, at_us = 1;
    struct finder finder;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    read_forward(&finder, at_us, 0);
    first_pause_us = finder_next_us(&finder) - at_us;
    for (int i = 0; i < 10; i++) {
        at_us = finder_next_us(&finder);
        read_forward(&finder, at_us, 0);
    }
    assert_int_equal(finder_next_us(&finder) - at_us, PAUSE_US);
    at_us = finder_next_us(&finder);
    read_forward(&finder, at_us, 1);
    read_forward(&finder, at_us, 0);
    assert_int_equal(finder_next_us(&finder) - at_us, first_pause_us);
}

static void tell(struct finder *finder, const char *snapshot, uint32_t next, const char *bound,
                 int64_t now_us)
{
    struct late_snapshot read = {.text = snapshot, .next = next, .bounds = {bound, bound}};

    finder_note_snapshot(finder, &read, now_us);
}

/* A transaction has ended: what it may have left is read by keys, from its bound to the cursor. */
static void test_what_has_ended_is_read_again(void **state)
{
    const int none[LANE_COUNT] = {0};
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    tell(&finder, "5:5:", 5, "2026-01-01 00:00:00+00", 1);
    tell(&finder, "5:5:", 6, "2026-01-01 00:00:01+00", 1);
    assert_int_equal(finder_plan(&finder, 1, 1000, 1 << 20).read, FINDER_FORWARD);
    tell(&finder, "6:6:", 6, "2026-01-01 00:00:02+00", 1);
    assert_int_equal(finder_next_us(&finder), 0);
    plan = finder_plan(&finder, 1, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_REREAD);
    assert_int_equal(plan.lanes_count, 1);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "2026-01-01 00:00:00+00");
    assert_string_equal(finder_to(&finder, &plan, 0)->id, "z");
    note_end(&finder, &plan, none, 0, 1, 2);
    recheck_of(&finder)->next_us = INT64_MAX;
    /* The next one waits a little, so that it has the ends of many to look for. */
    tell(&finder, "7:7:", 7, "2026-01-01 00:00:03+00", 2);
    assert_int_equal(finder_plan(&finder, 2, 1000, 1 << 20).read, FINDER_FORWARD);
    plan = finder_plan(&finder, 2 + FINDER_REREAD_PAUSE_US, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_REREAD);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "2026-01-01 00:00:02+00");
}

/* After the reread comes one from further back, for what took longer to be written. */
static void test_recheck_goes_further_back(void **state)
{
    const int none[LANE_COUNT] = {0};
    const struct late_snapshot first = {
        .text = "5:5:", .next = 5, .bounds = {"2026-01-01 00:00:09", "2026-01-01 00:00:01"}};
    const struct late_snapshot then = {
        .text = "6:6:", .next = 6, .bounds = {"2026-01-01 00:00:10", "2026-01-01 00:00:02"}};
    struct finder finder;
    struct finder_plan plan;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    finder_note_snapshot(&finder, &first, 1);
    finder_note_snapshot(&finder, &then, 1);
    finder.next_poll_us = 1000;
    plan = finder_plan(&finder, 1, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_REREAD);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "2026-01-01 00:00:09");
    note_end(&finder, &plan, none, 0, 1, 2);
    assert_int_equal(finder_next_us(&finder), 0);
    plan = finder_plan(&finder, 2, 1000, 1 << 20);
    assert_int_equal(plan.read, FINDER_RECHECK);
    assert_string_equal(finder_from(&finder, &plan, 0)->time, "2026-01-01 00:00:01");
    note_end(&finder, &plan, none, 0, 2, 2);
    assert_int_equal(finder_next_us(&finder), 1000);
}

/* A bound beyond the cursor leaves nothing to read: forward reads come there. */
static void test_nothing_to_read_again_before_the_bound(void **state)
{
    struct finder finder;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    tell(&finder, "5:5:", 5, "2026-01-03 00:00:00+00", 1);
    tell(&finder, "7:7:", 7, "2026-01-03 00:00:01+00", 1);
    assert_int_equal(finder_plan(&finder, 1, 1000, 1 << 20).read, FINDER_FORWARD);
}

/* While something runs that was seen lately, its end is not waited for as long as for rows. */
static void test_unfinished_transactions_shorten_the_pause(void **state)
{
    int64_t at_us = 1;
    struct finder finder;

    (void)state;
    init_with_cursor(&finder);
    sweep_of(&finder)->next_us = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        at_us = finder_next_us(&finder);
        tell(&finder, "5:5:", i < 1 ? 5 : 6, "2026-01-03 00:00:00+00", at_us);
        read_forward(&finder, at_us, 0);
    }
    assert_int_equal(finder_next_us(&finder) - at_us, FINDER_REREAD_PAUSE_US);
    for (int i = 0; i < 120; i++) {
        at_us = finder_next_us(&finder);
        tell(&finder, "5:5:", 6, "2026-01-03 00:00:00+00", at_us);
        read_forward(&finder, at_us, 0);
    }
    assert_int_equal(finder_next_us(&finder) - at_us, PAUSE_US);
}

/* A pause that has begun ends as if it had been of the new length, and never before its begin. */
static void test_a_shorter_pause_counts_at_once(void **state)
{
    struct finder_scan *sweep;
    struct finder finder;

    (void)state;
    finder_init(&finder, 60000000);
    sweep = &finder.scans[FINDER_SWEEP - FINDER_FIRST_SCAN];
    sweep->next_us = 70000000; /* it ended at 10 s */
    finder_set_longest_pause(&finder, 250000);
    assert_int_equal(sweep->next_us, 10250000);
    assert_int_equal(sweep->shortest_pause_us, 250000);
    assert_int_equal(finder.longest_pause_us, 250000);
    finder_set_longest_pause(&finder, 60000000);
    assert_int_equal(sweep->next_us, 10250000); /* one that comes early harms nobody */
    assert_int_equal(sweep->shortest_pause_us, 60000000);
    sweep->next_us = 0;
    finder_set_longest_pause(&finder, 1);
    assert_int_equal(sweep->next_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_committed_row_is_found),
        cmocka_unit_test(test_cursor_alone_loses_late_commits),
        cmocka_unit_test(test_idle_finder_slows_down),
        cmocka_unit_test(test_no_room_means_no_read),
        cmocka_unit_test(test_no_lanes_means_no_read),
        cmocka_unit_test(test_rows_are_limited_by_bytes),
        cmocka_unit_test(test_failure_pauses_and_keeps_cursors),
        cmocka_unit_test(test_restart_reads_from_the_head),
        cmocka_unit_test(test_full_lane_does_not_starve_others),
        cmocka_unit_test(test_lanes_with_more_share_a_read),
        cmocka_unit_test(test_long_sweep_goes_on_where_its_page_ended),
        cmocka_unit_test(test_sweep_that_ended_begins_at_the_head),
        cmocka_unit_test(test_sweeps_take_their_share_of_the_time),
        cmocka_unit_test(test_rows_that_a_scan_finds_cost_nothing),
        cmocka_unit_test(test_reads_pause_only_when_they_bring_nothing),
        cmocka_unit_test(test_rows_end_the_long_pauses),
        cmocka_unit_test(test_what_has_ended_is_read_again),
        cmocka_unit_test(test_recheck_goes_further_back),
        cmocka_unit_test(test_nothing_to_read_again_before_the_bound),
        cmocka_unit_test(test_unfinished_transactions_shorten_the_pause),
        cmocka_unit_test(test_a_shorter_pause_counts_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
