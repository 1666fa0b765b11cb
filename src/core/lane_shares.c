/* SPDX-License-Identifier: MIT */
#include "core/lane_shares.h"

int lane_shares_count(uint64_t lanes)
{
    return __builtin_popcountll(lanes);
}

int lane_shares_size(int live, int rank)
{
    if (rank < 0 || rank >= live)
        return 0;
    return LANE_COUNT / live + (rank < LANE_COUNT % live ? 1 : 0);
}

/* At most count of the lanes, the first one at or after from, around the end. */
static uint64_t pick(uint64_t lanes, int count, int from)
{
    uint64_t picked = 0;

    for (int i = 0; i < LANE_COUNT && count > 0; i++) {
        uint64_t lane = LANE_BIT((from + i) % LANE_COUNT);

        if ((lanes & lane) == 0)
            continue;
        picked |= lane;
        count--;
    }
    return picked;
}

/*
 * Workers that take at the same time begin at different lanes, or all would want the first free
 * ones. What the database says is ours already (an answer of it was lost) comes first.
 */
static uint64_t pick_to_take(const struct lane_shares_view *view, uint64_t kept, int count)
{
    uint64_t stray = view->mine & ~kept;
    uint64_t taken = pick(stray, count, 0);
    int from = (int)((int64_t)view->rank * LANE_COUNT / view->live);

    return taken | pick(view->free & ~view->mine & ~kept, count - lane_shares_count(taken), from);
}

static uint64_t pick_to_give(const struct lane_shares_local *local, int count)
{
    uint64_t given = pick(local->owned & ~local->busy, count, 0);

    return given | pick(local->owned & local->busy, count - lane_shares_count(given), 0);
}

struct lane_shares_plan lane_shares_plan(const struct lane_shares_view *view,
                                         const struct lane_shares_local *local, bool is_leaving)
{
    struct lane_shares_plan plan = {.share = 0};
    uint64_t kept = local->owned | local->giving;
    int missing;

    /* Not among the live: this worker's row is yet to be written, and nothing is known. */
    if (view->rank < 0 && !is_leaving)
        return plan;
    plan.share = is_leaving ? 0 : lane_shares_size(view->live, view->rank);
    missing = plan.share - lane_shares_count(local->owned);
    if (missing > 0) {
        plan.resume = pick(local->giving & view->mine, missing, 0);
        missing -= lane_shares_count(plan.resume);
        plan.take = pick_to_take(view, kept, missing);
    } else {
        plan.give = pick_to_give(local, -missing);
    }
    plan.release =
        ((local->giving & ~plan.resume) | plan.give | (view->mine & ~kept & ~plan.take)) &
        ~local->busy;
    return plan;
}
