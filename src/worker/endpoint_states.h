/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_states.h: what is kept of an endpoint, and which list it is in.
 *
 * Its list is its state, and the only setter of that is here:
 *   idle      nothing waits for it; freed some time after its last delivery
 *   promised  likewise, but it is not to be asked before a time: not freed until then
 *   unloaded  its settings are to be asked for again, or are missing while deliveries wait
 *   loading   deliveries may wait, its settings have been asked for
 *   ready     deliveries wait, its settings are there
 * Besides, an endpoint is in the lists of those of which something is to be said or written down.
 *
 * The functions are for worker/endpoint.c, which says what happens to an endpoint, and for
 * worker/endpoint_forgetting.c, which says when one may go. Nobody else calls them: others see the
 * structs by worker/endpoint.h, and change them by its functions.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_STATES_H
#define POSTRIDER_WORKER_ENDPOINT_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/buffer.h"
#include "core/history.h"
#include "core/queue.h"
#include "db/disabling_notes.h"
#include "worker/delivery.h"
#include "worker/endpoint_settings.h"
#include "worker/origin.h"

/* By settings that are older nothing is sent. */
#define ENDPOINT_FRESH_US 5000000

enum endpoint_state {
    ENDPOINT_IDLE,
    ENDPOINT_PROMISED,
    ENDPOINT_UNLOADED,
    ENDPOINT_LOADING,
    ENDPOINT_READY,
    ENDPOINT_STATES
};

struct endpoint {
    UT_hash_handle by_key;
    TAILQ_ENTRY(endpoint) in_state;
    struct heap_node promise; /* while it is promised: until when */
    struct queue queue;       /* its deliveries that wait, here and in the database */
    struct origin *origin;
    struct delivery_tally tally; /* of the deliveries that point here */
    int64_t loaded_us;
    uint64_t asked_by;  /* the load that was last asked for */
    uint64_t loaded_by; /* the one that its settings are of */
    int64_t used_us;
    int64_t logged_us;              /* when a failed attempt was last logged */
    int64_t unlogged;               /* such attempts since then */
    TAILQ_ENTRY(endpoint) in_noted; /* with a note */
    TAILQ_ENTRY(endpoint) in_unopened;
    TAILQ_ENTRY(endpoint) in_paused;
    TAILQ_ENTRY(endpoint) in_unsettled;
    TAILQ_ENTRY(endpoint) in_unread;
    TAILQ_ENTRY(endpoint) in_counted;
    struct history_counts
        *history; /* of this period; NULL: nothing has ended (endpoint_history.h) */
    struct endpoint_settings settings;
    char *key;       /* "customer url" */
    const char *url; /* in key */
    enum endpoint_state state;
    enum endpoint_note note;         /* to be written down (worker/disabling.h) */
    enum endpoint_note note_written; /* what is being written down just now */
    int lane;                        /* of its last delivery */
    int gone;       /* answers of 410 that are not written yet: no load can know of them */
    int unsettled;  /* outcomes that were refused, or do not stay */
    bool is_loaded; /* it can be sent to by its settings */
    bool wants_load;
    bool is_unopened; /* a secret that would sign can't be opened, by its settings */
    bool is_paused;   /* somebody has paused it, by its settings */
    bool is_unread;   /* others sign in place of secrets that can't be read */
    bool has_plain;   /* a delivery of no event was here since it is remembered */
    char customer_id[37];
};

TAILQ_HEAD(endpoint_list, endpoint);

struct endpoints {
    struct endpoint *by_key;
    struct buffer key; /* of the one that is looked for */
    struct origin *origins;
    struct queues queues;
    struct endpoint_list noted;
    struct endpoint_list unopened;  /* in the order of their beginning */
    struct endpoint_list paused;    /* likewise */
    struct endpoint_list unsettled; /* the same, of those with such outcomes */
    struct endpoint_list unread;
    struct endpoint_list counted;  /* with a history */
    struct history_period history; /* of all of them, and of those that were freed meanwhile */
    uint64_t loads;                /* that were asked for, or facts that are as good as one */
    int64_t refreshed_us;          /* the last look for old settings */
    int64_t full_us;               /* until then: a backlog was given up to make room */
    struct endpoint_list lists[ENDPOINT_STATES];
    size_t counts[ENDPOINT_STATES];
    struct heap promises;
};

/* The one setter; lists, counts and promises follow it. To its own state an endpoint goes to be the
 * last one of its list. */
void endpoint_set_state(struct endpoints *endpoints, struct endpoint *endpoint,
                        enum endpoint_state state);

/* Where one belongs that has no rows and nothing to ask. */
enum endpoint_state endpoint_idle_state(const struct endpoint *endpoint, int64_t now_us);

/* Puts an endpoint where it belongs after something has changed. */
void endpoint_settle(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us);

/* Whether its rows can be sent by the settings that there are. */
void endpoint_set_loaded(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                         int64_t now_us);

/* Whether it is among those of which secrets can't be read, or can't be opened, or that are paused. */
void endpoint_set_unread(struct endpoints *endpoints, struct endpoint *endpoint, bool is_unread);
void endpoint_set_unopened(struct endpoints *endpoints, struct endpoint *endpoint,
                           bool is_unopened);
void endpoint_set_paused(struct endpoints *endpoints, struct endpoint *endpoint, bool is_paused);

#endif
