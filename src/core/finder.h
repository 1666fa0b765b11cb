/* SPDX-License-Identifier: MIT */
/*
 * core/finder.h: what to read next from the queue.
 *
 * For each lane that the worker owns the finder keeps a cursor, the position of the last row that
 * was read. Four kinds of read follow from it:
 *   forward  from the cursor to now, with payloads: where new work is found
 *   reread   keys from a bound to the cursor: what transactions have left behind the cursor that
 *            ended since (core/late_commits.h: LATE_NEAR)
 *   recheck  the same from a bound that is further back (LATE_FAR)
 *   sweep    keys from the head of the lane to the cursor: the last resort
 * The sweep alone makes the worker correct; all else only makes it fast. The last three are scans:
 * they go in pages, to where the cursor was when they began, and are throttled. A page is followed
 * by a pause, so that what they cost is never more than their FINDER_…_SHARE of the time. A page
 * costs as much of the time that it took as there are rows in it that were known before: those that
 * it finds are work, and where producers commit side by side, much of the work is found like this.
 * A reread begins at most every FINDER_REREAD_PAUSE_US. While transactions are unfinished that were
 * seen in the last seconds, polls don't pause for longer than that either.
 *
 * Pure: the caller does the reads, tells what they returned, and passes the time. One plan is
 * outstanding at a time.
 */
#ifndef POSTRIDER_CORE_FINDER_H
#define POSTRIDER_CORE_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lane.h"
#include "core/late_commits.h"
#include "core/position.h"

#define FINDER_ROWS_MAX         1000 /* of one read: at more the plan changes to an external sort */
#define FINDER_SWEEP_SHARE      0.02
#define FINDER_REREAD_SHARE     0.05
#define FINDER_RECHECK_SHARE    0.01
#define FINDER_REREAD_PAUSE_US  20000
#define FINDER_RECHECK_PAUSE_US 500000

struct finder_lane {
    bool is_owned;
    struct position cursor;
};

enum finder_read {
    FINDER_NOTHING,
    FINDER_FORWARD,
    FINDER_REREAD,
    FINDER_RECHECK,
    FINDER_SWEEP,
};

#define FINDER_SCANS      3
#define FINDER_FIRST_SCAN FINDER_REREAD

/* For each lane: how far it is, and how far it goes. */
struct finder_scan {
    bool is_running;
    double share;
    int64_t shortest_pause_us; /* between the end of one and the begin of the next */
    int64_t next_us;           /* no page before */
    struct {
        bool is_done;
        struct position at, to;
    } lanes[LANE_COUNT];
};

struct finder {
    struct finder_lane lanes[LANE_COUNT];
    struct late_commits late;
    struct finder_scan scans[FINDER_SCANS];
    int first_lane;       /* the next read begins with it: a full lane doesn't starve others */
    int full_lanes;       /* lanes that may have more than the last forward read took of them */
    int64_t next_poll_us; /* not before; 0 while reads bring rows */
    int64_t idle_pause_us;
    int64_t longest_pause_us; /* worker.poll_interval */
    int64_t row_bytes;        /* recent mean, to ask for as many rows as there is room for */
    int64_t unfinished_us;    /* when transactions were last seen to begin or end */
};

struct finder_plan {
    enum finder_read read;
    int lanes_count;
    int lanes[LANE_COUNT];
    int lane_rows; /* limit for each lane */
    int rows;      /* limit for all of them */
};

/* What a read has brought. */
struct finder_yield {
    int rows[LANE_COUNT]; /* of each lane */
    int known;            /* of a scan: rows that were known, or belong to a backlog */
    int64_t started_us;   /* when it was sent */
};

void finder_init(struct finder *finder, int64_t longest_pause_us);

/* Another worker.poll_interval, for polls and for sweeps: a shorter one counts at once. */
void finder_set_longest_pause(struct finder *finder, int64_t longest_pause_us);

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

const struct position *finder_from(const struct finder *finder, const struct finder_plan *plan,
                                   int lane);
/* The upper end of a scan; a forward read ends at the database's now(). */
const struct position *finder_to(const struct finder *finder, const struct finder_plan *plan,
                                 int lane);

void finder_note_row(struct finder *finder, const struct finder_plan *plan, int lane,
                     const char *time, const char *id);

void finder_note_end(struct finder *finder, const struct finder_plan *plan,
                     const struct finder_yield *yield, int64_t now_us);

/* So many rows came with payloads of so many bytes together, by whatever read. */
void finder_note_payloads(struct finder *finder, int payloads, int64_t bytes);

/* How many rows to ask for, judged by the size of the last ones. */
int finder_rows_that_fit(const struct finder *finder, int room_rows, int64_t room_bytes);

/* With each forward read, after its rows: what it told of transactions. */
void finder_note_snapshot(struct finder *finder, const struct late_snapshot *snapshot,
                          int64_t now_us);

/* The read did not happen; the cursors stay. Tries again after a pause. */
void finder_note_failure(struct finder *finder, int64_t now_us);

/* When finder_plan() may have something to do again, if nothing else changes. */
int64_t finder_next_us(const struct finder *finder);

#endif
