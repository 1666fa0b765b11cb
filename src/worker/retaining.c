/* SPDX-License-Identifier: MIT */
#include "worker/retaining.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "core/wall_guard.h"
#include "db/history.h"
#include "db/payload_retention.h"
#include "db/retention.h"
#include "worker/finding.h"
#include "worker/reporting.h"

struct batches {
    bool is_running;
    int64_t due_us; /* the next one */
};

/* What came of age longer ago than this before a pass was done by the last one. */
#define WINDOW_MS INT64_C(259200000)

struct retaining {
    struct batches deliveries, endpoints, events;
    struct batches payloads, event_payloads, history;
    struct payload_place payload_place;
    struct retention_place event_payload_place;
    bool has_passed_events;       /* all of them, since lane 0 is here */
    struct retention_place place; /* the next batch of events begins behind it */
    struct wall_guard wall;       /* the time that retention goes by */
};

void retaining_init(struct worker *worker)
{
    worker->retaining = memory_new(1, sizeof(*worker->retaining));
}

void retaining_free(struct worker *worker)
{
    free(worker->retaining);
}

static bool is_mine(const struct worker *worker)
{
    return worker->may_send && finding_owns_lane(worker, 0);
}

static void finish(struct worker *worker, struct batches *batches, const struct db_answer *answer,
                   bool has_more, const char *refusal)
{
    batches->is_running = false;
    batches->due_us = worker->now_us + (has_more ? RETAINING_PAUSE_US : RETAINING_REST_US);
    if (answer->result == DB_REFUSED)
        reporting_refusal(refusal, answer);
}

static void on_deliveries_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct retention_counts counts = {0};

    if (answer->result == DB_ANSWERED)
        retention_count_deliveries(answer, &counts);
    reporting_removals(worker, &counts);
    finish(worker, &worker->retaining->deliveries, answer,
           answer->result == DB_ANSWERED && retention_has_more(answer),
           "deleting old deliveries was refused");
}

static void on_endpoints_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct retention_counts counts = {0};

    if (answer->result == DB_ANSWERED)
        retention_count_endpoints(answer, &counts);
    reporting_removals(worker, &counts);
    finish(worker, &worker->retaining->endpoints, answer,
           answer->result == DB_ANSWERED && retention_has_more(answer),
           "deleting rows of endpoints that nothing needs was refused");
}

static void on_events_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct retention_counts counts = {0};
    bool has_more = answer->result == DB_ANSWERED &&
                    retention_count_events(answer, &counts, &worker->retaining->place);

    reporting_removals(worker, &counts);
    finish(worker, &worker->retaining->events, answer, has_more, "deleting old events was refused");
}

/* Of what nobody misses but charts: it is not logged. */
static void on_history_expired(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    finish(worker, &worker->retaining->history, answer,
           answer->result == DB_ANSWERED && history_has_expired_more(answer),
           "deleting the old history of charts was refused");
}

/* Between two passes. */
static int64_t rest_us(const struct worker *worker)
{
    int64_t rest = worker->config->retention.payload_ms * 1000 / 20;

    if (rest < RETAINING_REST_US)
        return RETAINING_REST_US;
    return rest < RETAINING_REST_MAX_US ? rest : RETAINING_REST_MAX_US;
}

static void on_payloads_erased(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct retaining *retaining = worker->retaining;
    struct retention_counts counts = {0};
    bool is_over = answer->result == DB_ANSWERED &&
                   !payload_retention_count(answer, random01(), &counts, &retaining->payload_place);

    reporting_removals(worker, &counts);
    finish(worker, &retaining->payloads, answer, answer->result == DB_ANSWERED,
           "erasing the payloads of old deliveries was refused");
    if (is_over)
        retaining->payloads.due_us = worker->now_us + rest_us(worker);
}

static void on_event_payloads_erased(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct retaining *retaining = worker->retaining;
    struct retention_counts counts = {0};
    bool is_over =
        answer->result == DB_ANSWERED &&
        !payload_retention_count_events(answer, &counts, &retaining->event_payload_place);

    reporting_removals(worker, &counts);
    finish(worker, &retaining->event_payloads, answer, answer->result == DB_ANSWERED,
           "erasing the payloads of old events was refused");
    if (!is_over)
        return;
    retaining->has_passed_events = true;
    retaining->event_payloads.due_us = worker->now_us + rest_us(worker);
}

static bool is_due(const struct worker *worker, const struct batches *batches)
{
    return !batches->is_running && worker->now_us >= batches->due_us;
}

static bool wants_deliveries(const struct worker *worker)
{
    return worker->config->retention.delivered_ms > 0 || worker->config->retention.failed_ms > 0;
}

static int64_t time_s(struct worker *worker)
{
    return wall_guard_time_s(&worker->retaining->wall, worker->now_us, clock_wall_s());
}

/* Lane 0 is somebody else's. */
static void forget_places(struct retaining *retaining)
{
    retaining->has_passed_events = false;
    retaining->event_payload_place = (struct retention_place){"", ""};
}

static void erase_payloads(struct worker *worker)
{
    struct retaining *retaining = worker->retaining;
    const char *schema = worker->config->database.schema;
    int64_t age_ms = worker->config->retention.payload_ms;
    /* A pass begins where the rest of the last one has brought new ones. */
    int64_t window_ms = retaining->has_passed_events ? WINDOW_MS + rest_us(worker) / 1000 : 0;

    if (age_ms == 0)
        return;
    if (is_due(worker, &retaining->payloads))
        retaining->payloads.is_running =
            payload_retention_send(worker->writing, schema, age_ms, time_s(worker),
                                   &retaining->payload_place, on_payloads_erased, worker);
    if (is_due(worker, &retaining->event_payloads))
        retaining->event_payloads.is_running = payload_retention_send_events(
            worker->writing, schema, age_ms, time_s(worker), window_ms,
            &retaining->event_payload_place, on_event_payloads_erased, worker);
}

void retaining_step(struct worker *worker)
{
    const struct config *config = worker->config;
    struct retaining *retaining = worker->retaining;
    const char *schema = config->database.schema;

    if (!is_mine(worker)) {
        reporting_last_removals(worker);
        forget_places(retaining);
        return;
    }
    erase_payloads(worker);
    if (wants_deliveries(worker) && is_due(worker, &retaining->deliveries))
        retaining->deliveries.is_running = retention_send(
            worker->writing, schema, config->retention.delivered_ms, config->retention.failed_ms,
            time_s(worker), on_deliveries_cleaned, worker);
    if (config->retention.events_ms > 0 && is_due(worker, &retaining->events))
        retaining->events.is_running =
            retention_send_events(worker->writing, schema, config->retention.events_ms,
                                  time_s(worker), &retaining->place, on_events_cleaned, worker);
    if (is_due(worker, &retaining->history))
        retaining->history.is_running =
            history_send_expire(worker->writing, config->retention.history_ms, time_s(worker),
                                on_history_expired, worker);
    if (is_due(worker, &retaining->endpoints))
        retaining->endpoints.is_running =
            retention_send_endpoints(worker->writing, schema, on_endpoints_cleaned, worker);
}

static int64_t next_us(bool is_wanted, const struct batches *batches, int64_t other_us)
{
    int64_t due_us = !is_wanted || batches->is_running ? WORKER_NEVER : batches->due_us;

    return due_us < other_us ? due_us : other_us;
}

int64_t retaining_next_us(const struct worker *worker)
{
    const struct retaining *retaining = worker->retaining;
    bool wants_events = worker->config->retention.events_ms > 0;
    bool wants_payloads = worker->config->retention.payload_ms > 0;
    int64_t due_us = WORKER_NEVER;

    if (!is_mine(worker))
        return WORKER_NEVER;
    due_us = next_us(true, &retaining->endpoints, due_us);
    due_us = next_us(true, &retaining->history, due_us);
    due_us = next_us(wants_deliveries(worker), &retaining->deliveries, due_us);
    due_us = next_us(wants_events, &retaining->events, due_us);
    due_us = next_us(wants_payloads, &retaining->payloads, due_us);
    return next_us(wants_payloads, &retaining->event_payloads, due_us);
}
