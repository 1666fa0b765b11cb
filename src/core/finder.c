/* SPDX-License-Identifier: MIT */
#include "core/finder.h"

#include "base/compiler.h"

#define SHORTEST_PAUSE_US 5000
#define LANE_ROWS_MIN     16
#define FAILURE_PAUSE_US  250000
#define FIRST_ROW_BYTES   4096

/* Unfinished transactions that nothing was heard of for so long are polled for as seldom as rows.
 */
#define UNFINISHED_RECENT_US 2000000

static struct finder_scan *scan_at(struct finder *finder, enum finder_read read)
{
    return &finder->scans[read - FINDER_FIRST_SCAN];
}

void finder_init(struct finder *finder, int64_t longest_pause_us)
{
    *finder = (struct finder){.longest_pause_us = longest_pause_us, .row_bytes = FIRST_ROW_BYTES};
    finder->idle_pause_us = SHORTEST_PAUSE_US;
    finder->unfinished_us = INT64_MIN / 2;
    *scan_at(finder, FINDER_REREAD) = (struct finder_scan){
        .share = FINDER_REREAD_SHARE, .shortest_pause_us = FINDER_REREAD_PAUSE_US};
    *scan_at(finder, FINDER_RECHECK) = (struct finder_scan){
        .share = FINDER_RECHECK_SHARE, .shortest_pause_us = FINDER_RECHECK_PAUSE_US};
    *scan_at(finder, FINDER_SWEEP) =
        (struct finder_scan){.share = FINDER_SWEEP_SHARE, .shortest_pause_us = longest_pause_us};
    late_commits_reset(&finder->late);
}

void finder_set_longest_pause(struct finder *finder, int64_t longest_pause_us)
{
    struct finder_scan *sweep = &finder->scans[FINDER_SWEEP - FINDER_FIRST_SCAN];
    int64_t shorter_us = finder->longest_pause_us - longest_pause_us;

    finder->longest_pause_us = longest_pause_us;
    sweep->shortest_pause_us = longest_pause_us;
    if (shorter_us > 0)
        sweep->next_us = sweep->next_us > shorter_us ? sweep->next_us - shorter_us : 0;
}

/* Up to a cursor at the head there is nothing to read again. */
static void lane_restart(struct finder *finder, int lane)
{
    finder->lanes[lane].cursor = position_head;
    for (int i = 0; i < FINDER_SCANS; i++)
        finder->scans[i].lanes[lane].is_done = true;
}

void finder_own(struct finder *finder, int lane)
{
    if (finder->lanes[lane].is_owned)
        return;
    finder->lanes[lane].is_owned = true;
    lane_restart(finder, lane);
    finder_wake(finder);
}

void finder_disown(struct finder *finder, int lane)
{
    finder->lanes[lane].is_owned = false;
}

bool finder_owns(const struct finder *finder, int lane)
{
    return lane >= 0 && lane < LANE_COUNT && finder->lanes[lane].is_owned;
}

void finder_restart(struct finder *finder)
{
    for (int i = 0; i < LANE_COUNT; i++)
        lane_restart(finder, i);
    for (int i = 0; i < FINDER_SCANS; i++)
        finder->scans[i].is_running = false;
    late_commits_reset(&finder->late);
    finder_wake(finder);
}

void finder_wake(struct finder *finder)
{
    finder->next_poll_us = 0;
    finder->idle_pause_us = SHORTEST_PAUSE_US;
}

static struct finder_plan plan_nothing(void)
{
    return (struct finder_plan){.read = FINDER_NOTHING};
}

/* The scan that a plan belongs to; NULL for a forward read. */
static const struct finder_scan *scan_of(const struct finder *finder,
                                         const struct finder_plan *plan)
{
    return plan->read >= FINDER_FIRST_SCAN ? &finder->scans[plan->read - FINDER_FIRST_SCAN] : NULL;
}

/* Owned lanes in turn, starting where the last read left off; for a scan those still to do. */
static void plan_lanes(const struct finder *finder, struct finder_plan *plan)
{
    const struct finder_scan *scan = scan_of(finder, plan);

    for (int i = 0; i < LANE_COUNT; i++) {
        int lane = (finder->first_lane + i) % LANE_COUNT;
        bool is_done = scan != NULL && scan->lanes[lane].is_done;

        if (finder->lanes[lane].is_owned && !is_done)
            plan->lanes[plan->lanes_count++] = lane;
    }
}

static void scan_begin(struct finder *finder, struct finder_scan *scan, const struct position *from)
{
    scan->is_running = true;
    for (int i = 0; i < LANE_COUNT; i++) {
        scan->lanes[i].at = *from;
        scan->lanes[i].to = finder->lanes[i].cursor;
        scan->lanes[i].is_done = position_compare(from, &scan->lanes[i].to) >= 0;
    }
}

static void scan_end(struct finder_scan *scan, int64_t now_us)
{
    scan->is_running = false;
    if (scan->next_us < now_us + scan->shortest_pause_us)
        scan->next_us = now_us + scan->shortest_pause_us;
}

/* Of a scan for late commits. */
static enum late_slack slack_of(enum finder_read read)
{
    return read == FINDER_REREAD ? LATE_NEAR : LATE_FAR;
}

/* True when there is reason for one, from there. */
static bool scan_is_wanted(struct finder *finder, enum finder_read read, struct position *ret_from)
{
    if (read != FINDER_SWEEP)
        return late_commits_take(&finder->late, slack_of(read), ret_from);
    *ret_from = position_head;
    return true;
}

/* The next page; nothing when no lane has any, which ends the scan. */
static struct finder_plan plan_scan(struct finder *finder, enum finder_read read, int64_t now_us)
{
    struct finder_plan plan = {.read = read, .rows = FINDER_ROWS_MAX, .lane_rows = FINDER_ROWS_MAX};
    struct finder_scan *scan = scan_at(finder, read);
    struct position from;

    if (!scan->is_running && scan_is_wanted(finder, read, &from))
        scan_begin(finder, scan, &from);
    if (!scan->is_running)
        return plan_nothing();
    plan_lanes(finder, &plan);
    if (plan.lanes_count > 0)
        return plan;
    scan_end(scan, now_us);
    return plan_nothing();
}

/* As many rows as fit, judged by the mean size of the last ones; the database cuts at the bytes. */
int finder_rows_that_fit(const struct finder *finder, int room_rows, int64_t room_bytes)
{
    int64_t rows = room_bytes / (finder->row_bytes > 0 ? finder->row_bytes : 1) + 1;

    if (rows > room_rows)
        rows = room_rows;
    return rows > FINDER_ROWS_MAX ? FINDER_ROWS_MAX : (int)rows;
}

static struct finder_plan plan_forward(struct finder *finder, int room_rows, int64_t room_bytes)
{
    struct finder_plan plan = {.read = FINDER_FORWARD};

    plan_lanes(finder, &plan);
    if (plan.lanes_count == 0)
        return plan_nothing();
    plan.rows = finder_rows_that_fit(finder, room_rows, room_bytes);
    plan.lane_rows = plan.rows / (finder->full_lanes > 0 ? finder->full_lanes : plan.lanes_count);
    if (plan.lane_rows < LANE_ROWS_MIN)
        plan.lane_rows = LANE_ROWS_MIN;
    return plan;
}

struct finder_plan finder_plan(struct finder *finder, int64_t now_us, int room_rows,
                               int64_t room_bytes)
{
    struct finder_plan plan = plan_nothing();

    if (room_rows <= 0 || room_bytes <= 0)
        return plan;
    for (int i = 0; i < FINDER_SCANS && plan.read == FINDER_NOTHING; i++)
        if (now_us >= finder->scans[i].next_us)
            plan = plan_scan(finder, (enum finder_read)(FINDER_FIRST_SCAN + i), now_us);
    if (plan.read == FINDER_NOTHING && now_us >= finder->next_poll_us)
        plan = plan_forward(finder, room_rows, room_bytes);
    return plan;
}

const struct position *finder_from(const struct finder *finder, const struct finder_plan *plan,
                                   int lane)
{
    const struct finder_scan *scan = scan_of(finder, plan);

    return scan != NULL ? &scan->lanes[lane].at : &finder->lanes[lane].cursor;
}

const struct position *finder_to(const struct finder *finder, const struct finder_plan *plan,
                                 int lane)
{
    const struct finder_scan *scan = scan_of(finder, plan);

    return scan != NULL ? &scan->lanes[lane].to : &finder->lanes[lane].cursor;
}

void finder_note_row(struct finder *finder, const struct finder_plan *plan, int lane,
                     const char *time, const char *id)
{
    if (plan->read == FINDER_NOTHING)
        bug("a row that was not asked for");
    if (plan->read == FINDER_FORWARD)
        position_set(&finder->lanes[lane].cursor, time, id);
    else
        position_set(&scan_at(finder, plan->read)->lanes[lane].at, time, id);
}

static int rows_total(const struct finder_plan *plan, const struct finder_yield *yield)
{
    int total = 0;

    for (int i = 0; i < plan->lanes_count; i++)
        total += yield->rows[plan->lanes[i]];
    return total;
}

/*
 * Each page that was read is paid for with a pause of 1/share of its cost, so that a sweep through
 * a long backlog does not hold up the forward reads. An empty page costs as much as it took.
 */
static void scan_note_end(struct finder_scan *scan, const struct finder_plan *plan,
                          const struct finder_yield *yield, int64_t now_us)
{
    int rows = rows_total(plan, yield);
    /* A page that was cut by the limit says nothing about the lanes behind the cut. */
    bool is_over = rows < plan->rows;
    double cost_us = (double)(now_us - yield->started_us);

    if (rows > 0)
        cost_us *= (double)yield->known / rows;
    for (int i = 0; i < plan->lanes_count; i++)
        scan->lanes[plan->lanes[i]].is_done = is_over;
    scan->next_us = now_us + (int64_t)(cost_us / scan->share);
    if (is_over)
        scan_end(scan, now_us);
}

static void forward_pause(struct finder *finder, int64_t now_us)
{
    bool is_awaiting = late_commits_has_unfinished(&finder->late) &&
                       now_us - finder->unfinished_us < UNFINISHED_RECENT_US;

    finder->next_poll_us = now_us + finder->idle_pause_us;
    if (is_awaiting && finder->idle_pause_us > FINDER_REREAD_PAUSE_US)
        finder->next_poll_us = now_us + FINDER_REREAD_PAUSE_US;
    finder->idle_pause_us *= 2;
    if (finder->idle_pause_us > finder->longest_pause_us)
        finder->idle_pause_us = finder->longest_pause_us;
}

/* The last lane of the plan that gave a row; -1: none did. */
static int last_that_gave(const struct finder_plan *plan, const struct finder_yield *yield)
{
    int last = plan->lanes_count - 1;

    while (last >= 0 && yield->rows[plan->lanes[last]] == 0)
        last--;
    return last;
}

/* Those that filled their share, and those that the read was cut before: they may have any number.
 */
static int lanes_with_more(const struct finder_plan *plan, const struct finder_yield *yield,
                           int last)
{
    bool is_cut = rows_total(plan, yield) >= plan->rows;
    int count = is_cut ? plan->lanes_count - 1 - last : 0;

    for (int i = 0; i <= last; i++)
        count += yield->rows[plan->lanes[i]] >= plan->lane_rows;
    return count;
}

static void forward_note_end(struct finder *finder, const struct finder_plan *plan,
                             const struct finder_yield *yield, int64_t now_us)
{
    int last = last_that_gave(plan, yield);

    finder->full_lanes = lanes_with_more(plan, yield, last);
    /* Bytes can cut a read below its limits as well: only an empty one proves that there is no
     * more. */
    if (last < 0) {
        forward_pause(finder, now_us);
        return;
    }
    finder->first_lane = (plan->lanes[last] + 1) % LANE_COUNT;
    finder_wake(finder);
}

void finder_note_end(struct finder *finder, const struct finder_plan *plan,
                     const struct finder_yield *yield, int64_t now_us)
{
    if (plan->read == FINDER_NOTHING)
        bug("the end of a read that was not asked for");
    if (plan->read == FINDER_FORWARD)
        forward_note_end(finder, plan, yield, now_us);
    else
        scan_note_end(scan_at(finder, plan->read), plan, yield, now_us);
}

void finder_note_payloads(struct finder *finder, int payloads, int64_t bytes)
{
    if (payloads > 0)
        finder->row_bytes = (finder->row_bytes * 3 + bytes / payloads) / 4 + 1;
}

void finder_note_snapshot(struct finder *finder, const struct late_snapshot *snapshot,
                          int64_t now_us)
{
    uint64_t next = finder->late.next;

    if (!late_commits_note(&finder->late, snapshot))
        bug("a snapshot like %.100s", snapshot->text);
    if (finder->late.next != next || finder->late.is_due[LATE_NEAR])
        finder->unfinished_us = now_us;
}

void finder_note_failure(struct finder *finder, int64_t now_us)
{
    finder->next_poll_us = now_us + FAILURE_PAUSE_US;
    for (int i = 0; i < FINDER_SCANS; i++)
        if (finder->scans[i].next_us < finder->next_poll_us)
            finder->scans[i].next_us = finder->next_poll_us;
}

static bool scan_has_reason(const struct finder *finder, enum finder_read read)
{
    if (finder->scans[read - FINDER_FIRST_SCAN].is_running || read == FINDER_SWEEP)
        return true;
    return finder->late.is_due[slack_of(read)];
}

int64_t finder_next_us(const struct finder *finder)
{
    int64_t next_us = finder->next_poll_us;

    for (int i = 0; i < FINDER_SCANS; i++)
        if (finder->scans[i].next_us < next_us &&
            scan_has_reason(finder, (enum finder_read)(FINDER_FIRST_SCAN + i)))
            next_us = finder->scans[i].next_us;
    return next_us;
}
