#include "worker/leasing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "db/lanes.h"
#include "worker/report.h"

#define STANDBY_PAUSE_US 1000000

/* The host for people, the process for people on it, and a number that no other start has. */
void leasing_init(struct worker *worker)
{
    char host[64];

    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "unknown");
    host[sizeof(host) - 1] = '\0';
    snprintf(worker->leasing.owner, sizeof(worker->leasing.owner), "%s/%ld/%08x", host,
             (long)getpid(), (unsigned)arc4random());
}

bool leasing_is_valid(const struct worker *worker)
{
    return worker->leasing.lanes > 0 && worker->now_us < worker->leasing.until_us;
}

static int64_t lease_us(const struct worker *worker)
{
    return worker->config->worker.lease_ms * 1000;
}

static void own_lanes(struct worker *worker, const bool *is_mine)
{
    struct finder *finder = &worker->finding.finder;
    int lanes = 0;

    for (int lane = 0; lane < FINDER_LANES; lane++) {
        lanes += is_mine[lane];
        if (is_mine[lane])
            finder_own(finder, lane);
        else
            finder_disown(finder, lane);
    }
    if (lanes != worker->leasing.lanes)
        log_event(LOG_LEVEL_INFO,
                  lanes > 0 ? "lanes are owned" : "lanes are owned by another worker",
                  LOG_NUMBER("lanes", lanes), LOG_TEXT("owner", worker->leasing.owner));
    worker->leasing.lanes = lanes;
    worker_drop_waiting(worker);
}

static void lose_lanes(struct worker *worker)
{
    const bool none[FINDER_LANES] = {false};

    log_event(LOG_LEVEL_WARNING,
              "the lease could not be renewed in time; nothing is sent until it is",
              LOG_TEXT("owner", worker->leasing.owner));
    own_lanes(worker, none);
}

static void note_standby(struct worker *worker)
{
    struct leasing *leasing = &worker->leasing;

    if (leasing->lanes == 0 && !leasing->is_standby)
        log_event(LOG_LEVEL_INFO, "standing by: another worker owns the lanes",
                  LOG_TEXT("owner", leasing->owner));
    leasing->is_standby = leasing->lanes == 0;
    if (leasing->is_standby && leasing->next_us > worker->now_us + STANDBY_PAUSE_US)
        leasing->next_us = worker->now_us + STANDBY_PAUSE_US;
}

static void on_lease_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct leasing *leasing = &worker->leasing;
    bool is_mine[FINDER_LANES] = {false};

    leasing->is_asking = false;
    if (answer->result == DB_REFUSED)
        report_refusal("taking lanes was refused", answer);
    if (answer->result != DB_ANSWERED)
        return;
    for (int i = 0; i < PQntuples(answer->results[0]); i++) {
        int lane = lanes_lane_at(answer->results[0], i);

        if (lane >= 0 && lane < FINDER_LANES)
            is_mine[lane] = true;
    }
    leasing->until_us = leasing->asked_us + lease_us(worker);
    own_lanes(worker, is_mine);
    note_standby(worker);
}

static bool is_too_late(const struct worker *worker)
{
    return worker->leasing.is_asking &&
           worker->now_us - worker->leasing.asked_us > lease_us(worker);
}

void leasing_step(struct worker *worker)
{
    struct leasing *leasing = &worker->leasing;

    if (leasing->lanes > 0 && worker->now_us >= leasing->until_us)
        lose_lanes(worker);
    if (is_too_late(worker))
        db_link_reset(worker->writing, "no answer within worker.lease");
    if (leasing->is_asking || leasing->is_releasing || leasing->is_released ||
        !worker->is_schema_checked || worker->now_us < leasing->next_us)
        return;
    leasing->is_asking =
        lanes_send_lease(worker->writing, leasing->owner, worker->config->worker.lease_ms,
                         on_lease_answered, worker);
    if (!leasing->is_asking)
        return;
    leasing->asked_us = worker->now_us;
    leasing->next_us = worker->now_us + lease_us(worker) / 3;
}

int64_t leasing_next_us(const struct worker *worker)
{
    const struct leasing *leasing = &worker->leasing;
    int64_t next_us = leasing->lanes > 0 ? leasing->until_us : WORKER_NEVER;

    if (leasing->is_asking && leasing->asked_us + lease_us(worker) < next_us)
        next_us = leasing->asked_us + lease_us(worker) + 1;
    if (!leasing->is_asking && db_link_is_up(worker->writing) && leasing->next_us < next_us)
        next_us = leasing->next_us;
    return next_us;
}

static void on_release_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->leasing.is_releasing = false;
    worker->leasing.is_released = true;
    if (answer->result == DB_REFUSED)
        report_refusal("handing lanes back was refused; they expire by themselves", answer);
}

bool leasing_release(struct worker *worker)
{
    struct leasing *leasing = &worker->leasing;

    if (leasing->is_released || leasing->is_releasing)
        return leasing->is_released;
    leasing->is_releasing =
        lanes_send_release(worker->writing, leasing->owner, on_release_answered, worker);
    leasing->is_released = !leasing->is_releasing;
    return leasing->is_released;
}
