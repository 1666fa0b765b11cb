/* SPDX-License-Identifier: MIT */
#include "worker/reporting.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/advice.h"
#include "worker/counting.h"

#define RETRY_LINE_US     1000000
#define SECRET_LINE_US    1000000
#define REMOVALS_LINE_US  60000000
#define UNSETTLED_LINE_US 1000000
#define HINT_SIZE         512

/* Of lines that would be too many when all endpoints get into the same trouble. */
struct reporting {
    int64_t unopened_us; /* when the last one was written; 0 = never */
    int64_t unopened_unlogged;
    int64_t removal_us; /* the same of what retention deletes */
    struct retention_counts removals_unlogged;
    int64_t unsettled_us; /* the same of outcomes that do not stay */
    int64_t unsettled_unlogged;
    int64_t returned_us; /* the same of rows that come back as they were */
    int64_t returned_unlogged;
    int64_t unread_us; /* the same of secrets that can't be read beside others */
    int64_t unread_unlogged;
    struct reporting_totals totals;
};

void reporting_init(struct worker *worker)
{
    worker->reporting = memory_new(1, sizeof(*worker->reporting));
}

void reporting_free(struct worker *worker)
{
    free(worker->reporting);
}

struct reporting_totals reporting_totals(const struct worker *worker)
{
    return worker->reporting->totals;
}

static int attempt_number(const struct delivery *delivery)
{
    return delivery->attempts < 0 ? 1 : delivery->attempts + (delivery->attempts < INT32_MAX);
}

#define IDENTITY(d)                                                                                \
    LOG_STRING("delivery", (d)->id), LOG_STRING("event", (d)->event_id),                           \
        LOG_STRING("customer", (d)->endpoint->customer_id), LOG_STRING("url", (d)->endpoint->url), \
        LOG_NUMBER("attempt", attempt_number(d)),                                                  \
        LOG_IF((d)->trace_id[0] != '\0', LOG_STRING("trace_id", (d)->trace_id))

#define STATUS(d) LOG_IF((d)->response_status != 0, LOG_NUMBER("status", (d)->response_status))

static int64_t duration_ms(const struct delivery *delivery)
{
    return (delivery->finished_us - delivery->started_us) / 1000;
}

static void reporting_retry(struct worker *worker, struct delivery *delivery)
{
    struct endpoint *endpoint = delivery->endpoint;

    if (endpoint->logged_us != 0 && worker->now_us - endpoint->logged_us < RETRY_LINE_US) {
        endpoint->unlogged++;
        return;
    }
    log_event(LOG_LEVEL_INFO, "delivery is retried", IDENTITY(delivery), STATUS(delivery),
              LOG_TEXT("error", delivery->error), LOG_NUMBER("duration_ms", duration_ms(delivery)),
              LOG_NUMBER("delay_ms", delivery->outcome.delay_ms),
              LOG_IF(endpoint->unlogged > 0, LOG_NUMBER("unlogged", endpoint->unlogged)));
    endpoint->logged_us = worker->now_us;
    endpoint->unlogged = 0;
}

void reporting_outcome(struct worker *worker, struct delivery *delivery)
{
    struct reporting_totals *totals = &worker->reporting->totals;

    counting_outcome(worker, delivery);
    switch (delivery->outcome.kind) {
    case OUTCOME_DELIVERED:
        totals->delivered++;
        if (log_is_enabled(LOG_LEVEL_DEBUG))
            log_event(LOG_LEVEL_DEBUG, "delivered", IDENTITY(delivery), STATUS(delivery),
                      LOG_NUMBER("duration_ms", duration_ms(delivery)));
        break;
    case OUTCOME_RETRY:
        totals->retried++;
        reporting_retry(worker, delivery);
        break;
    case OUTCOME_FAILED:
        totals->failed++;
        log_event(LOG_LEVEL_WARNING, "delivery failed for good", IDENTITY(delivery),
                  STATUS(delivery), LOG_TEXT("error", delivery->error),
                  LOG_NUMBER("duration_ms", duration_ms(delivery)));
        break;
    }
}

/* What is known of an endpoint or an origin whose breaker opens: why, and when it is asked next. */
static void reporting_opened(const struct worker *worker, const struct delivery *delivery,
                             const struct breaker *breaker, const char *message,
                             struct log_field whose)
{
    log_event(
        LOG_LEVEL_WARNING, message, whose,
        LOG_IF(delivery->endpoint->url != whose.text, LOG_STRING("url", delivery->endpoint->url)),
        LOG_STRING("customer", delivery->endpoint->customer_id), STATUS(delivery),
        LOG_TEXT("error", delivery->error), LOG_NUMBER("failures", breaker->failures),
        LOG_NUMBER("next_probe_ms", (breaker->next_probe_us - worker->now_us) / 1000));
}

static void reporting_closed(const struct delivery *delivery, const struct scheduler_change *change,
                             const char *message, struct log_field whose)
{
    log_event(
        LOG_LEVEL_INFO, message, whose,
        LOG_IF(delivery->endpoint->url != whose.text, LOG_STRING("url", delivery->endpoint->url)),
        LOG_STRING("customer", delivery->endpoint->customer_id), STATUS(delivery),
        LOG_NUMBER("open_ms", change->open_us / 1000));
}

void reporting_change(struct worker *worker, const struct delivery *delivery,
                      const struct scheduler_change *change)
{
    const struct endpoint *endpoint = delivery->endpoint;
    struct log_field url = LOG_STRING("url", endpoint->url);
    struct log_field origin = LOG_STRING("origin", endpoint->origin->name);

    worker->meters.breakers_opened += change->has_opened + change->origin_has_opened;
    worker->meters.breakers_closed += change->has_closed + change->origin_has_closed;
    if (change->has_opened)
        reporting_opened(worker, delivery, &endpoint->queue.entry.breaker,
                         "breaker opened: the endpoint is only probed until it answers", url);
    if (change->origin_has_opened)
        reporting_opened(worker, delivery, &endpoint->origin->scheduled.breaker,
                         "breaker opened: the origin is only probed until it can be reached",
                         origin);
    if (change->has_closed)
        reporting_closed(delivery, change, "breaker closed: the endpoint answers again", url);
    if (change->origin_has_closed)
        reporting_closed(delivery, change, "breaker closed: the origin can be reached again",
                         origin);
    if (change->is_held)
        log_event(
            LOG_LEVEL_INFO, "the endpoint is left alone for as long as it asked", url,
            LOG_STRING("customer", endpoint->customer_id), STATUS(delivery),
            LOG_NUMBER("hold_ms", (endpoint->queue.entry.held_until_us - worker->now_us) / 1000));
}

void reporting_unopened(struct worker *worker, const struct endpoint *endpoint)
{
    struct reporting *reporting = worker->reporting;
    struct log_field url = LOG_STRING("url", endpoint->url);
    struct log_field customer = LOG_STRING("customer", endpoint->customer_id);

    if (reporting->unopened_us != 0 && worker->now_us - reporting->unopened_us < SECRET_LINE_US) {
        reporting->unopened_unlogged++;
        return;
    }
    if (endpoint->is_unopened)
        log_event(LOG_LEVEL_ERROR, "deliveries are held until their secret can be opened", url,
                  customer, LOG_TEXT("error", endpoint->settings.unopened),
                  LOG_IF(reporting->unopened_unlogged > 0,
                         LOG_NUMBER("unlogged", reporting->unopened_unlogged)));
    else
        log_event(LOG_LEVEL_INFO, "deliveries are not held any more", url, customer,
                  LOG_IF(reporting->unopened_unlogged > 0,
                         LOG_NUMBER("unlogged", reporting->unopened_unlogged)));
    reporting->unopened_us = worker->now_us;
    reporting->unopened_unlogged = 0;
}

void reporting_paused(const struct endpoint *endpoint)
{
    log_event(LOG_LEVEL_INFO,
              endpoint->is_paused ? "endpoint is paused: its deliveries wait"
                                  : "endpoint is not paused any more",
              LOG_STRING("url", endpoint->url), LOG_STRING("customer", endpoint->customer_id));
}

void reporting_absent(const struct due_row *row)
{
    log_event(LOG_LEVEL_ERROR, "delivery is held: its event is not in webhook_events",
              LOG_STRING("delivery", row->id), LOG_STRING("event", row->event_id),
              LOG_STRING("customer", row->customer_id), LOG_STRING("url", row->url));
}

void reporting_unread(struct worker *worker, const struct endpoint *endpoint)
{
    struct reporting *reporting = worker->reporting;
    char hint[256];

    if (reporting->unread_us != 0 && worker->now_us - reporting->unread_us < SECRET_LINE_US) {
        reporting->unread_unlogged++;
        return;
    }
    snprintf(hint, sizeof(hint), "\"postrider secret list --customer %s%.150s\" names it",
             endpoint->customer_id, hint_options());
    log_event(
        LOG_LEVEL_WARNING, "a secret can't be read; others sign in its place",
        LOG_STRING("url", endpoint->url), LOG_STRING("customer", endpoint->customer_id),
        LOG_STRING("error", endpoint->settings.unread), LOG_STRING("hint", hint),
        LOG_IF(reporting->unread_unlogged > 0, LOG_NUMBER("unlogged", reporting->unread_unlogged)));
    reporting->unread_us = worker->now_us;
    reporting->unread_unlogged = 0;
}

void reporting_unwritten(const struct delivery *delivery)
{
    const char *answer =
        delivery->outcome.kind == OUTCOME_DELIVERED ? "delivered" : "not delivered";

    /* When a batch was sent twice, the first one has most likely written it. */
    if (delivery->was_sent_twice)
        return;
    /* Nothing was sent: most likely the row has gone with its endpoint to another URL. */
    if (delivery->is_removed)
        return;
    log_event(LOG_LEVEL_INFO, "row was changed or deleted while in flight; left as it is",
              IDENTITY(delivery), LOG_TEXT("result", answer), STATUS(delivery),
              LOG_IF(delivery->error != NULL, LOG_TEXT("error", delivery->error)));
}

void reporting_last_removals(struct worker *worker)
{
    struct reporting *reporting = worker->reporting;
    const struct retention_counts counts = reporting->removals_unlogged;

    int64_t deleted =
        counts.delivered + counts.failed + counts.attempts + counts.endpoints + counts.events;
    int64_t emptied = counts.emptied + counts.emptied_events;

    if (deleted + emptied == 0)
        return;
    if (deleted > 0)
        log_event(LOG_LEVEL_INFO, "retention has deleted old rows",
                  LOG_NUMBER("delivered", counts.delivered), LOG_NUMBER("failed", counts.failed),
                  LOG_NUMBER("attempts", counts.attempts),
                  LOG_NUMBER("endpoints", counts.endpoints), LOG_NUMBER("events", counts.events));
    if (emptied > 0)
        log_event(LOG_LEVEL_INFO, "retention has erased payloads",
                  LOG_NUMBER("deliveries", counts.emptied),
                  LOG_NUMBER("events", counts.emptied_events));
    reporting->removal_us = worker->now_us;
    reporting->removals_unlogged = (struct retention_counts){0};
}

void reporting_removals(struct worker *worker, const struct retention_counts *counts)
{
    struct reporting *reporting = worker->reporting;
    struct retention_counts *unlogged = &reporting->removals_unlogged;

    unlogged->delivered += counts->delivered;
    unlogged->failed += counts->failed;
    unlogged->attempts += counts->attempts;
    unlogged->endpoints += counts->endpoints;
    unlogged->events += counts->events;
    unlogged->emptied += counts->emptied;
    unlogged->emptied_events += counts->emptied_events;
    if (reporting->removal_us == 0 || worker->now_us - reporting->removal_us >= REMOVALS_LINE_US)
        reporting_last_removals(worker);
}

/* Where to look when outcomes do not stay. */
static const char *meddlers_hint(char hint[HINT_SIZE])
{
    snprintf(hint, HINT_SIZE,
             "what is run in the same statements is named by: postrider check --database%s",
             hint_options());
    return hint;
}

void reporting_unsettled(struct worker *worker, const struct delivery *delivery,
                         const char *message, const char *sqlstate)
{
    struct reporting *reporting = worker->reporting;
    const char *advice = sqlstate != NULL ? db_advice(sqlstate) : NULL;
    char hint[HINT_SIZE];

    if (reporting->unsettled_us != 0 &&
        worker->now_us - reporting->unsettled_us < UNSETTLED_LINE_US) {
        reporting->unsettled_unlogged++;
        return;
    }
    log_event(LOG_LEVEL_ERROR,
              sqlstate != NULL ? "the database refuses to record an outcome; trying again"
                               : "an outcome was written but does not stay; trying again",
              IDENTITY(delivery), LOG_TEXT("error", message),
              LOG_IF(sqlstate != NULL, LOG_TEXT("sqlstate", sqlstate)), STATUS(delivery),
              LOG_NUMBER("refusals", delivery->refusals),
              LOG_IF(reporting->unsettled_unlogged > 0,
                     LOG_NUMBER("unlogged", reporting->unsettled_unlogged)),
              LOG_TEXT("hint", advice != NULL ? advice : meddlers_hint(hint)));
    reporting->unsettled_us = worker->now_us;
    reporting->unsettled_unlogged = 0;
}

void reporting_returned(struct worker *worker, const struct due_row *row, int count)
{
    struct reporting *reporting = worker->reporting;
    char hint[HINT_SIZE];

    if (reporting->returned_us != 0 &&
        worker->now_us - reporting->returned_us < UNSETTLED_LINE_US) {
        reporting->returned_unlogged++;
        return;
    }
    log_event(LOG_LEVEL_ERROR,
              "a delivery is due again as it was, although its outcome was written: "
              "it is sent again, after a pause that grows",
              LOG_TEXT("delivery", row->id), LOG_TEXT("event", row->event_id),
              LOG_TEXT("customer", row->customer_id), LOG_TEXT("url", row->url),
              LOG_NUMBER("returns", count),
              LOG_IF(reporting->returned_unlogged > 0,
                     LOG_NUMBER("unlogged", reporting->returned_unlogged)),
              LOG_TEXT("hint", meddlers_hint(hint)));
    reporting->returned_us = worker->now_us;
    reporting->returned_unlogged = 0;
}

void reporting_refusal(const char *message, const struct db_answer *answer)
{
    const char *advice = db_advice(answer->sqlstate);

    log_event(LOG_LEVEL_ERROR, message, LOG_TEXT("error", answer->message),
              LOG_TEXT("sqlstate", answer->sqlstate),
              LOG_IF(advice != NULL, LOG_TEXT("hint", advice)));
}
