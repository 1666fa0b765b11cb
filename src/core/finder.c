#include "core/finder.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

#define SHORTEST_PAUSE_US 5000
#define LANE_ROWS_MIN     16
#define FAILURE_PAUSE_US  250000
#define FIRST_ROW_BYTES   4096

static const struct finder_position head = {"-infinity", "00000000-0000-0000-0000-000000000000"};

void finder_init(struct finder *finder, int64_t longest_pause_us)
{
    *finder = (struct finder){.longest_pause_us = longest_pause_us, .row_bytes = FIRST_ROW_BYTES};
    finder->idle_pause_us = SHORTEST_PAUSE_US;
}

static void lane_restart(struct finder_lane *lane)
{
    lane->cursor = head;
    lane->swept = head;
    lane->is_swept = true; /* up to a cursor at the head there is nothing to sweep */
}

void finder_own(struct finder *finder, int lane)
{
    if (finder->lanes[lane].is_owned)
        return;
    finder->lanes[lane].is_owned = true;
    lane_restart(&finder->lanes[lane]);
    finder_wake(finder);
}

void finder_disown(struct finder *finder, int lane)
{
    finder->lanes[lane].is_owned = false;
}

bool finder_owns(const struct finder *finder, int lane)
{
    return lane >= 0 && lane < FINDER_LANES && finder->lanes[lane].is_owned;
}

void finder_restart(struct finder *finder)
{
    for (int i = 0; i < FINDER_LANES; i++)
        lane_restart(&finder->lanes[i]);
    finder->is_sweeping = false;
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

/* Owned lanes in turn, starting where the last read left off; for a sweep those still to do. */
static void plan_lanes(const struct finder *finder, struct finder_plan *plan)
{
    for (int i = 0; i < FINDER_LANES; i++) {
        int lane = (finder->first_lane + i) % FINDER_LANES;
        bool is_done = plan->read == FINDER_SWEEP && finder->lanes[lane].is_swept;

        if (finder->lanes[lane].is_owned && !is_done)
            plan->lanes[plan->lanes_count++] = lane;
    }
}

static struct finder_plan plan_sweep(struct finder *finder)
{
    struct finder_plan plan = {.read = FINDER_SWEEP};

    plan_lanes(finder, &plan);
    plan.rows = FINDER_ROWS_MAX;
    plan.lane_rows = FINDER_ROWS_MAX;
    return plan.lanes_count > 0 ? plan : plan_nothing();
}

/* As many rows as fit, judged by the mean size of the last ones; the database cuts at the bytes. */
static int rows_that_fit(const struct finder *finder, int room_rows, int64_t room_bytes)
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
    plan.rows = rows_that_fit(finder, room_rows, room_bytes);
    plan.lane_rows = plan.rows / (finder->full_lanes > 0 ? finder->full_lanes : 1);
    if (plan.lane_rows < LANE_ROWS_MIN)
        plan.lane_rows = LANE_ROWS_MIN;
    return plan.lanes_count > 0 ? plan : plan_nothing();
}

static void sweep_begin(struct finder *finder)
{
    finder->is_sweeping = true;
    for (int i = 0; i < FINDER_LANES; i++) {
        finder->lanes[i].swept = head;
        finder->lanes[i].is_swept = strcmp(finder->lanes[i].cursor.time, head.time) == 0;
    }
}

struct finder_plan finder_plan(struct finder *finder, int64_t now_us, int room_rows,
                               int64_t room_bytes)
{
    struct finder_plan plan;

    if (room_rows <= 0 || room_bytes <= 0)
        return plan_nothing();
    if (now_us >= finder->next_sweep_us) {
        if (!finder->is_sweeping)
            sweep_begin(finder);
        plan = plan_sweep(finder);
        if (plan.read != FINDER_NOTHING)
            return plan;
        finder->is_sweeping = false;
        finder->next_sweep_us = now_us + finder->longest_pause_us;
    }
    if (now_us >= finder->next_poll_us)
        return plan_forward(finder, room_rows, room_bytes);
    return plan_nothing();
}

const struct finder_position *finder_from(const struct finder *finder,
                                          const struct finder_plan *plan, int lane)
{
    const struct finder_lane *at = &finder->lanes[lane];

    return plan->read == FINDER_SWEEP ? &at->swept : &at->cursor;
}

const struct finder_position *finder_to(const struct finder *finder, int lane)
{
    return &finder->lanes[lane].cursor;
}

void finder_note_row(struct finder *finder, const struct finder_plan *plan, int lane,
                     const char *time, const char *id)
{
    struct finder_lane *at = &finder->lanes[lane];
    struct finder_position *position = plan->read == FINDER_SWEEP ? &at->swept : &at->cursor;

    if (strlen(time) >= sizeof(position->time) || strlen(id) >= sizeof(position->id))
        bug("a position of %zu and %zu bytes", strlen(time), strlen(id));
    snprintf(position->time, sizeof(position->time), "%s", time);
    snprintf(position->id, sizeof(position->id), "%s", id);
}

/*
 * Each page that was read is paid for with a pause of 1/share of its cost, so that a sweep through
 * a long backlog does not hold up the forward reads.
 */
static void sweep_note_end(struct finder *finder, const struct finder_plan *plan,
                           const int *lane_counts, int64_t cost_us, int64_t now_us)
{
    bool is_over = true;
    int total = 0;

    for (int i = 0; i < plan->lanes_count; i++)
        total += lane_counts[i];
    for (int i = 0; i < plan->lanes_count; i++) {
        struct finder_lane *lane = &finder->lanes[plan->lanes[i]];

        /* A page that was cut by the limit says nothing about the lanes behind the cut. */
        lane->is_swept = total < plan->rows;
        is_over = is_over && lane->is_swept;
    }
    finder->next_sweep_us = now_us + (int64_t)((double)cost_us / FINDER_SWEEP_SHARE);
    if (!is_over)
        return;
    finder->is_sweeping = false;
    if (finder->next_sweep_us < now_us + finder->longest_pause_us)
        finder->next_sweep_us = now_us + finder->longest_pause_us;
}

static void forward_note_end(struct finder *finder, const struct finder_plan *plan,
                             const int *lane_counts, int64_t bytes, int64_t now_us)
{
    int total = 0;
    int last = -1;

    finder->full_lanes = 0;
    for (int i = 0; i < plan->lanes_count; i++) {
        total += lane_counts[i];
        finder->full_lanes += lane_counts[i] >= plan->lane_rows;
        if (lane_counts[i] > 0)
            last = plan->lanes[i];
    }
    /* Bytes can cut a read below its limits as well: only an empty one proves that there is no
     * more. */
    if (total > 0) {
        finder->row_bytes = (finder->row_bytes * 3 + bytes / total) / 4 + 1;
        finder->first_lane = (last + 1) % FINDER_LANES;
        finder_wake(finder);
        return;
    }
    finder->next_poll_us = now_us + finder->idle_pause_us;
    finder->idle_pause_us *= 2;
    if (finder->idle_pause_us > finder->longest_pause_us)
        finder->idle_pause_us = finder->longest_pause_us;
}

void finder_note_end(struct finder *finder, const struct finder_plan *plan, const int *lane_counts,
                     int64_t bytes, int64_t started_us, int64_t now_us)
{
    if (plan->read == FINDER_SWEEP)
        sweep_note_end(finder, plan, lane_counts, now_us - started_us, now_us);
    else
        forward_note_end(finder, plan, lane_counts, bytes, now_us);
}

void finder_note_failure(struct finder *finder, int64_t now_us)
{
    finder->next_poll_us = now_us + FAILURE_PAUSE_US;
    if (finder->next_sweep_us < finder->next_poll_us)
        finder->next_sweep_us = finder->next_poll_us;
}

int64_t finder_next_us(const struct finder *finder)
{
    return finder->next_poll_us < finder->next_sweep_us ? finder->next_poll_us
                                                        : finder->next_sweep_us;
}
