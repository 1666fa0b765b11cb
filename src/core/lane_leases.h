/* SPDX-License-Identifier: MIT */
/*
 * core/lane_leases.h: the lanes that a worker may deliver for, and what it asks the database next.
 *
 * A lane is owned from the answer to a request that took it until one lease after the last request
 * that renewed it was *sent*, by the caller's monotonic clock. The database's end of the lease is
 * counted from when it executed that request, so it is never earlier, and at no time do two workers
 * believe that they own a lane. Two things must hold for that: the database's clock does not jump
 * by as much as a lease, and a request that was delayed (its connection was lost) does nothing
 * after a later one; db/lanes.c sees to that by the request's turn, a number that grows.
 *
 * A lane that is to go to another worker is given first: nothing more is started for it. When
 * nothing of it is under way any more it is released, so nothing is sent twice. It is renewed
 * meanwhile, but not for ever: a request may hang for as long as its row allows, and an outcome may
 * be refused again and again. After the caller's patience the lane is released all the same; what
 * is under way goes on, and another worker may send it a second time. Requests:
 *   renew  every third of the lease, and whenever lanes are to be taken or released
 *   look   the picture alone: once a second; ten times a second while lanes are missing, and
 *          twice when nothing in the picture has changed for three seconds
 * One request is outstanding at a time. Pure: worker/leasing.c sends and tells what came back.
 */
#ifndef POSTRIDER_CORE_LANE_LEASES_H
#define POSTRIDER_CORE_LANE_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lane.h"
#include "core/lane_shares.h"

#define LANE_LEASES_NOTICE_US 1300000 /* more than the pause between two looks */
#define LANE_LEASES_TELL_US   1000000 /* a lane that has waited for so long is worth a word */

enum lane_leases_ask { LANE_LEASES_NOTHING, LANE_LEASES_LOOK, LANE_LEASES_RENEW };

/* LANE_LEASES_RENEW: the sets are disjoint. */
struct lane_leases_request {
    enum lane_leases_ask ask;
    int64_t turn; /* larger with each */
    uint64_t keep;
    uint64_t take;
    uint64_t release;
};

struct lane_leases {
    uint64_t owned;
    uint64_t giving;
    int64_t until_us[LANE_COUNT]; /* of owned and giving lanes */
    uint64_t waiting;             /* to go, but something of them is under way */
    int64_t since_us[LANE_COUNT]; /* of waiting lanes */
    int64_t patience_us;          /* as last said */
    bool is_told;                 /* that lanes wait: the worker's row says so */
    struct lane_shares_view view;
    bool has_view;
    bool is_view_new; /* nothing was planned on it yet */
    bool is_leaving;
    int64_t give_us; /* while it leaves: when it gives its lanes */
    int share;       /* as last planned */

    struct lane_leases_request asked; /* the outstanding one */
    int64_t asked_us;
    int64_t asked_lease_us;
    int64_t turn;
    int64_t renew_us;   /* next renewal */
    int64_t look_us;    /* next look */
    int64_t pace_us;    /* next step of a hand-over */
    int64_t changed_us; /* when the picture last changed */
};

void lane_leases_init(struct lane_leases *leases);

/*
 * For every loop turn. A worker that stops, or is of no use for now (is_leaving), says so in its
 * row, and gives all its lanes when the others have had the time to see that and are waiting for
 * them: LANE_LEASES_NOTICE_US later; at once when there are no others, or is_hurried.
 */
void lane_leases_leave(struct lane_leases *leases, bool is_leaving, bool is_hurried,
                       int64_t now_us);

/* Drops the lanes whose lease has run out by our clock; returns them. */
uint64_t lane_leases_expire(struct lane_leases *leases, int64_t now_us);

/* True while a delivery of this lane may be started. */
bool lane_leases_may_start(const struct lane_leases *leases, int lane, int64_t now_us);

/* True when lane_leases_next() would ask for something; cheap, for every loop turn. */
bool lane_leases_is_due(const struct lane_leases *leases, int64_t now_us);

/*
 * What to ask now; busy are the lanes with something in flight or unwritten, for which a lane that
 * is to go waits no longer than patience_us: busy lanes may be among those that are released. The
 * lanes that it gives or releases have left leases->owned when it returns. The caller sends the
 * request in this moment, and answers it with one of the notes.
 */
struct lane_leases_request lane_leases_next(struct lane_leases *leases, int64_t now_us,
                                            int64_t lease_us, uint64_t busy, int64_t patience_us);

/* The lanes that have waited for LANE_LEASES_TELL_US to go to another worker. */
uint64_t lane_leases_waiting(const struct lane_leases *leases, int64_t now_us);

/* renewed: the lanes that the renewal has renewed or taken (0 for a look). */
void lane_leases_note_answer(struct lane_leases *leases, uint64_t renewed,
                             const struct lane_shares_view *view, int64_t now_us);

/* Refused, lost or not sent: it may have happened or not. */
void lane_leases_note_failure(struct lane_leases *leases, int64_t now_us);

/* When the first lane runs out, unless it is renewed. */
int64_t lane_leases_end_us(const struct lane_leases *leases);

/* When lane_leases_expire() or lane_leases_next() has something to do, if nothing else happens. */
int64_t lane_leases_next_us(const struct lane_leases *leases);

#endif
