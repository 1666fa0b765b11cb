/* SPDX-License-Identifier: MIT */
#include "worker/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "worker/alerting.h"
#include "worker/charting.h"
#include "worker/checking.h"
#include "worker/configuring.h"
#include "worker/connecting.h"
#include "worker/context.h"
#include "worker/disabling.h"
#include "worker/endpoint_forgetting.h"
#include "worker/erasing.h"
#include "worker/finding.h"
#include "worker/leasing.h"
#include "worker/loading.h"
#include "worker/monitoring.h"
#include "worker/promises.h"
#include "worker/promoted.h"
#include "worker/promoting.h"
#include "worker/recording.h"
#include "worker/refilling.h"
#include "worker/reloading.h"
#include "worker/replaying.h"
#include "worker/reporting.h"
#include "worker/requiring.h"
#include "worker/retaining.h"
#include "worker/sending.h"
#include "worker/supervision.h"
#include "worker/tracing.h"
#include "worker/waking.h"

#define REAP_PAUSE_US 1000000

/* When the drain is over but outcomes can't be written, they get this much longer. */
#define LAST_WRITE_US 2000000

static void begin_drain(struct worker *worker)
{
    worker->phase = WORKER_DRAINING;
    worker->drain_until_us = worker->now_us + worker->config->worker.drain_timeout_ms * 1000;
    supervision_note_stopping();
    finding_drop_unowned(worker);
    recording_begin_last_try(worker);
    log_event(LOG_LEVEL_INFO, "stopping: finishing what is in flight",
              LOG_NUMBER("in_flight", (int64_t)sending_in_flight(worker)),
              LOG_NUMBER("to_record", (int64_t)recording_unwritten(worker)));
}

static void stop_now(struct worker *worker)
{
    log_event(LOG_LEVEL_WARNING, "stopping at once: what is in flight will be sent again",
              LOG_NUMBER("in_flight", (int64_t)sending_in_flight(worker)),
              LOG_NUMBER("unrecorded", (int64_t)recording_unwritten(worker)));
    sending_abandon(worker);
    tracing_abandon(worker);
    worker->exit_status = recording_unwritten(worker) > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    worker->phase = WORKER_DONE;
}

/* The first signal drains, the second ends it. */
static void stop_step(struct worker *worker)
{
    for (; worker->loop.stops_wanted > 0 && worker->phase != WORKER_DONE;
         worker->loop.stops_wanted--) {
        if (worker->phase == WORKER_RUNNING)
            begin_drain(worker);
        else
            stop_now(worker);
    }
}

/* All that is left to do are outcomes that the database does not take. */
static bool is_hopeless(const struct worker *worker)
{
    return sending_in_flight(worker) == 0 && recording_is_hopeless(worker);
}

/* What did not end within drain_timeout is abandoned: its rows are pending as before. */
static void drain_step(struct worker *worker)
{
    bool is_late = worker->now_us >= worker->drain_until_us;

    if (is_late && sending_in_flight(worker) > 0) {
        log_event(LOG_LEVEL_WARNING,
                  "worker.drain_timeout is over: requests in flight are abandoned "
                  "and will be sent again",
                  LOG_NUMBER("in_flight", (int64_t)sending_in_flight(worker)));
        sending_abandon(worker);
        worker->drain_until_us = worker->now_us + LAST_WRITE_US;
        is_late = false;
    }
    if (recording_unwritten(worker) > 0 && (is_late || is_hopeless(worker))) {
        stop_now(worker);
        return;
    }
    if (sending_in_flight(worker) > 0 || recording_unwritten(worker) > 0 ||
        recording_is_owing(worker) || leasing_is_valid(worker))
        return;
    if (!charting_finish(worker) && !is_late)
        return;
    if (leasing_release(worker) || is_late) {
        log_event(LOG_LEVEL_INFO, "stopped");
        worker->phase = WORKER_DONE;
    }
}

static int64_t next_us(const struct worker *worker)
{
    int64_t next = worker->reap_us;

    next = loop_earlier(next, waking_next_us(worker));
    next = loop_earlier(next, erasing_next_us(worker));
    next = loop_earlier(next, finding_next_us(worker));
    next = loop_earlier(next, sending_next_us(worker));
    next = loop_earlier(next, loading_next_us(worker));
    next = loop_earlier(next, recording_next_us(worker));
    next = loop_earlier(next, promises_next_us(worker));
    next = loop_earlier(next, promoting_next_us(worker));
    next = loop_earlier(next, requiring_next_us(worker));
    next = loop_earlier(next, connecting_next_us(worker));
    next = loop_earlier(next, leasing_next_us(worker));
    next = loop_earlier(next, disabling_next_us(worker));
    next = loop_earlier(next, retaining_next_us(worker));
    next = loop_earlier(next, replaying_next_us(worker));
    next = loop_earlier(next, checking_next_us(worker));
    next = loop_earlier(next, alerting_next_us(worker));
    next = loop_earlier(next, charting_next_us(worker));
    next = loop_earlier(next, tracing_next_us(worker));
    next = loop_earlier(next, supervision_next_us(worker));
    if (worker->phase == WORKER_DRAINING)
        next = loop_earlier(next, worker->drain_until_us);
    return next;
}

static void set_wake(struct worker *worker, bool has_more)
{
    loop_wake_at(&worker->loop, has_more ? worker->now_us : next_us(worker));
}

static void reap(struct worker *worker)
{
    deliveries_reap(&worker->deliveries, finding_unanswered(worker));
    if (worker->now_us < worker->reap_us)
        return;
    endpoints_reap(&worker->endpoints, worker->now_us);
    worker->reap_us = worker->now_us + REAP_PAUSE_US;
}

static bool may_send(const struct worker *worker)
{
    return worker->phase != WORKER_DONE && worker->is_schema_checked && requiring_is_met(worker) &&
           worker_is_connected(worker) && leasing_is_valid(worker);
}

/* One loop turn, in its written order (worker.h). */
static void turn(struct worker *worker)
{
    bool has_more;

    worker->now_us = loop_wait(&worker->loop);
    stop_step(worker);
    has_more = sending_collect(worker);
    connecting_collect(worker);
    requiring_step(worker);
    connecting_step(worker);
    charting_step(worker);
    leasing_step(worker);
    worker->may_send = may_send(worker);
    reloading_step(worker);
    has_more = sending_step(worker) || has_more;
    loading_step(worker);
    waking_step(worker);
    erasing_step(worker);
    finding_step(worker);
    recording_step(worker);
    promises_step(worker);
    promoting_step(worker);
    disabling_step(worker);
    retaining_step(worker);
    replaying_step(worker);
    checking_step(worker);
    alerting_step(worker);
    monitoring_step(worker);
    tracing_step(worker);
    supervision_step(worker);
    if (worker->phase == WORKER_DRAINING)
        drain_step(worker);
    reap(worker);
    set_wake(worker, has_more);
    meter_note(&worker->meters.loop_lag, clock_monotonic_us() - worker->now_us);
}

static bool init(struct worker *worker, struct config *config, struct error *error)
{
    worker->config = config;
    worker->now_us = clock_monotonic_us();
    deliveries_init(&worker->deliveries);
    endpoints_init(&worker->endpoints);
    loop_init(&worker->loop);
    reporting_init(worker);
    if (!sending_init(worker, error) || !monitoring_init(worker, error))
        return false;
    finding_init(worker);
    refilling_init(worker);
    waking_init(worker);
    loading_init(worker);
    recording_init(worker);
    promises_init(worker);
    promoted_init(worker);
    promoting_init(worker);
    disabling_init(worker);
    erasing_init(worker);
    leasing_init(worker);
    requiring_init(worker);
    retaining_init(worker);
    replaying_init(worker);
    checking_init(worker);
    alerting_init(worker);
    charting_init(worker);
    tracing_init(worker);
    supervision_init(worker);
    connecting_init(worker);
    configuring_apply(worker, config);
    set_wake(worker, true);
    return true;
}

static void finish(struct worker *worker)
{
    sending_abandon(worker);
    connecting_free(worker);
    tracing_finish(worker);
    tracing_free(worker);
    finding_free(worker);
    refilling_free(worker);
    waking_free(worker);
    loading_free(worker);
    recording_free(worker);
    promoting_free(worker);
    promoted_free(worker);
    promises_free(worker);
    disabling_free(worker);
    erasing_free(worker);
    leasing_free(worker);
    requiring_free(worker);
    retaining_free(worker);
    replaying_free(worker);
    checking_free(worker);
    alerting_free(worker);
    charting_free(worker);
    supervision_free(worker);
}

int worker_run(struct config *config)
{
    struct worker *worker = memory_new(1, sizeof(*worker));
    struct error error;
    int status = EXIT_FAILURE;

    if (init(worker, config, &error)) {
        log_event(LOG_LEVEL_INFO, "postrider is running", LOG_STRING("version", POSTRIDER_VERSION),
                  LOG_TEXT("owner", leasing_owner(worker)), LOG_TEXT("config", config->file));
        supervision_note_ready(worker);
        while (worker->phase != WORKER_DONE)
            turn(worker);
        finish(worker);
        status = worker->exit_status;
    } else {
        log_event(LOG_LEVEL_ERROR, "the worker can't start", LOG_STRING("error", error.message),
                  LOG_IF(error.hint[0] != '\0', LOG_STRING("hint", error.hint)));
    }
    deliveries_free(&worker->deliveries);
    endpoints_free(&worker->endpoints);
    sending_free(worker);
    monitoring_free(worker);
    reporting_free(worker);
    loop_free(&worker->loop);
    free(worker);
    return status;
}
