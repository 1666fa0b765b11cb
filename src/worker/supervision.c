/* SPDX-License-Identifier: MIT */
#include "worker/supervision.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/memory.h"
#include "worker/leasing.h"
#include "worker/recording.h"
#include "worker/reporting.h"
#include "worker/requiring.h"
#include "worker/sending.h"

#define STATUS_PAUSE_US 5000000

struct supervision {
    int64_t watchdog_us;        /* 0 = systemd doesn't want pings */
    int64_t ping_us;            /* next ping and status line */
    const char *condition_told; /* the status line's first words; a constant */
};

void supervision_init(struct worker *worker)
{
    uint64_t watchdog_us = 0;

    worker->supervision = memory_new(1, sizeof(*worker->supervision));

    /* Half of the time-out, as sd_watchdog_enabled(3) recommends. */
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        worker->supervision->watchdog_us = (int64_t)watchdog_us / 2;
}

void supervision_free(struct worker *worker)
{
    free(worker->supervision);
}

/* One of a few constants. */
static const char *condition(const struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING)
        return "stopping";
    if (!db_link_is_up(worker->reading) || !db_link_is_up(worker->writing))
        return "waiting for the database";
    if (requiring_problem(worker) != NULL)
        return "nothing is sent";
    return leasing_is_valid(worker) ? "delivering" : "standing by";
}

static void format_status(const struct worker *worker, char *text, size_t size)
{
    const char *problem = requiring_problem(worker);
    struct reporting_totals totals = reporting_totals(worker);

    snprintf(text, size,
             "%s%s%s; %zu in flight, %zu waiting, %zu to record; delivered %" PRIu64
             ", retried %" PRIu64 ", failed %" PRIu64,
             condition(worker), problem != NULL ? ": " : "", problem != NULL ? problem : "",
             sending_in_flight(worker), worker->deliveries.counts[DELIVERY_WAITING],
             recording_unwritten(worker), totals.delivered, totals.retried, totals.failed);
}

static int64_t pause_us(const struct worker *worker)
{
    int64_t watchdog_us = worker->supervision->watchdog_us;

    return watchdog_us > 0 && watchdog_us < STATUS_PAUSE_US ? watchdog_us : STATUS_PAUSE_US;
}

/* first: a line that goes before. */
static void tell_status(struct worker *worker, const char *first)
{
    struct supervision *supervision = worker->supervision;
    char status[1024];

    supervision->ping_us = worker->now_us + pause_us(worker);
    supervision->condition_told = condition(worker);
    format_status(worker, status, sizeof(status));
    /* Fails only when systemd has gone; there is nobody to tell. */
    (void)sd_notifyf(0, "%s%sSTATUS=%s", first, supervision->watchdog_us > 0 ? "WATCHDOG=1\n" : "",
                     status);
}

void supervision_note_ready(struct worker *worker)
{
    tell_status(worker, "READY=1\n");
}

/* MONOTONIC_USEC is what Type=notify-reload wants; Type=notify ignores it. */
void supervision_note_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
}

void supervision_note_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void supervision_step(struct worker *worker)
{
    const struct supervision *supervision = worker->supervision;

    if (worker->now_us < supervision->ping_us && condition(worker) == supervision->condition_told)
        return;
    tell_status(worker, "");
}

int64_t supervision_next_us(const struct worker *worker)
{
    return worker->supervision->ping_us;
}
