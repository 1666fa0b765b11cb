/* SPDX-License-Identifier: MIT */
#include "worker/waking.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/wake_gain.h"
#include "db/wakeups.h"
#include "worker/finding.h"
#include "worker/reporting.h"

/* By our clock; less than what the database was told, since that is in whole seconds. */
#define ASKED_US  9000000
#define MARGIN_US 4000000

enum waking_state {
    WAKING_UNKNOWN, /* whether this connection may listen */
    WAKING_ASKED,   /* the database is being asked, or told to listen */
    WAKING_READY,
    WAKING_UNAVAILABLE,
};

struct waking {
    enum waking_state state;
    struct wake_gain gain;
    int64_t admitted_noted; /* of deliveries.admitted */
    bool is_notified;       /* a read must follow */
    int64_t asked_until_us; /* producers notify until then */
    int64_t poll_us;        /* the next poll while crowded */
};

void waking_init(struct worker *worker)
{
    worker->waking = memory_new(1, sizeof(*worker->waking));
    wake_gain_init(&worker->waking->gain, worker->now_us);
}

void waking_free(struct worker *worker)
{
    free(worker->waking);
}

void waking_restart(struct worker *worker)
{
    worker->waking->state = WAKING_UNKNOWN;
    worker->waking->asked_until_us = 0;
    worker->waking->is_notified = false;
}

void waking_note_notified(struct worker *worker)
{
    worker->waking->is_notified = true;
}

static void give_up(struct worker *worker, const char *reason)
{
    log_event(LOG_LEVEL_INFO, reason,
              LOG_NUMBER("poll_interval_ms", worker->config->worker.poll_interval_ms));
    worker->waking->state = WAKING_UNAVAILABLE;
}

static void refuse(struct worker *worker, const struct db_answer *answer)
{
    reporting_refusal("waiting for notifications was refused; due rows are found by polling",
                      answer);
    worker->waking->state = WAKING_UNAVAILABLE;
}

static void on_listen_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (answer->result == DB_REFUSED)
        refuse(worker, answer);
    else if (answer->result == DB_ANSWERED)
        worker->waking->state = WAKING_READY;
}

static void on_probe_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (answer->result == DB_REFUSED)
        refuse(worker, answer);
    else if (answer->result == DB_ANSWERED && !wakeups_are_possible(answer))
        give_up(worker, "max_prepared_transactions is above 0, and two-phase commit forbids "
                        "notifications: due rows are found by polling; set it to 0 in PostgreSQL "
                        "to be woken instead");
    else if (answer->result == DB_ANSWERED &&
             !wakeups_send_listen(worker->reading, wakeups_channel_of(answer), on_listen_answered,
                                  worker))
        worker->waking->state = WAKING_UNKNOWN;
}

static void on_ask_answered(void *owner, const struct db_answer *answer)
{
    if (answer->result == DB_REFUSED)
        refuse(owner, answer);
}

static void probe(struct worker *worker)
{
    if (!worker->is_schema_checked || !db_link_is_up(worker->reading))
        return;
    if (!db_link_is_direct(worker->reading))
        give_up(worker, "the database is behind a pooler, which has no notifications: due rows are "
                        "found by polling");
    else if (wakeups_send_probe(worker->reading, on_probe_answered, worker))
        worker->waking->state = WAKING_ASKED;
}

/* True when a wake-up would be a gain: there is nothing to read, and room for what comes. */
static bool wants_wakeups(const struct worker *worker)
{
    const struct wake_gain *gain = &worker->waking->gain;
    int64_t next_read_us = finding_next_us(worker);

    return worker->may_send && next_read_us != WORKER_NEVER && next_read_us > worker->now_us &&
           !wake_gain_is_busy(gain) && !wake_gain_is_crowded(gain, worker->now_us);
}

static void ask(struct worker *worker)
{
    struct waking *waking = worker->waking;

    if (!wakeups_send_ask(worker->reading, on_ask_answered, worker))
        return;
    if (worker->now_us >= waking->asked_until_us) {
        finding_wake(worker);
        log_event(LOG_LEVEL_DEBUG, "idle: producers are asked to notify");
    }
    waking->asked_until_us = worker->now_us + ASKED_US;
}

static void withdraw(struct worker *worker)
{
    if (!wakeups_send_withdraw(worker->reading, on_ask_answered, worker))
        return;
    worker->waking->asked_until_us = 0;
    log_event(LOG_LEVEL_DEBUG, "busy: producers need not notify");
}

/* A read that is outstanding may have begun too early, so the next one must follow it. */
static void read_when_notified(struct worker *worker)
{
    struct waking *waking = worker->waking;

    if (!waking->is_notified || finding_is_reading(worker))
        return;
    waking->is_notified = false;
    if (wake_gain_is_crowded(&waking->gain, worker->now_us))
        return;
    log_event(LOG_LEVEL_DEBUG, "notified: looking for due rows");
    wake_gain_note(&waking->gain, 0, 1, worker->now_us);
    finding_wake(worker);
}

static void poll_when_crowded(struct worker *worker)
{
    struct waking *waking = worker->waking;

    if (!wake_gain_is_crowded(&waking->gain, worker->now_us) || worker->now_us < waking->poll_us)
        return;
    waking->poll_us = worker->now_us + WAKE_GAIN_POLL_US;
    finding_wake(worker);
}

void waking_step(struct worker *worker)
{
    struct waking *waking = worker->waking;
    int64_t admitted = worker->deliveries.admitted;

    if (waking->state == WAKING_UNKNOWN)
        probe(worker);
    if (waking->state != WAKING_READY)
        return;
    wake_gain_note(&waking->gain, admitted - waking->admitted_noted, 0, worker->now_us);
    waking->admitted_noted = admitted;
    if (wake_gain_is_busy(&waking->gain) && worker->now_us < waking->asked_until_us)
        withdraw(worker);
    else if (wants_wakeups(worker) && worker->now_us >= waking->asked_until_us - MARGIN_US)
        ask(worker);
    read_when_notified(worker);
    poll_when_crowded(worker);
}

int64_t waking_next_us(const struct worker *worker)
{
    const struct waking *waking = worker->waking;
    int64_t next_us;

    if (waking->state != WAKING_READY)
        return WORKER_NEVER;
    if (wake_gain_is_crowded(&waking->gain, worker->now_us))
        return waking->poll_us;
    next_us = wake_gain_next_us(&waking->gain, worker->now_us);
    if (wants_wakeups(worker) && waking->asked_until_us - MARGIN_US < next_us)
        next_us = waking->asked_until_us - MARGIN_US;
    return next_us;
}
