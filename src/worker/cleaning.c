#include "worker/cleaning.h"

#include "db/retention.h"
#include "worker/report.h"

static bool is_mine(const struct worker *worker)
{
    const struct config *config = worker->config;

    return worker->may_send && finder_owns(&worker->finding.finder, 0) &&
           (config->retention.delivered_ms > 0 || config->retention.failed_ms > 0);
}

static void on_cleaned(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    bool has_more = answer->result == DB_ANSWERED && retention_has_more(answer);

    worker->is_cleaning = false;
    worker->clean_us = worker->now_us + (has_more ? CLEANING_PAUSE_US : CLEANING_REST_US);
    if (answer->result == DB_REFUSED)
        report_refusal("deleting old deliveries was refused", answer);
}

void cleaning_step(struct worker *worker)
{
    if (worker->is_cleaning || worker->now_us < worker->clean_us || !is_mine(worker))
        return;
    worker->is_cleaning = retention_send(worker->writing, worker->config->retention.delivered_ms,
                                         worker->config->retention.failed_ms, on_cleaned, worker);
}

int64_t cleaning_next_us(const struct worker *worker)
{
    return worker->is_cleaning || !is_mine(worker) ? WORKER_NEVER : worker->clean_us;
}
