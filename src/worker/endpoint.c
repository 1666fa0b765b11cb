/* SPDX-License-Identifier: MIT */
#include "worker/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/random.h"
#include "core/lane.h"
#include "worker/endpoint_forgetting.h"

/* Settings of those that are blocked are looked at now and then, a few at a time. */
#define REFRESH_PAUSE_US 250000
#define REFRESH_BUDGET   128

/* A customer and a URL; PostgreSQL's texts have less than 1 GiB. */
#define KEY_MAX_BYTES (((size_t)1 << 30) + 64)

void endpoints_init(struct endpoints *endpoints)
{
    *endpoints = (struct endpoints){.by_key = NULL};
    buffer_init(&endpoints->key, KEY_MAX_BYTES);
    for (int i = 0; i < ENDPOINT_STATES; i++)
        TAILQ_INIT(&endpoints->lists[i]);
    heap_init(&endpoints->promises);
    TAILQ_INIT(&endpoints->noted);
    TAILQ_INIT(&endpoints->unopened);
    TAILQ_INIT(&endpoints->paused);
    TAILQ_INIT(&endpoints->unsettled);
    TAILQ_INIT(&endpoints->unread);
    TAILQ_INIT(&endpoints->counted);
    queues_init(&endpoints->queues);
}

void endpoints_reconfigure(struct endpoints *endpoints, const struct config *config, size_t slots)
{
    struct scheduler_limits limits = {
        .slots = (int)slots,
        .origin_max = (int)config->endpoint.max_in_flight_per_origin,
        .breaker = {.failures = (int)config->endpoint.breaker_failures,
                    .max_interval_us = config->endpoint.breaker_max_interval_ms * 1000},
    };

    scheduler_set_limits(&endpoints->queues.scheduler, &limits);
    for (struct endpoint *at = endpoints->by_key; at != NULL; at = at->by_key.next)
        at->is_loaded = false;
}

size_t endpoints_slots(const struct endpoints *endpoints)
{
    return (size_t)endpoints->queues.scheduler.limits.slots;
}

struct endpoint *endpoint_of_queue(struct queue *queue)
{
    return CONTAINER_OF(queue, struct endpoint, queue);
}

struct delivery *endpoint_first(const struct endpoint *endpoint)
{
    struct queue_row *row = queue_first(&endpoint->queue);

    return row != NULL ? CONTAINER_OF(row, struct delivery, queued) : NULL;
}

/* Leaves its key in endpoints->key. */
struct endpoint *endpoint_find(struct endpoints *endpoints, const char *customer_id,
                               const char *url)
{
    struct buffer *key = &endpoints->key;
    struct endpoint *endpoint;

    buffer_clear(key);
    buffer_append_string(key, customer_id);
    buffer_append(key, " ", 1);
    buffer_append_string(key, url);
    if (key->overflowed)
        bug("a URL of %zu bytes", strlen(url));
    HASH_FIND(by_key, endpoints->by_key, key->data, (unsigned)key->length, endpoint);
    return endpoint;
}

struct endpoint *endpoint_get(struct endpoints *endpoints, const char *customer_id, const char *url,
                              int64_t now_us)
{
    struct endpoint *endpoint = endpoint_find(endpoints, customer_id, url);
    size_t key_length = endpoints->key.length;

    if (endpoint != NULL)
        return endpoint;
    endpoints_make_room(endpoints, now_us);
    endpoint = memory_new(1, sizeof(*endpoint));
    endpoint->key = memory_copy(endpoints->key.data, key_length);
    endpoint->url = endpoint->key + strlen(customer_id) + 1;
    endpoint->used_us = now_us;
    endpoint->origin =
        origin_take(&endpoints->origins, &endpoints->queues.scheduler, endpoint->url);
    queue_init(&endpoints->queues, &endpoint->queue, &endpoint->origin->scheduled);
    snprintf(endpoint->customer_id, sizeof(endpoint->customer_id), "%s", customer_id);
    HASH_ADD_KEYPTR(by_key, endpoints->by_key, endpoint->key, (unsigned)key_length, endpoint);
    TAILQ_INSERT_TAIL(&endpoints->lists[ENDPOINT_IDLE], endpoint, in_state);
    endpoints->counts[ENDPOINT_IDLE]++;
    return endpoint;
}

static void endpoint_apply_settings(struct endpoints *endpoints, struct endpoint *endpoint,
                                    int64_t now_us);

static void endpoint_note_plain(struct endpoints *endpoints, struct endpoint *endpoint,
                                int64_t now_us)
{
    endpoint->has_plain = true;
    if (endpoint->is_loaded)
        endpoint_apply_settings(endpoints, endpoint, now_us);
}

void endpoint_push(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us)
{
    struct endpoint *endpoint = delivery->endpoint;

    endpoint->lane = delivery->lane;
    endpoint->used_us = now_us;
    if (!delivery->is_of_event && !endpoint->has_plain)
        endpoint_note_plain(endpoints, endpoint, now_us);
    delivery->read_at_load = endpoints->loads;
    queue_push(&endpoints->queues, &endpoint->queue, &delivery->queued, now_us);
    endpoint_settle(endpoints, endpoint, now_us);
}

void endpoint_push_back(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us)
{
    struct endpoint *endpoint = delivery->endpoint;

    queue_push_back(&endpoints->queues, &endpoint->queue, &delivery->queued, now_us);
    endpoint_settle(endpoints, endpoint, now_us);
}

void endpoint_remove(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us)
{
    struct endpoint *endpoint = delivery->endpoint;

    queue_take(&endpoints->queues, &endpoint->queue, &delivery->queued, now_us);
    endpoint_settle(endpoints, endpoint, now_us);
}

struct scheduler_ticket endpoint_begin_request(struct endpoints *endpoints,
                                               struct delivery *delivery, int64_t now_us)
{
    struct scheduler_ticket ticket =
        scheduler_start(&endpoints->queues.scheduler, &delivery->endpoint->queue.entry, now_us);

    endpoint_remove(endpoints, delivery, now_us);
    return ticket;
}

void endpoint_pass_turn(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us)
{
    scheduler_pass(&endpoints->queues.scheduler, &delivery->endpoint->queue.entry, now_us);
    endpoint_remove(endpoints, delivery, now_us);
}

struct scheduler_change endpoint_end_request(struct endpoints *endpoints,
                                             const struct delivery *delivery, enum health health,
                                             int64_t hold_us, int64_t now_us)
{
    struct endpoint *endpoint = delivery->endpoint;
    struct scheduler_change change =
        scheduler_finish(&endpoints->queues.scheduler, &endpoint->queue.entry, &delivery->ticket,
                         health, hold_us, now_us, random01());

    /* What it is promised may be another time now. */
    endpoint_settle(endpoints, endpoint, now_us);
    return change;
}

int64_t endpoints_next_us(const struct endpoints *endpoints)
{
    return scheduler_next_us(&endpoints->queues.scheduler);
}

static void endpoint_want_load(struct endpoints *endpoints, struct endpoint *endpoint,
                               int64_t now_us)
{
    endpoint->wants_load = endpoint->state != ENDPOINT_LOADING;
    endpoint_settle(endpoints, endpoint, now_us);
}

bool endpoint_may_condemn(const struct endpoint *endpoint, const struct delivery *delivery)
{
    return endpoint->gone > 0 || delivery->read_at_load < endpoint->loaded_by;
}

void endpoint_ask_again(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    endpoint_set_loaded(endpoints, endpoint, false, now_us);
    endpoint_want_load(endpoints, endpoint, now_us);
}

struct endpoint *endpoint_next_ready(struct endpoints *endpoints, int64_t now_us)
{
    struct scheduler_entry *entry;

    while ((entry = scheduler_next(&endpoints->queues.scheduler, now_us)) != NULL) {
        struct endpoint *endpoint = CONTAINER_OF(entry, struct endpoint, queue.entry);
        int64_t age_us = now_us - endpoint->loaded_us;

        if (endpoint->is_loaded && age_us < ENDPOINT_REFRESH_US)
            return endpoint;
        /* Newer settings are asked for, and until they are there it goes on by those that it has,
         * but not for long. */
        endpoint_set_loaded(endpoints, endpoint, endpoint->is_loaded && age_us < ENDPOINT_FRESH_US,
                            now_us);
        endpoint_want_load(endpoints, endpoint, now_us);
        if (endpoint->is_loaded)
            return endpoint;
    }
    return NULL;
}

struct endpoint *endpoint_begin_load(struct endpoints *endpoints)
{
    struct endpoint *endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_UNLOADED]);

    if (endpoint != NULL) {
        endpoint->wants_load = false;
        endpoint->asked_by = ++endpoints->loads;
        endpoint_set_state(endpoints, endpoint, ENDPOINT_LOADING);
    }
    return endpoint;
}

static bool is_stopped(const struct endpoint *endpoint)
{
    return endpoint_settings_hold(&endpoint->settings) ||
           (endpoint->unsettled > 0 && endpoint->tally.under_way >= ENDPOINT_UNSETTLED_MAX);
}

void endpoint_note_unsettled(struct endpoints *endpoints, struct endpoint *endpoint, int change)
{
    if (endpoint->unsettled == 0)
        TAILQ_INSERT_TAIL(&endpoints->unsettled, endpoint, in_unsettled);
    endpoint->unsettled += change;
    if (endpoint->unsettled == 0)
        TAILQ_REMOVE(&endpoints->unsettled, endpoint, in_unsettled);
}

void endpoint_note_under_way(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    scheduler_entry_set_stopped(&endpoints->queues.scheduler, &endpoint->queue.entry,
                                is_stopped(endpoint), now_us);
}

/* All that it has fails without a request, so neither its breaker nor its limits keep it. One that
 * has had plain rows is none of these: such a row is sent without a row of its endpoint. */
static bool is_removed(const struct endpoint *endpoint)
{
    return !endpoint->settings.is_there && !endpoint->has_plain;
}

static void endpoint_apply_settings(struct endpoints *endpoints, struct endpoint *endpoint,
                                    int64_t now_us)
{
    struct endpoint_settings *settings = &endpoint->settings;
    /* One microsecond more: what began to fail just now has failed, too. */
    struct scheduler_terms terms = {
        .max_in_flight = settings->max_in_flight,
        .rate_per_s = settings->rate_limit,
        .is_unsendable = settings->problem != NULL || is_removed(endpoint),
        .is_stopped = is_stopped(endpoint),
        .failing_us = settings->is_failing ? settings->failing_ms * 1000 + 1 : 0,
    };

    endpoint_set_unopened(endpoints, endpoint, settings->unopened != NULL);
    endpoint_set_paused(endpoints, endpoint, settings->is_paused);
    endpoint_set_unread(endpoints, endpoint, settings->unread != NULL);
    scheduler_entry_set_terms(&endpoints->queues.scheduler, &endpoint->queue.entry, &terms, now_us,
                              random01());
    if (settings->was_enabled)
        scheduler_entry_revive(&endpoints->queues.scheduler, &endpoint->queue.entry, now_us);
    settings->was_enabled = false;
}

void endpoint_end_load(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                       int64_t now_us)
{
    /* Without an answer it goes on by what it has, until that is too old. */
    if (is_loaded) {
        endpoint->loaded_us = now_us;
        endpoint->loaded_by = endpoint->asked_by;
        endpoint_apply_settings(endpoints, endpoint, now_us);
    }
    endpoint_set_loaded(endpoints, endpoint, is_loaded || endpoint->is_loaded, now_us);
    /* From loading it goes to idle alone. Where it belongs by now is found out from there. */
    endpoint_set_state(endpoints, endpoint, ENDPOINT_IDLE);
    endpoint_settle(endpoints, endpoint, now_us);
}

void endpoint_set_disabled(struct endpoints *endpoints, struct endpoint *endpoint,
                           const char *problem, int64_t now_us)
{
    endpoint_settings_set_problem(&endpoint->settings, problem);
    /* So that the load that finds it enabled again revives it. */
    endpoint->settings.is_disabled = true;
    endpoint->loaded_by = ++endpoints->loads;
    endpoint_apply_settings(endpoints, endpoint, now_us);
}

void endpoint_note(struct endpoints *endpoints, struct endpoint *endpoint, enum endpoint_note note)
{
    if (endpoint->note == ENDPOINT_NOTE_NOTHING)
        TAILQ_INSERT_TAIL(&endpoints->noted, endpoint, in_noted);
    endpoint->note = note;
}

struct endpoint *endpoint_take_note(struct endpoints *endpoints, enum endpoint_note *ret_note)
{
    struct endpoint *endpoint = TAILQ_FIRST(&endpoints->noted);

    if (endpoint == NULL)
        return NULL;
    *ret_note = endpoint->note;
    endpoint->note_written = endpoint->note;
    endpoint->note = ENDPOINT_NOTE_NOTHING;
    TAILQ_REMOVE(&endpoints->noted, endpoint, in_noted);
    return endpoint;
}

bool endpoints_are_noted(const struct endpoints *endpoints)
{
    return !TAILQ_EMPTY(&endpoints->noted);
}

void endpoint_end_note(struct endpoints *endpoints, struct endpoint *endpoint, bool is_written)
{
    bool was_working = endpoint->note_written == ENDPOINT_NOTE_WORKING;

    endpoint->note_written = ENDPOINT_NOTE_NOTHING;
    if (!is_written && was_working && endpoint->note == ENDPOINT_NOTE_NOTHING)
        endpoint_note(endpoints, endpoint, ENDPOINT_NOTE_WORKING);
}

bool endpoint_is_working_unwritten(const struct endpoint *endpoint)
{
    return endpoint->note == ENDPOINT_NOTE_WORKING ||
           endpoint->note_written == ENDPOINT_NOTE_WORKING;
}

static void refresh(struct endpoints *endpoints, enum endpoint_state state, int64_t now_us)
{
    /* As many as there are now: those that were looked at go to the end of the same list. */
    size_t count = endpoints->counts[state];

    for (size_t i = 0; i < count && i < REFRESH_BUDGET; i++) {
        struct endpoint *endpoint = TAILQ_FIRST(&endpoints->lists[state]);
        bool has_rows = state == ENDPOINT_READY || queue_is_behind(&endpoint->queue);

        if (!has_rows || now_us - endpoint->loaded_us < ENDPOINT_REFRESH_US)
            endpoint_set_state(endpoints, endpoint, state);
        else
            endpoint_want_load(endpoints, endpoint, now_us);
    }
}

void endpoints_refresh(struct endpoints *endpoints, int64_t now_us)
{
    if (now_us - endpoints->refreshed_us < REFRESH_PAUSE_US)
        return;
    endpoints->refreshed_us = now_us;
    refresh(endpoints, ENDPOINT_READY, now_us);
    refresh(endpoints, ENDPOINT_PROMISED, now_us);
}

void endpoints_restart_rates(struct endpoints *endpoints, uint64_t lanes, int64_t now_us)
{
    for (struct endpoint *at = endpoints->by_key; at != NULL; at = at->by_key.next)
        if ((lanes & LANE_BIT(at->lane)) != 0)
            scheduler_entry_restart_rate(&endpoints->queues.scheduler, &at->queue.entry, now_us);
}

void endpoints_free(struct endpoints *endpoints)
{
    struct endpoint *endpoint, *next;

    HASH_ITER(by_key, endpoints->by_key, endpoint, next)
        endpoint_free(endpoints, endpoint, endpoint->used_us);
    history_period_clear(&endpoints->history);
    buffer_free(&endpoints->key);
    heap_free(&endpoints->promises);
    queues_free(&endpoints->queues);
}
