/* SPDX-License-Identifier: MIT */
#include "worker/disabling.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "db/disabling_notes.h"
#include "worker/reporting.h"

struct disabling {
    struct disabling_notes_writer writer;
    bool is_writing;
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
    if (endpoint->settings.is_disabled)
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

static void on_notes_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->disabling->is_writing = false;
    if (answer->result == DB_REFUSED)
        reporting_refusal("writing down which endpoints fail was refused", answer);
    /* Not sent again: by the settings that are loaded next the note is still missing, and the next
     * result brings it. */
    if (answer->result != DB_ANSWERED)
        return;
    for (int i = 0; i < disabling_notes_count(answer); i++) {
        const char *customer_id = disabling_notes_customer_at(answer, i);

        if (customer_id != NULL)
            note_disabled(worker, customer_id, disabling_notes_url_at(answer, i));
    }
}

void disabling_step(struct worker *worker)
{
    struct disabling *disabling = worker->disabling;
    int count = 0;
    struct endpoint *endpoint;
    enum endpoint_note note;

    if (disabling->is_writing || !db_link_is_up(worker->writing))
        return;
    disabling_notes_begin(&disabling->writer);
    while (count < DISABLING_NOTES_MAX &&
           (endpoint = endpoint_take_note(&worker->endpoints, &note)) != NULL) {
        disabling_notes_add(&disabling->writer, endpoint->customer_id, endpoint->url, note);
        count++;
    }
    if (count > 0)
        disabling->is_writing = disabling_notes_send(
            &disabling->writer, worker->writing, worker->config->database.schema,
            worker->config->endpoint.disable_after_ms, on_notes_answered, worker);
}
