/* SPDX-License-Identifier: MIT */
#include "worker/leasing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/lane_leases.h"
#include "db/lanes.h"
#include "worker/finding.h"
#include "worker/own_load.h"
#include "worker/own_problems.h"
#include "worker/promises.h"
#include "worker/recording.h"
#include "worker/reporting.h"
#include "worker/requiring.h"

#define RATE_SAMPLE_US 900000
#define WRITE_US       5000000 /* of the patience: for what came of a request to be written */

struct leasing {
    char owner[128];
    char host[64];
    int64_t started_us;
    struct lane_leases leases;
    uint64_t applied;                  /* the lanes that the reader owns */
    uint64_t left_at_read[LANE_COUNT]; /* number of the last read when the lane was left */
    bool is_releasing;
    bool is_released;
    int logged_lanes;   /* the number that was last said; -1 = none was */
    int64_t cut_off_us; /* since then rows can't be read; 0 = they can */
    int64_t sampled_us; /* the rate: deliveries between two renewals */
    uint64_t sampled_count;
    double rate;
};

/* The host for people, the process for people on it, and a number that no other start has. */
void leasing_init(struct worker *worker)
{
    struct leasing *leasing = worker->leasing = memory_new(1, sizeof(*leasing));

    if (gethostname(leasing->host, sizeof(leasing->host)) != 0)
        snprintf(leasing->host, sizeof(leasing->host), "unknown");
    leasing->host[sizeof(leasing->host) - 1] = '\0';
    snprintf(leasing->owner, sizeof(leasing->owner), "%s/%ld/%08x", leasing->host, (long)getpid(),
             (unsigned)arc4random());
    promises_set_owner(worker, leasing->owner);
    leasing->started_us = worker->now_us;
    leasing->logged_lanes = -1;
    lane_leases_init(&leasing->leases);
}

void leasing_free(struct worker *worker)
{
    free(worker->leasing);
}

const char *leasing_owner(const struct worker *worker)
{
    return worker->leasing->owner;
}

const struct lane_leases *leasing_leases(const struct worker *worker)
{
    return &worker->leasing->leases;
}

bool leasing_is_released(const struct worker *worker)
{
    return worker->leasing->is_released;
}

bool leasing_is_valid(const struct worker *worker)
{
    return worker->leasing->leases.owned != 0;
}

bool leasing_owns(const struct worker *worker, int lane)
{
    return finding_owns_lane(worker, lane);
}

bool leasing_may_start(const struct worker *worker, int lane)
{
    /* Not by the time of the turn: a process that was frozen within it would send by a lease that
     * has run out meanwhile. */
    return lane_leases_may_start(&worker->leasing->leases, lane, clock_monotonic_us());
}

static int64_t lease_us(const struct worker *worker)
{
    return worker->config->worker.lease_ms * 1000;
}

/*
 * A lane that is taken again waits for the answer of a read that was sent before it was left: it
 * shows the rows as they were before another worker had the lane.
 */
static bool is_read_answered(const struct worker *worker, int lane)
{
    uint64_t unanswered = finding_unanswered(worker);

    return unanswered == 0 || unanswered > worker->leasing->left_at_read[lane];
}

/* Tells the reader what is owned. */
static void apply(struct worker *worker)
{
    uint64_t owned = worker->leasing->leases.owned;
    uint64_t taken = 0;
    bool has_left = false;

    if (owned == worker->leasing->applied)
        return;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        bool is_owned = (owned & LANE_BIT(lane)) != 0;

        if (is_owned == finding_owns_lane(worker, lane))
            continue;
        if (!is_owned) {
            finding_disown_lane(worker, lane);
            worker->leasing->applied &= ~LANE_BIT(lane);
            worker->leasing->left_at_read[lane] = worker->deliveries.newest_read;
            has_left = true;
        } else if (is_read_answered(worker, lane)) {
            finding_own_lane(worker, lane);
            taken |= LANE_BIT(lane);
        }
    }
    worker->leasing->applied |= taken;
    if (taken != 0)
        endpoints_restart_rates(&worker->endpoints, taken, worker->now_us);
    if (has_left)
        finding_drop_unowned(worker);
}

/* Once for each change, when it is complete. */
static void log_lanes(struct worker *worker)
{
    struct leasing *leasing = worker->leasing;
    int lanes = lane_shares_count(leasing->leases.owned);

    if (lanes == leasing->logged_lanes || lanes != leasing->leases.share ||
        !leasing->leases.has_view || worker->phase != WORKER_RUNNING ||
        requiring_problem(worker) != NULL)
        return;
    leasing->logged_lanes = lanes;
    log_event(LOG_LEVEL_INFO,
              lanes > 0 ? "lanes are owned" : "standing by: other workers own the lanes",
              LOG_NUMBER("lanes", lanes), LOG_NUMBER("workers", leasing->leases.view.live),
              LOG_TEXT("owner", leasing->owner));
}

static void on_lanes_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct lane_leases *leases = &worker->leasing->leases;
    struct lane_shares_view view;

    if (answer->result == DB_REFUSED)
        reporting_refusal("asking for lanes was refused", answer);
    if (answer->result != DB_ANSWERED) {
        lane_leases_note_failure(leases, worker->now_us);
        return;
    }
    meter_note(&worker->meters.statements[STATEMENT_LEASES], worker->now_us - leases->asked_us);
    view = lanes_view(answer);
    lane_leases_note_answer(leases, lanes_renewed(answer, &leases->asked), &view, worker->now_us);
}

/* A request may be as long as its time-out, and a stop waits for longer where it is told to. */
static int64_t patience_us(const struct worker *worker)
{
    int64_t timeout_us = worker->config->delivery.timeout_ms * 1000 + WRITE_US;
    int64_t drain_us = worker->config->worker.drain_timeout_ms * 1000;

    return timeout_us > drain_us ? timeout_us : drain_us;
}

/* Once for each lane: by the oldest of what is still under way of it. */
static void warn_of_busy(const struct worker *worker, uint64_t lanes)
{
    for (uint64_t left = lanes; left != 0; left &= left - 1) {
        const struct delivery *delivery =
            deliveries_first_under_way(&worker->deliveries, left & -left);

        if (delivery == NULL)
            continue; /* all of it has ended meanwhile */
        log_event(LOG_LEVEL_WARNING,
                  "a lane goes to another worker although something of it is under way: it has "
                  "waited long enough, and the other one may send this delivery again",
                  LOG_NUMBER("lane", delivery->lane), LOG_TEXT("delivery", delivery->id),
                  LOG_TEXT("url", delivery->endpoint->url),
                  LOG_TEXT("state", delivery_state_name(delivery->state)),
                  LOG_NUMBER("since_ms", (worker->now_us - delivery->started_us) / 1000));
    }
}

static void sample_rate(struct worker *worker)
{
    struct leasing *leasing = worker->leasing;
    int64_t elapsed_us = worker->now_us - leasing->sampled_us;
    uint64_t count = reporting_totals(worker).delivered;

    if (elapsed_us < RATE_SAMPLE_US)
        return;
    leasing->rate = (double)(count - leasing->sampled_count) * 1e6 / (double)elapsed_us;
    leasing->sampled_us = worker->now_us;
    leasing->sampled_count = count;
}

/* As the configuration names it, and the audit reads it. */
static const char *attempt_log_name(enum config_attempt_log attempt_log)
{
    switch (attempt_log) {
    case ATTEMPT_LOG_FAILURES:
        return "failures";
    case ATTEMPT_LOG_ALL:
        return "all";
    case ATTEMPT_LOG_NONE:
        return "none";
    }
    bug("attempt_log %d", (int)attempt_log);
}

static bool send_request(struct worker *worker, const struct lane_leases_request *request)
{
    struct leasing *leasing = worker->leasing;
    char *problems = request->ask == LANE_LEASES_RENEW
                         ? own_problems_describe(worker, &leasing->leases, leasing->cut_off_us)
                         : NULL;
    char *busy = request->ask == LANE_LEASES_RENEW ? own_load_busy(worker) : NULL;
    char *defaults = request->ask == LANE_LEASES_RENEW ? own_load_defaults(worker->config) : NULL;
    struct reporting_totals totals = reporting_totals(worker);
    struct lanes_worker self = {
        .owner = leasing->owner,
        .host = leasing->host,
        .pid = getpid(),
        .version = POSTRIDER_VERSION,
        .uptime_ms = (worker->now_us - leasing->started_us) / 1000,
        .is_leaving = leasing->leases.is_leaving,
        .lanes = lane_shares_count(request->keep | request->take),
        .in_flight = (int64_t)worker->deliveries.counts[DELIVERY_IN_FLIGHT],
        .waiting = (int64_t)worker->deliveries.counts[DELIVERY_WAITING],
        .unwritten = (int64_t)recording_unwritten(worker),
        .delivered = totals.delivered,
        .retried = totals.retried,
        .failed = totals.failed,
        .rate = leasing->rate,
        .problems = problems,
        .attempt_log = attempt_log_name(worker->config->attempt_log),
        .busy = busy,
        .defaults = defaults,
        .timeout_ms = worker->config->delivery.timeout_ms,
    };
    bool is_sent = lanes_send(worker->writing, &self, request, worker->config->worker.lease_ms,
                              on_lanes_answered, worker);

    free(problems);
    free(busy);
    free(defaults);
    return is_sent;
}

static void ask(struct worker *worker)
{
    struct lane_leases *leases = &worker->leasing->leases;
    struct lane_leases_request request;
    uint64_t busy;

    if (!lane_leases_is_due(leases, worker->now_us))
        return;
    /* It walks all that is under way, so only when there is something to ask. */
    busy = deliveries_lanes_under_way(&worker->deliveries);
    request = lane_leases_next(leases, worker->now_us, lease_us(worker), busy, patience_us(worker));
    warn_of_busy(worker, request.release & busy);
    if (request.ask == LANE_LEASES_RENEW)
        sample_rate(worker);
    if (request.ask != LANE_LEASES_NOTHING && !send_request(worker, &request))
        lane_leases_note_failure(leases, worker->now_us);
}

/*
 * A worker that can't read rows, while it can still write, leaves its lanes to others, but not for
 * the moment that connecting again takes.
 */
static bool is_cut_off(struct worker *worker)
{
    int64_t *since_us = &worker->leasing->cut_off_us;

    if (worker_is_connected(worker)) {
        *since_us = 0;
        return false;
    }
    if (*since_us == 0)
        *since_us = worker->now_us;
    return worker->now_us - *since_us >= lease_us(worker) / 3;
}

static bool is_too_late(const struct worker *worker)
{
    const struct lane_leases *leases = &worker->leasing->leases;

    return leases->asked.ask != LANE_LEASES_NOTHING &&
           worker->now_us - leases->asked_us > lease_us(worker);
}

/* At a stop, with others to hand over to, it goes on until they wait for its lanes. */
static void leave(struct worker *worker)
{
    bool is_stopping = worker->phase != WORKER_RUNNING;
    bool is_hurried =
        !worker_is_connected(worker) || (is_stopping && worker->now_us >= worker->drain_until_us);

    bool is_useless = is_cut_off(worker) || requiring_problem(worker) != NULL;

    lane_leases_leave(&worker->leasing->leases, is_stopping || is_useless, is_hurried,
                      worker->now_us);
}

static bool may_ask(const struct worker *worker)
{
    return worker->is_schema_checked && requiring_lets_own_lanes(worker) &&
           db_link_is_up(worker->writing) && !worker->leasing->is_releasing &&
           !worker->leasing->is_released;
}

void leasing_step(struct worker *worker)
{
    struct leasing *leasing = worker->leasing;

    if (lane_leases_expire(&leasing->leases, worker->now_us) != 0)
        log_event(LOG_LEVEL_WARNING,
                  "the lease could not be renewed in time; nothing is sent until it is",
                  LOG_TEXT("owner", leasing->owner));
    /* The lease that it would renew has run out. A new connection may bring an answer sooner than
     * one that has been silent for so long. */
    if (is_too_late(worker))
        db_link_reset(worker->writing, "no answer within worker.lease");
    leave(worker);
    if (may_ask(worker))
        ask(worker);
    /* After asking, which gives lanes: their waiting rows are dropped before anything is sent in
     * this turn. */
    apply(worker);
    log_lanes(worker);
}

int64_t leasing_next_us(const struct worker *worker)
{
    const struct lane_leases *leases = &worker->leasing->leases;
    int64_t next_us = may_ask(worker) ? lane_leases_next_us(leases) : lane_leases_end_us(leases);

    if (leases->asked.ask != LANE_LEASES_NOTHING && leases->asked_us + lease_us(worker) < next_us)
        next_us = leases->asked_us + lease_us(worker) + 1;
    return next_us;
}

static void on_farewell_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->leasing->is_releasing = false;
    worker->leasing->is_released = true;
    if (answer->result == DB_REFUSED)
        reporting_refusal("handing lanes back was refused; they expire by themselves", answer);
}

bool leasing_release(struct worker *worker)
{
    struct leasing *leasing = worker->leasing;

    if (leasing->is_released || leasing->is_releasing)
        return leasing->is_released;
    leasing->is_releasing =
        lanes_send_farewell(worker->writing, leasing->owner, on_farewell_answered, worker);
    /* With no connection to say it on, the lanes expire by themselves. */
    leasing->is_released = !leasing->is_releasing;
    return leasing->is_released;
}
