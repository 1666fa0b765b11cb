/* SPDX-License-Identifier: MIT */
#include "worker/retaining.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "core/wall_guard.h"
#include "db/retention.h"
#include "worker/finding.h"
#include "worker/reporting.h"

struct batches {
    bool is_running;
    int64_t due_us; /* the next one */
};

struct retaining {
    struct batches deliveries, endpoints, events;
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

static bool is_due(const struct worker *worker, const struct batches *batches)
{
    return !batches->is_running && worker->now_us >= batches->due_us;
}

static bool wants_deliveries(const struct worker *worker)
{
    return worker->config->retention.delivered_ms > 0 || worker->config->retention.failed_ms > 0;
}

void retaining_step(struct worker *worker)
{
    const struct config *config = worker->config;
    struct retaining *retaining = worker->retaining;

    if (!is_mine(worker)) {
        reporting_last_removals(worker);
        return;
    }
    if (wants_deliveries(worker) && is_due(worker, &retaining->deliveries))
        retaining->deliveries.is_running = retention_send(
            worker->writing, config->retention.delivered_ms, config->retention.failed_ms,
            wall_guard_time_s(&retaining->wall, worker->now_us, clock_wall_s()),
            on_deliveries_cleaned, worker);
    if (config->retention.events_ms > 0 && is_due(worker, &retaining->events))
        retaining->events.is_running = retention_send_events(
            worker->writing, config->retention.events_ms,
            wall_guard_time_s(&retaining->wall, worker->now_us, clock_wall_s()), &retaining->place,
            on_events_cleaned, worker);
    if (is_due(worker, &retaining->endpoints))
        retaining->endpoints.is_running =
            retention_send_endpoints(worker->writing, on_endpoints_cleaned, worker);
}

static int64_t next_us(const struct batches *batches)
{
    return batches->is_running ? WORKER_NEVER : batches->due_us;
}

int64_t retaining_next_us(const struct worker *worker)
{
    int64_t endpoints_us = next_us(&worker->retaining->endpoints);
    int64_t deliveries_us =
        wants_deliveries(worker) ? next_us(&worker->retaining->deliveries) : WORKER_NEVER;

    int64_t events_us = worker->config->retention.events_ms > 0
                            ? next_us(&worker->retaining->events)
                            : WORKER_NEVER;

    if (!is_mine(worker))
        return WORKER_NEVER;
    if (events_us < deliveries_us)
        deliveries_us = events_us;
    return endpoints_us < deliveries_us ? endpoints_us : deliveries_us;
}
