/* SPDX-License-Identifier: MIT */
#include "core/lane_leases.h"

#include "base/compiler.h"

#define LOOK_PAUSE_US    1000000
#define HUNGRY_PAUSE_US  100000 /* lanes are missing, and the picture is changing */
#define PATIENT_PAUSE_US 500000 /* they are missing, and nothing has changed for a while */
#define HUNGRY_US        3000000
#define PACE_US          20000 /* between two requests of a hand-over */
#define FAILURE_PAUSE_US 250000

void lane_leases_init(struct lane_leases *leases)
{
    *leases = (struct lane_leases){.owned = 0};
}

static uint64_t kept(const struct lane_leases *leases)
{
    return leases->owned | leases->giving;
}

static bool has_others(const struct lane_leases *leases)
{
    return leases->has_view && leases->view.live > (leases->view.rank >= 0 ? 1 : 0);
}

void lane_leases_leave(struct lane_leases *leases, bool is_leaving, bool is_hurried, int64_t now_us)
{
    if (leases->is_leaving != is_leaving) {
        leases->is_leaving = is_leaving;
        leases->is_view_new = leases->has_view;
        leases->renew_us = 0; /* others learn of it from this worker's row */
        leases->give_us = now_us + (has_others(leases) ? LANE_LEASES_NOTICE_US : 0);
    }
    if (is_hurried && leases->give_us > now_us)
        leases->give_us = now_us;
    if (!is_leaving || now_us < leases->give_us)
        return;
    leases->giving |= leases->owned;
    leases->owned = 0;
}

static void drop(struct lane_leases *leases, uint64_t lanes)
{
    leases->owned &= ~lanes;
    leases->giving &= ~lanes;
}

uint64_t lane_leases_expire(struct lane_leases *leases, int64_t now_us)
{
    uint64_t lost = 0;

    for (uint64_t left = kept(leases); left != 0; left &= left - 1) {
        int lane = __builtin_ctzll(left);

        if (now_us >= leases->until_us[lane])
            lost |= LANE_BIT(lane);
    }
    drop(leases, lost);
    return lost;
}

bool lane_leases_may_start(const struct lane_leases *leases, int lane, int64_t now_us)
{
    return (leases->owned & LANE_BIT(lane)) != 0 && now_us < leases->until_us[lane];
}

/* Lanes that are on their way out: they are released when nothing of them is under way. */
static bool is_handing_over(const struct lane_leases *leases)
{
    return leases->giving != 0 || (leases->view.mine & ~leases->owned) != 0;
}

bool lane_leases_is_due(const struct lane_leases *leases, int64_t now_us)
{
    if (leases->asked.ask != LANE_LEASES_NOTHING)
        return false;
    return now_us >= leases->renew_us || now_us >= leases->look_us || leases->is_view_new ||
           (is_handing_over(leases) && now_us >= leases->pace_us);
}

/* The lanes among those that wait to go which have done so for that long. */
static uint64_t waiting_for(const struct lane_leases *leases, int64_t long_us, int64_t now_us)
{
    uint64_t lanes = 0;

    for (uint64_t left = leases->waiting; left != 0; left &= left - 1)
        if (now_us - leases->since_us[__builtin_ctzll(left)] >= long_us)
            lanes |= left & -left;
    return lanes;
}

uint64_t lane_leases_waiting(const struct lane_leases *leases, int64_t now_us)
{
    return waiting_for(leases, LANE_LEASES_TELL_US, now_us);
}

/* Those that are given, and those that are ours in the database alone. */
static void note_waiting(struct lane_leases *leases, int64_t now_us, uint64_t busy)
{
    uint64_t waiting = (leases->giving | (leases->view.mine & ~leases->owned)) & busy;

    for (uint64_t left = waiting & ~leases->waiting; left != 0; left &= left - 1)
        leases->since_us[__builtin_ctzll(left)] = now_us;
    leases->waiting = waiting;
    if (lane_leases_waiting(leases, now_us) == 0)
        leases->is_told = waiting != 0 && leases->is_told;
    else if (!leases->is_told) {
        leases->is_told = true;
        leases->renew_us = now_us;
    }
}

/* Gives and takes back what the picture demands; what the database has to be told is the rest. */
static struct lane_leases_request plan(struct lane_leases *leases, int64_t now_us, uint64_t busy)
{
    uint64_t overdue = waiting_for(leases, leases->patience_us, now_us);
    struct lane_shares_local local = {leases->owned, leases->giving, busy & ~overdue};
    bool gives_all = leases->is_leaving && now_us >= leases->give_us;
    struct lane_shares_plan shares = lane_shares_plan(&leases->view, &local, gives_all);

    leases->share = shares.share;
    leases->owned = (leases->owned | shares.resume) & ~shares.give;
    leases->giving = (leases->giving | shares.give) & ~shares.resume;
    return (struct lane_leases_request){.take = shares.take, .release = shares.release};
}

struct lane_leases_request lane_leases_next(struct lane_leases *leases, int64_t now_us,
                                            int64_t lease_us, uint64_t busy, int64_t patience_us)
{
    struct lane_leases_request request = {.ask = LANE_LEASES_NOTHING};

    if (leases->asked.ask != LANE_LEASES_NOTHING)
        bug("a second request about lanes");
    leases->patience_us = patience_us;
    note_waiting(leases, now_us, busy);
    if (leases->has_view)
        request = plan(leases, now_us, busy);
    leases->is_view_new = false;
    leases->pace_us = now_us + PACE_US;
    if (now_us >= leases->renew_us || (request.take | request.release) != 0)
        request.ask = LANE_LEASES_RENEW;
    else if (now_us >= leases->look_us)
        request.ask = LANE_LEASES_LOOK;
    if (request.ask == LANE_LEASES_NOTHING)
        return request;
    drop(leases, request.release);
    request.keep = kept(leases);
    request.turn = ++leases->turn;
    leases->view.mine &= ~request.release;
    leases->view.free &= ~request.take;
    leases->asked = request;
    leases->asked_us = now_us;
    leases->asked_lease_us = lease_us;
    if (request.ask == LANE_LEASES_RENEW)
        leases->renew_us = now_us + lease_us / 3;
    return request;
}

static bool is_same(const struct lane_shares_view *a, const struct lane_shares_view *b)
{
    return a->live == b->live && a->rank == b->rank && a->mine == b->mine && a->free == b->free;
}

static bool is_hungry(const struct lane_leases *leases)
{
    return !leases->is_leaving && lane_shares_count(leases->owned) <
                                      lane_shares_size(leases->view.live, leases->view.rank);
}

static int64_t look_pause_us(const struct lane_leases *leases, int64_t now_us)
{
    if (!is_hungry(leases))
        return LOOK_PAUSE_US;
    return now_us - leases->changed_us < HUNGRY_US ? HUNGRY_PAUSE_US : PATIENT_PAUSE_US;
}

/* A lane that was not renewed (its row was locked) keeps the end that it had. */
static void note_renewed(struct lane_leases *leases, uint64_t lanes)
{
    for (uint64_t left = lanes; left != 0; left &= left - 1)
        leases->until_us[__builtin_ctzll(left)] = leases->asked_us + leases->asked_lease_us;
    leases->owned |= lanes & leases->asked.take;
}

void lane_leases_note_answer(struct lane_leases *leases, uint64_t renewed,
                             const struct lane_shares_view *view, int64_t now_us)
{
    if (leases->asked.ask == LANE_LEASES_RENEW)
        note_renewed(leases, renewed & (leases->asked.keep | leases->asked.take));
    leases->asked.ask = LANE_LEASES_NOTHING;
    if (!leases->has_view || !is_same(view, &leases->view))
        leases->changed_us = now_us;
    leases->view = *view;
    leases->has_view = true;
    leases->is_view_new = true;
    drop(leases, kept(leases) & ~view->mine);
    lane_leases_expire(leases, now_us);
    leases->look_us = now_us + look_pause_us(leases, now_us);
}

void lane_leases_note_failure(struct lane_leases *leases, int64_t now_us)
{
    if (leases->asked.ask == LANE_LEASES_RENEW)
        leases->renew_us = now_us + FAILURE_PAUSE_US;
    leases->look_us = now_us + FAILURE_PAUSE_US;
    leases->pace_us = now_us + FAILURE_PAUSE_US;
    leases->asked.ask = LANE_LEASES_NOTHING;
}

int64_t lane_leases_end_us(const struct lane_leases *leases)
{
    int64_t end_us = INT64_MAX;

    for (uint64_t left = kept(leases); left != 0; left &= left - 1)
        if (leases->until_us[__builtin_ctzll(left)] < end_us)
            end_us = leases->until_us[__builtin_ctzll(left)];
    return end_us;
}

int64_t lane_leases_next_us(const struct lane_leases *leases)
{
    int64_t next_us = lane_leases_end_us(leases);

    if (leases->is_leaving && leases->owned != 0 && leases->give_us < next_us)
        next_us = leases->give_us;
    if (leases->asked.ask != LANE_LEASES_NOTHING)
        return next_us;
    if (leases->is_view_new)
        return 0;
    if (leases->renew_us < next_us)
        next_us = leases->renew_us;
    if (is_handing_over(leases) && leases->pace_us < next_us)
        next_us = leases->pace_us;
    return leases->look_us < next_us ? leases->look_us : next_us;
}
