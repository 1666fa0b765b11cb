/* SPDX-License-Identifier: MIT */
#include "worker/disabling.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "db/disabling_notes.h"
#include "worker/reporting.h"

#define REFUSAL_PAUSE_US 1000000

struct disabling {
    struct disabling_notes_writer writer;
    struct endpoint *written[DISABLING_NOTES_MAX]; /* just now; none of them is freed meanwhile */
    int count;
    bool is_writing;
    int64_t not_before_us; /* after a refusal */
};

void disabling_init(struct worker *worker)
{
    worker->disabling = memory_new(1, sizeof(*worker->disabling));
    disabling_notes_init(&worker->disabling->writer);
}

void disabling_free(struct worker *worker)
{
    disabling_notes_free(&worker->disabling->writer);
    free(worker->disabling);
}

static int64_t since_load_ms(const struct worker *worker, const struct endpoint *endpoint)
{
    return (worker->now_us - endpoint->loaded_us) / 1000;
}

/* True when the database has to be told, or asked whether it's time to disable. */
static bool is_news(const struct worker *worker, const struct endpoint *endpoint)
{
    const struct endpoint_settings *settings = &endpoint->settings;
    int64_t after_ms = worker->config->endpoint.disable_after_ms;

    return !settings->is_failing ||
           (after_ms > 0 && settings->failing_ms + since_load_ms(worker, endpoint) >= after_ms);
}

/* Its row is needed: retention is not to take it. */
static void note_used(struct worker *worker, struct endpoint *endpoint)
{
    int64_t noted_ms = endpoint->settings.noted_ms;

    if (noted_ms < 0 || endpoint->note != ENDPOINT_NOTE_NOTHING ||
        noted_ms + since_load_ms(worker, endpoint) < ENDPOINT_NOTE_AGAIN_MS)
        return;
    endpoint->settings.noted_ms = 0;
    endpoint_note(&worker->endpoints, endpoint, ENDPOINT_NOTE_USED);
}

void disabling_note_failing(struct worker *worker, struct endpoint *endpoint)
{
    /* It has answered since its row began to say that it fails. That goes first, or the row would
     * have it disabled; the next failure comes back to this one. */
    if (endpoint->settings.is_disabled || endpoint_is_working_unwritten(endpoint))
        return;
    if (!is_news(worker, endpoint)) {
        note_used(worker, endpoint);
        return;
    }
    endpoint->settings.is_failing = true;
    endpoint_note(&worker->endpoints, endpoint, ENDPOINT_NOTE_FAILING);
}

void disabling_note_unsent(struct worker *worker, struct endpoint *endpoint)
{
    if (endpoint->settings.is_disabled)
        note_used(worker, endpoint);
}

void disabling_note_working(struct worker *worker, struct endpoint *endpoint)
{
    if (!endpoint->settings.is_failing)
        return;
    endpoint->settings.is_failing = false;
    endpoint_note(&worker->endpoints, endpoint, ENDPOINT_NOTE_WORKING);
}

static void note_disabled(struct worker *worker, const char *customer_id, const char *url)
{
    struct endpoint *endpoint = endpoint_find(&worker->endpoints, customer_id, url);

    log_event(LOG_LEVEL_WARNING,
              "endpoint is disabled: nothing but failures for endpoint.disable_after",
              LOG_TEXT("customer", customer_id), LOG_TEXT("url", url));
    /* It may have been forgotten since the note was sent. Then its row says so when it is
     * loaded. */
    if (endpoint != NULL)
        endpoint_set_disabled(&worker->endpoints, endpoint,
                              "endpoint is disabled: nothing but failures for too long",
                              worker->now_us);
}

/* What is not written of one that fails, its next failure brings again. That one works is said once,
 * so it is kept. */
static void end_notes(struct worker *worker, bool are_written)
{
    struct disabling *disabling = worker->disabling;

    for (int i = 0; i < disabling->count; i++)
        endpoint_end_note(&worker->endpoints, disabling->written[i], are_written);
    disabling->count = 0;
}

static void on_notes_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->disabling->is_writing = false;
    end_notes(worker, answer->result == DB_ANSWERED);
    if (answer->result == DB_REFUSED)
        reporting_refusal("writing down which endpoints fail was refused", answer);
    if (answer->result != DB_ANSWERED) {
        worker->disabling->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
        return;
    }
    for (int i = 0; i < disabling_notes_count(answer); i++) {
        const char *customer_id = disabling_notes_customer_at(answer, i);

        if (customer_id != NULL)
            note_disabled(worker, customer_id, disabling_notes_url_at(answer, i));
    }
}

static bool may_write(const struct worker *worker)
{
    return !worker->disabling->is_writing && db_link_is_up(worker->writing);
}

void disabling_step(struct worker *worker)
{
    struct disabling *disabling = worker->disabling;
    struct endpoint *endpoint;
    enum endpoint_note note;

    if (!may_write(worker) || worker->now_us < disabling->not_before_us)
        return;
    disabling_notes_begin(&disabling->writer);
    while (disabling->count < DISABLING_NOTES_MAX &&
           (endpoint = endpoint_take_note(&worker->endpoints, &note)) != NULL) {
        disabling_notes_add(&disabling->writer, endpoint->customer_id, endpoint->url, note);
        disabling->written[disabling->count++] = endpoint;
    }
    if (disabling->count == 0)
        return;
    disabling->is_writing =
        disabling_notes_send(&disabling->writer, worker->writing, worker->config->database.schema,
                             worker->config->endpoint.disable_after_ms, on_notes_answered, worker);
    if (!disabling->is_writing)
        end_notes(worker, false);
}

int64_t disabling_next_us(const struct worker *worker)
{
    return may_write(worker) && endpoints_are_noted(&worker->endpoints)
               ? worker->disabling->not_before_us
               : INT64_MAX;
}
