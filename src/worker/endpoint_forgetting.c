/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_forgetting.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "worker/endpoint_history.h"

#define REAP_BUDGET 5000
#define EVICT_TRIES 8

void endpoint_free(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    if (endpoint->tally.known != 0)
        bug("endpoint %.200s is freed with %zu deliveries", endpoint->key, endpoint->tally.known);
    TAILQ_REMOVE(&endpoints->lists[endpoint->state], endpoint, in_state);
    endpoints->counts[endpoint->state]--;
    heap_remove(&endpoints->promises, &endpoint->promise);
    /* As in delivery_free(): uthash frees its table with the last entry alone. */
    HASH_DELETE(by_key, endpoints->by_key, endpoint); /* NOLINT(clang-analyzer-unix.Malloc) */
    if (endpoint->note != ENDPOINT_NOTE_NOTHING)
        TAILQ_REMOVE(&endpoints->noted, endpoint, in_noted);
    endpoint_set_unopened(endpoints, endpoint, false);
    endpoint_set_paused(endpoints, endpoint, false);
    endpoint_set_unread(endpoints, endpoint, false);
    endpoint_close_history(endpoints, endpoint);
    /* The queue is one of those that its origin lets through: it goes before the origin may. */
    queue_remove(&endpoints->queues, &endpoint->queue, now_us);
    origin_give_back(&endpoints->origins, &endpoints->queues.scheduler, endpoint->origin);
    endpoint_settings_free(&endpoint->settings);
    free(endpoint->key);
    free(endpoint);
}

/* Nothing refers to it but lists that it can be taken from. */
static bool is_free(const struct endpoint *endpoint)
{
    return (endpoint->state == ENDPOINT_IDLE || endpoint->state == ENDPOINT_PROMISED) &&
           endpoint->tally.known == 0 && endpoint->note == ENDPOINT_NOTE_NOTHING &&
           endpoint->note_written == ENDPOINT_NOTE_NOTHING && !endpoint->queue.backlog.is_awaited;
}

/* A proven one is spared as long as its settings could be of use: without it, its next delivery
 * would be one of a stranger. */
static bool may_go(const struct endpoint *endpoint, int64_t now_us)
{
    return is_free(endpoint) && (scheduler_standing(&endpoint->queue.entry) != STANDING_PROVEN ||
                                 now_us - endpoint->used_us >= ENDPOINT_FRESH_US);
}

static bool is_full(const struct endpoints *endpoints)
{
    return HASH_CNT(by_key, endpoints->by_key) >= ENDPOINTS_MAX;
}

static void evict(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    /* Rows of its backlog are in the database alone, and nobody remembers to read them. */
    if (queue_is_used(&endpoint->queue))
        endpoints->full_us = now_us + ENDPOINTS_FULL_US;
    endpoint_free(endpoints, endpoint, now_us);
}

void endpoints_make_room(struct endpoints *endpoints, int64_t now_us)
{
    struct endpoint *endpoint;
    struct heap_node *node;

    for (int i = 0; i < EVICT_TRIES && is_full(endpoints) &&
                    (endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_IDLE])) != NULL;
         i++) {
        enum endpoint_state state = endpoint_idle_state(endpoint, now_us);

        if (state == ENDPOINT_IDLE && may_go(endpoint, now_us))
            evict(endpoints, endpoint, now_us);
        else
            endpoint_set_state(endpoints, endpoint, state);
    }
    for (int i = 0;
         i < EVICT_TRIES && is_full(endpoints) && (node = heap_first(&endpoints->promises)) != NULL;
         i++) {
        endpoint = CONTAINER_OF(node, struct endpoint, promise);
        if (may_go(endpoint, now_us))
            evict(endpoints, endpoint, now_us);
        else
            endpoint_set_state(endpoints, endpoint, ENDPOINT_IDLE); /* out of the way */
    }
}

/* By settings that are so old nothing is sent. */
static void endpoint_unload(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    endpoint_set_loaded(endpoints, endpoint, false, now_us);
    endpoint_settings_rest(&endpoint->settings);
}

static int64_t keep_us(const struct endpoint *endpoint)
{
    return endpoint->queue.entry.is_troubled || endpoint->origin->scheduled.is_troubled
               ? ENDPOINT_KEEP_TROUBLED_US
               : ENDPOINT_KEEP_US;
}

static void end_promises(struct endpoints *endpoints, int64_t now_us)
{
    struct heap_node *node;

    while ((node = heap_first(&endpoints->promises)) != NULL && node->at_us <= now_us) {
        struct endpoint *endpoint = CONTAINER_OF(node, struct endpoint, promise);

        endpoint_set_state(endpoints, endpoint, endpoint_idle_state(endpoint, now_us));
    }
}

/* Those that are kept for long are kept small. */
static void unload_promised(struct endpoints *endpoints, int64_t now_us)
{
    size_t count = endpoints->counts[ENDPOINT_PROMISED];

    for (size_t i = 0; i < count && i < REAP_BUDGET; i++) {
        struct endpoint *endpoint = TAILQ_FIRST(&endpoints->lists[ENDPOINT_PROMISED]);

        if (is_free(endpoint) && now_us - endpoint->loaded_us >= ENDPOINT_FRESH_US)
            endpoint_unload(endpoints, endpoint, now_us);
        endpoint_set_state(endpoints, endpoint, ENDPOINT_PROMISED);
    }
}

void endpoints_reap(struct endpoints *endpoints, int64_t now_us)
{
    struct endpoint_list *idle = &endpoints->lists[ENDPOINT_IDLE];
    size_t count;

    /* Those whose promise is over are idle in this round already. */
    end_promises(endpoints, now_us);
    unload_promised(endpoints, now_us);
    count = endpoints->counts[ENDPOINT_IDLE];
    for (size_t i = 0; i < count && i < REAP_BUDGET; i++) {
        struct endpoint *endpoint = TAILQ_FIRST(idle);
        enum endpoint_state state = endpoint_idle_state(endpoint, now_us);

        if (state == ENDPOINT_IDLE && is_free(endpoint) && !queue_is_used(&endpoint->queue) &&
            now_us - endpoint->used_us >= keep_us(endpoint)) {
            endpoint_free(endpoints, endpoint, now_us);
            continue;
        }
        if (is_free(endpoint) && now_us - endpoint->loaded_us >= ENDPOINT_FRESH_US)
            endpoint_unload(endpoints, endpoint, now_us);
        endpoint_set_state(endpoints, endpoint, state);
    }
}
