#include "worker/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"

void endpoints_init(struct endpoints *endpoints)
{
    *endpoints = (struct endpoints){.by_key = NULL};
    for (int i = 0; i < ENDPOINT_STATES; i++)
        TAILQ_INIT(&endpoints->lists[i]);
    backlogs_init(&endpoints->backlogs);
}

static void endpoint_set_state(struct endpoints *endpoints, struct endpoint *endpoint,
                               enum endpoint_state state)
{
    TAILQ_REMOVE(&endpoints->lists[endpoint->state], endpoint, in_state);
    endpoints->counts[endpoint->state]--;
    endpoint->state = state;
    TAILQ_INSERT_TAIL(&endpoints->lists[state], endpoint, in_state);
    endpoints->counts[state]++;
}

/* Where an endpoint belongs that is not loading. */
static void endpoint_settle(struct endpoints *endpoints, struct endpoint *endpoint)
{
    enum endpoint_state state = ENDPOINT_IDLE;

    if (!TAILQ_EMPTY(&endpoint->waiting))
        state = endpoint->is_loaded ? ENDPOINT_READY : ENDPOINT_UNLOADED;
    if (endpoint->state != state)
        endpoint_set_state(endpoints, endpoint, state);
}

struct endpoint *endpoint_get(struct endpoints *endpoints, const char *customer_id, const char *url)
{
    char *key = memory_format("%s %s", customer_id, url);
    struct endpoint *endpoint;

    HASH_FIND(by_key, endpoints->by_key, key, (unsigned)strlen(key), endpoint);
    if (endpoint != NULL) {
        free(key);
        return endpoint;
    }
    endpoint = memory_new(1, sizeof(*endpoint));
    TAILQ_INIT(&endpoint->waiting);
    endpoint->key = key;
    endpoint->url = strchr(key, ' ') + 1;
    snprintf(endpoint->customer_id, sizeof(endpoint->customer_id), "%s", customer_id);
    HASH_ADD_KEYPTR(by_key, endpoints->by_key, endpoint->key, (unsigned)strlen(key), endpoint);
    TAILQ_INSERT_TAIL(&endpoints->lists[ENDPOINT_IDLE], endpoint, in_state);
    endpoints->counts[ENDPOINT_IDLE]++;
    return endpoint;
}

void endpoint_push(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us)
{
    struct endpoint *endpoint = delivery->endpoint;

    endpoint->known++;
    endpoint->used_us = now_us;
    TAILQ_INSERT_TAIL(&endpoint->waiting, delivery, in_endpoint);
    backlog_note_queued(&endpoints->backlogs, &endpoint->backlog);
    if (endpoint->state == ENDPOINT_IDLE)
        endpoint_settle(endpoints, endpoint);
}

void endpoint_remove(struct endpoints *endpoints, struct delivery *delivery)
{
    struct endpoint *endpoint = delivery->endpoint;

    TAILQ_REMOVE(&endpoint->waiting, delivery, in_endpoint);
    backlog_note_taken(&endpoints->backlogs, &endpoint->backlog);
    if (endpoint->state != ENDPOINT_LOADING)
        endpoint_settle(endpoints, endpoint);
}

int endpoint_rows_wanted(const struct endpoint *endpoint, int64_t now_us)
{
    (void)endpoint;
    (void)now_us;
    return INT32_MAX;
}

struct endpoint *endpoint_next_ready(struct endpoints *endpoints, int64_t now_us)
{
    struct endpoint *endpoint;

    while ((endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_READY])) != NULL) {
        if (endpoint->is_loaded && now_us - endpoint->loaded_us < ENDPOINT_FRESH_US)
            return endpoint;
        endpoint->is_loaded = false;
        endpoint_set_state(endpoints, endpoint, ENDPOINT_UNLOADED);
    }
    return NULL;
}

void endpoint_yield(struct endpoints *endpoints, struct endpoint *endpoint)
{
    if (endpoint->state == ENDPOINT_READY)
        endpoint_set_state(endpoints, endpoint, ENDPOINT_READY);
}

struct endpoint *endpoint_begin_load(struct endpoints *endpoints)
{
    struct endpoint *endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_UNLOADED]);

    if (endpoint != NULL)
        endpoint_set_state(endpoints, endpoint, ENDPOINT_LOADING);
    return endpoint;
}

void endpoint_end_load(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                       int64_t now_us)
{
    endpoint->is_loaded = is_loaded;
    endpoint->loaded_us = now_us;
    endpoint_settle(endpoints, endpoint);
}

void endpoints_expire(struct endpoints *endpoints)
{
    for (struct endpoint *at = endpoints->by_key; at != NULL; at = at->by_key.next)
        at->is_loaded = false;
}

static void endpoint_free(struct endpoints *endpoints, struct endpoint *endpoint)
{
    if (endpoint->known != 0)
        bug("endpoint %.200s is freed with %zu deliveries", endpoint->key, endpoint->known);
    TAILQ_REMOVE(&endpoints->lists[endpoint->state], endpoint, in_state);
    endpoints->counts[endpoint->state]--;
    /* As in delivery_free(): uthash frees its table with the last entry alone. */
    HASH_DELETE(by_key, endpoints->by_key, endpoint); /* NOLINT(clang-analyzer-unix.Malloc) */
    backlog_remove(&endpoints->backlogs, &endpoint->backlog);
    endpoint_settings_free(&endpoint->settings);
    free(endpoint->key);
    free(endpoint);
}

void endpoints_reap(struct endpoints *endpoints, int64_t now_us)
{
    struct endpoint *endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_IDLE]);
    int budget = 1000;

    while (endpoint != NULL && budget-- > 0) {
        struct endpoint *next = TAILQ_NEXT(endpoint, in_state);

        if (endpoint->known == 0 && !backlog_is_held(&endpoint->backlog) &&
            now_us - endpoint->used_us >= ENDPOINT_KEEP_US)
            endpoint_free(endpoints, endpoint);
        endpoint = next;
    }
}

void endpoints_free(struct endpoints *endpoints)
{
    struct endpoint *endpoint, *next;

    HASH_ITER(by_key, endpoints->by_key, endpoint, next)
        endpoint_free(endpoints, endpoint);
    backlogs_free(&endpoints->backlogs);
}
