/*
 * core/finder.h: what to read next from the queue.
 *
 * For each lane that the worker owns the finder keeps a cursor, the pair (next_retry_at, id) of the
 * last row that was read. Two kinds of read follow from it:
 *   forward  from the cursor to now, with payloads: where new work is found
 *   sweep    from the head of the lane to the cursor, keys only: finds what forward reads can't
 *            have seen, because it was committed after the cursor had passed its time
 * The sweep alone makes the worker correct; forward reads make it fast. A sweep goes in pages and
 * is begun again when it has ended, but never takes more than FINDER_SWEEP_SHARE of the time.
 *
 * Pure: the caller does the reads, tells what they returned, and passes the time. Times of rows are
 * opaque texts that only the database compares. One plan is outstanding at a time.
 */
#ifndef POSTRIDER_CORE_FINDER_H
#define POSTRIDER_CORE_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#define FINDER_LANES       64
#define FINDER_ROWS_MAX    1000 /* of one read: at more the plan changes to an external sort */
#define FINDER_SWEEP_SHARE 0.02

struct finder_position {
    char time[40]; /* timestamptz as text; "-infinity" before everything */
    char id[37];
};

struct finder_lane {
    bool is_owned;
    struct finder_position cursor;
    struct finder_position swept; /* how far the running sweep is */
    bool is_swept;                /* the running sweep has passed this lane */
};

struct finder {
    struct finder_lane lanes[FINDER_LANES];
    int first_lane; /* the next read begins with it, so that a full lane doesn't starve others */
    int full_lanes; /* lanes that filled their share of the last forward read */
    bool is_sweeping;
    int64_t next_sweep_us; /* not before */
    int64_t next_poll_us;  /* not before; 0 while reads bring rows */
    int64_t idle_pause_us;
    int64_t longest_pause_us; /* worker.poll_interval */
    int64_t row_bytes;        /* recent mean, to ask for as many rows as there is room for */
};

enum finder_read { FINDER_NOTHING, FINDER_FORWARD, FINDER_SWEEP };

struct finder_plan {
    enum finder_read read;
    int lanes_count;
    int lanes[FINDER_LANES];
    int lane_rows; /* limit for each lane */
    int rows;      /* limit for all of them */
};

void finder_init(struct finder *finder, int64_t longest_pause_us);

/* A lane that is taken starts at its head. One that is given up is forgotten. */
void finder_own(struct finder *finder, int lane);
void finder_disown(struct finder *finder, int lane);
bool finder_owns(const struct finder *finder, int lane);

/* All lanes start at their heads again: the worker has dropped rows that it had read. */
void finder_restart(struct finder *finder);

/* Something may be due right now (a notification, a configuration change): poll at once. */
void finder_wake(struct finder *finder);

/*
 * What to read at now_us with room for so many rows and bytes. The caller reads from
 * finder_from() to finder_to() of each lane of the plan, then reports with finder_note_row() in the
 * order in which rows came, and finder_note_end(); or with finder_note_failure().
 */
struct finder_plan finder_plan(struct finder *finder, int64_t now_us, int room_rows,
                               int64_t room_bytes);

const struct finder_position *finder_from(const struct finder *finder,
                                          const struct finder_plan *plan, int lane);
/* The upper end of a sweep; a forward read ends at the database's now(). */
const struct finder_position *finder_to(const struct finder *finder, int lane);

void finder_note_row(struct finder *finder, const struct finder_plan *plan, int lane,
                     const char *time, const char *id);

/* lane_counts[i] rows came for plan->lanes[i]; bytes is their payloads' size. */
void finder_note_end(struct finder *finder, const struct finder_plan *plan, const int *lane_counts,
                     int64_t bytes, int64_t started_us, int64_t now_us);

/* The read did not happen; the cursors stay. Tries again after a pause. */
void finder_note_failure(struct finder *finder, int64_t now_us);

/* When finder_plan() may have something to do again, if nothing else changes. */
int64_t finder_next_us(const struct finder *finder);

#endif
