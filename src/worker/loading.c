/* SPDX-License-Identifier: MIT */
#include "worker/loading.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/endpoints.h"
#include "worker/disabling.h"
#include "worker/reporting.h"

#define REFUSAL_PAUSE_US 1000000

struct loading {
    struct endpoint_loader loader;
    int count; /* endpoints in the outstanding request, 0 = none */
    struct endpoint *endpoints[ENDPOINTS_LOAD_MAX];
    int64_t not_before_us; /* after a refusal */
};

void loading_init(struct worker *worker)
{
    worker->loading = memory_new(1, sizeof(*worker->loading));
    endpoint_loader_init(&worker->loading->loader);
}

void loading_free(struct worker *worker)
{
    endpoint_loader_free(&worker->loading->loader);
    free(worker->loading);
}

static void finish(struct worker *worker, bool is_loaded)
{
    struct loading *loading = worker->loading;
    int count = loading->count;

    loading->count = 0;
    for (int i = 0; i < count; i++) {
        struct endpoint *endpoint = loading->endpoints[i];
        bool was_unopened = endpoint->is_unopened;
        bool was_paused = endpoint->is_paused;

        endpoint_end_load(&worker->endpoints, endpoint, is_loaded, worker->now_us);
        if (endpoint->is_unopened != was_unopened)
            reporting_unopened(worker, endpoint);
        if (endpoint->is_paused != was_paused)
            reporting_paused(endpoint);
        /* It is not to be disabled for the time in which nothing was tried. */
        if (is_loaded && endpoint->is_paused)
            disabling_note_working(worker, endpoint);
        if (is_loaded && endpoint->settings.is_unread_new)
            reporting_unread(worker, endpoint);
        endpoint->settings.is_unread_new = false;
    }
}

static void on_settings_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct loading *loading = worker->loading;

    if (answer->result != DB_ANSWERED) {
        if (answer->result == DB_REFUSED)
            reporting_refusal("loading endpoints' settings was refused", answer);
        loading->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
        finish(worker, false);
        return;
    }
    for (int i = 0; i < PQntuples(answer->results[0]); i++) {
        struct endpoint_found found = endpoint_found_at(answer->results[0], i);
        struct endpoint *endpoint;

        if (found.number < 0 || found.number >= loading->count)
            bug("settings for endpoint %d of %d", found.number, loading->count);
        endpoint = loading->endpoints[found.number];
        endpoint_settings_load(&endpoint->settings, worker->config, endpoint->customer_id,
                               endpoint->url, &found);
    }
    /* There are secrets in it, and libpq frees its memory as it is. */
    endpoint_rows_wipe(answer->results[0]);
    finish(worker, true);
}

/* What can't be posted to needs no settings, and its URL may be too long to ask for them. */
static void add_unloaded(struct worker *worker)
{
    struct loading *loading = worker->loading;
    struct endpoint *endpoint;

    while (loading->count < ENDPOINTS_LOAD_MAX &&
           (endpoint = endpoint_begin_load(&worker->endpoints)) != NULL) {
        if (endpoint_settings_check_url(&endpoint->settings, worker->config, endpoint->url)) {
            endpoint_end_load(&worker->endpoints, endpoint, true, worker->now_us);
            continue;
        }
        endpoint_loader_add(&loading->loader, endpoint->customer_id, endpoint->url);
        loading->endpoints[loading->count++] = endpoint;
    }
}

void loading_step(struct worker *worker)
{
    struct loading *loading = worker->loading;

    endpoints_refresh(&worker->endpoints, worker->now_us);
    if (loading->count > 0 || worker->now_us < loading->not_before_us || !worker->may_send)
        return;
    endpoint_loader_begin(&loading->loader);
    add_unloaded(worker);
    if (loading->count > 0 &&
        !endpoint_loader_send(&loading->loader, worker->reading, on_settings_answered, worker))
        finish(worker, false);
}

int64_t loading_next_us(const struct worker *worker)
{
    bool is_idle = worker->endpoints.counts[ENDPOINT_UNLOADED] == 0;

    if (is_idle || worker->loading->count > 0 || !worker->may_send)
        return WORKER_NEVER;
    return worker->loading->not_before_us;
}
