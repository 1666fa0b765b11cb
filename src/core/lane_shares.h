/* SPDX-License-Identifier: MIT */
/*
 * core/lane_shares.h: how the lanes are shared between the live workers.
 *
 * Every worker sees the same picture of the database and computes its own share from it: of 64
 * lanes and N live workers each has 64 / N, and the first 64 % N, by the time of their start, one
 * more. So the shares add up to all lanes, nobody has to be told anything, and a share changes only
 * when a worker comes or goes. With more than 64 workers those that started last have none.
 *
 * A worker with less than its share takes free lanes; one with more gives lanes back, those with
 * nothing under way first. A lane that is given is released when nothing of it is under way; for
 * how long that is waited, core/lane_leases.h says.
 *
 * Pure. Sets of lanes are bits of a uint64_t; core/lane_leases.h acts on the plan.
 */
#ifndef POSTRIDER_CORE_LANE_SHARES_H
#define POSTRIDER_CORE_LANE_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lane.h"

/* The picture that the database gave. */
struct lane_shares_view {
    int live;      /* workers with a lease that are not leaving */
    int rank;      /* of this worker among them, by the time of their start; -1 = it is not */
    uint64_t mine; /* lanes that are this worker's in the database */
    uint64_t free; /* lanes of nobody, or with a lease that has run out */
};

/* What this worker does with its lanes. */
struct lane_shares_local {
    uint64_t owned;  /* it delivers for them */
    uint64_t giving; /* it keeps them until what is under way has ended */
    uint64_t busy;   /* something is in flight or unwritten */
};

/* The sets are disjoint, but what is released may have been chosen to be given just now. */
struct lane_shares_plan {
    int share;
    uint64_t take;    /* free, to be asked for */
    uint64_t resume;  /* was given, is wanted again */
    uint64_t give;    /* to be given: nothing more is started */
    uint64_t release; /* to be handed back in the database: nothing of it is busy */
};

int lane_shares_count(uint64_t lanes);

/* The lanes of the worker with this rank among live ones. */
int lane_shares_size(int live, int rank);

/* is_leaving: the worker stops, its share is none. */
struct lane_shares_plan lane_shares_plan(const struct lane_shares_view *view,
                                         const struct lane_shares_local *local, bool is_leaving);

#endif
