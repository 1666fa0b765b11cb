#include "worker/cleaning.h"

#include "base/clock.h"
#include "db/retention.h"
#include "worker/report.h"

static bool is_mine(const struct worker *worker)
{
    return worker->may_send && finder_owns(&worker->finding.finder, 0);
}

static void finish(struct worker *worker, struct cleaning *cleaning, const struct db_answer *answer,
                   const char *refusal)
{
    bool has_more = answer->result == DB_ANSWERED && retention_has_more(answer);

    cleaning->is_running = false;
    cleaning->due_us = worker->now_us + (has_more ? CLEANING_PAUSE_US : CLEANING_REST_US);
    if (answer->result == DB_REFUSED)
        report_refusal(refusal, answer);
    report_removals(worker, false);
}

static void on_deliveries_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (answer->result == DB_ANSWERED)
        retention_count_deliveries(answer, &worker->reporting.removals_unlogged);
    finish(worker, &worker->cleaning_deliveries, answer, "deleting old deliveries was refused");
}

static void on_endpoints_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (answer->result == DB_ANSWERED)
        retention_count_endpoints(answer, &worker->reporting.removals_unlogged);
    finish(worker, &worker->cleaning_endpoints, answer,
           "deleting rows of endpoints that nothing needs was refused");
}

static bool is_due(const struct worker *worker, const struct cleaning *cleaning)
{
    return !cleaning->is_running && worker->now_us >= cleaning->due_us;
}

static bool wants_deliveries(const struct worker *worker)
{
    return worker->config->retention.delivered_ms > 0 || worker->config->retention.failed_ms > 0;
}

void cleaning_step(struct worker *worker)
{
    const struct config *config = worker->config;

    if (!is_mine(worker)) {
        report_removals(worker, true);
        return;
    }
    if (wants_deliveries(worker) && is_due(worker, &worker->cleaning_deliveries))
        worker->cleaning_deliveries.is_running = retention_send(
            worker->writing, config->retention.delivered_ms, config->retention.failed_ms,
            wall_guard_time_s(&worker->wall, worker->now_us, clock_wall_s()), on_deliveries_cleaned,
            worker);
    if (is_due(worker, &worker->cleaning_endpoints))
        worker->cleaning_endpoints.is_running =
            retention_send_endpoints(worker->writing, on_endpoints_cleaned, worker);
}

static int64_t next_us(const struct cleaning *cleaning)
{
    return cleaning->is_running ? WORKER_NEVER : cleaning->due_us;
}

int64_t cleaning_next_us(const struct worker *worker)
{
    int64_t endpoints_us = next_us(&worker->cleaning_endpoints);
    int64_t deliveries_us =
        wants_deliveries(worker) ? next_us(&worker->cleaning_deliveries) : WORKER_NEVER;

    if (!is_mine(worker))
        return WORKER_NEVER;
    return endpoints_us < deliveries_us ? endpoints_us : deliveries_us;
}
