/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_states.h"

#include "base/compiler.h"

#define MOVE(state) (1u << (state))

/* A load begins with one that is unloaded, and ends before anything else is known of it. To its own
 * state an endpoint goes to be the last one of its list. */
static const unsigned legal_moves[] = {
    [ENDPOINT_IDLE] = MOVE(ENDPOINT_IDLE) | MOVE(ENDPOINT_PROMISED) | MOVE(ENDPOINT_UNLOADED) |
                      MOVE(ENDPOINT_READY),
    [ENDPOINT_PROMISED] = MOVE(ENDPOINT_IDLE) | MOVE(ENDPOINT_PROMISED) | MOVE(ENDPOINT_UNLOADED) |
                          MOVE(ENDPOINT_READY),
    [ENDPOINT_UNLOADED] = MOVE(ENDPOINT_IDLE) | MOVE(ENDPOINT_PROMISED) | MOVE(ENDPOINT_LOADING),
    [ENDPOINT_LOADING] = MOVE(ENDPOINT_IDLE),
    [ENDPOINT_READY] = MOVE(ENDPOINT_IDLE) | MOVE(ENDPOINT_PROMISED) | MOVE(ENDPOINT_UNLOADED) |
                       MOVE(ENDPOINT_READY),
};

static const char *state_name(enum endpoint_state state)
{
    static const char *const names[] = {"idle", "promised", "unloaded", "loading", "ready"};

    return names[state];
}

void endpoint_set_state(struct endpoints *endpoints, struct endpoint *endpoint,
                        enum endpoint_state state)
{
    if ((legal_moves[endpoint->state] & MOVE(state)) == 0)
        bug("endpoint %.200s: %s to %s", endpoint->key, state_name(endpoint->state),
            state_name(state));
    TAILQ_REMOVE(&endpoints->lists[endpoint->state], endpoint, in_state);
    endpoints->counts[endpoint->state]--;
    heap_remove(&endpoints->promises, &endpoint->promise);
    endpoint->state = state;
    TAILQ_INSERT_TAIL(&endpoints->lists[state], endpoint, in_state);
    endpoints->counts[state]++;
    if (state == ENDPOINT_PROMISED)
        heap_insert(&endpoints->promises, &endpoint->promise,
                    scheduler_promised_until_us(&endpoint->queue.entry));
}

enum endpoint_state endpoint_idle_state(const struct endpoint *endpoint, int64_t now_us)
{
    return scheduler_promised_until_us(&endpoint->queue.entry) > now_us ? ENDPOINT_PROMISED
                                                                        : ENDPOINT_IDLE;
}

static enum endpoint_state wanted_state(const struct endpoint *endpoint, bool is_promised)
{
    bool has_waiting = queue_first(&endpoint->queue) != NULL;

    /* One whose last row went by old settings too: the next row finds new ones. */
    if (endpoint->wants_load || (has_waiting && !endpoint->is_loaded))
        return ENDPOINT_UNLOADED;
    if (has_waiting)
        return ENDPOINT_READY;
    return is_promised ? ENDPOINT_PROMISED : ENDPOINT_IDLE;
}

void endpoint_settle(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us)
{
    int64_t promised_us = scheduler_promised_until_us(&endpoint->queue.entry);
    enum endpoint_state state = wanted_state(endpoint, promised_us > now_us);

    /* The answer decides where it goes; a load that is wanted meanwhile is asked for then. */
    if (endpoint->state == ENDPOINT_LOADING)
        return;
    if (endpoint->state != state ||
        (state == ENDPOINT_PROMISED && endpoint->promise.at_us != promised_us))
        endpoint_set_state(endpoints, endpoint, state);
}

void endpoint_set_loaded(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                         int64_t now_us)
{
    endpoint->is_loaded = is_loaded;
    queue_set_ready(&endpoints->queues, &endpoint->queue, is_loaded, now_us);
}

/* Puts it last in its list, or takes it out; what is so already stays. */
#define SET_LISTED(endpoints, endpoint, list, is_wanted)                  \
    do {                                                                  \
        if ((endpoint)->is_##list == (is_wanted))                         \
            break;                                                        \
        (endpoint)->is_##list = (is_wanted);                              \
        if (is_wanted)                                                    \
            TAILQ_INSERT_TAIL(&(endpoints)->list, (endpoint), in_##list); \
        else                                                              \
            TAILQ_REMOVE(&(endpoints)->list, (endpoint), in_##list);      \
    } while (0)

void endpoint_set_unread(struct endpoints *endpoints, struct endpoint *endpoint, bool is_unread)
{
    SET_LISTED(endpoints, endpoint, unread, is_unread);
}

void endpoint_set_unopened(struct endpoints *endpoints, struct endpoint *endpoint, bool is_unopened)
{
    SET_LISTED(endpoints, endpoint, unopened, is_unopened);
}

void endpoint_set_paused(struct endpoints *endpoints, struct endpoint *endpoint, bool is_paused)
{
    SET_LISTED(endpoints, endpoint, paused, is_paused);
}
