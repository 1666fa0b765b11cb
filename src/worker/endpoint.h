/*
 * worker/endpoint.h: the endpoints that have deliveries here, their settings, and whose turn it is.
 *
 * An endpoint is a customer and a URL. Its settings (its row in webhook_endpoints over the
 * configuration, and its secrets) are loaded before its first delivery is sent and again when they
 * are older than ENDPOINT_FRESH_US, so a change by SQL takes effect within seconds. Which list it
 * is in is its state: idle      nothing waits for it; freed some time after its last delivery
 *   unloaded  deliveries wait, its settings are missing or too old
 *   loading   deliveries may wait, its settings have been asked for
 *   ready     deliveries wait and can be sent: one each in turn
 * Deliveries of one endpoint are sent in the order in which they became due. This is the place for
 * windows, rate limits and breakers: endpoint_next_ready() says who may send.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_H
#define POSTRIDER_WORKER_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "core/backlog.h"
#include "worker/delivery.h"
#include "worker/endpoint_settings.h"

#define ENDPOINT_FRESH_US 2000000
#define ENDPOINT_KEEP_US  60000000

enum endpoint_state {
    ENDPOINT_IDLE,
    ENDPOINT_UNLOADED,
    ENDPOINT_LOADING,
    ENDPOINT_READY,
    ENDPOINT_STATES
};

struct endpoint {
    UT_hash_handle by_key;
    TAILQ_ENTRY(endpoint) in_state;
    enum endpoint_state state;
    struct delivery_list waiting;
    size_t known; /* deliveries that point here, in any state */
    bool is_loaded;
    int64_t loaded_us;
    int64_t used_us;
    int64_t logged_us;      /* when a failed attempt was last logged */
    int64_t unlogged;       /* such attempts since then */
    struct backlog backlog; /* core/backlog.h; worker/refilling.c reads it back */
    struct endpoint_settings settings;
    char *key; /* "customer url" */
    char customer_id[37];
    const char *url; /* in key */
};

TAILQ_HEAD(endpoint_list, endpoint);

struct endpoints {
    struct endpoint *by_key;
    struct endpoint_list lists[ENDPOINT_STATES];
    size_t counts[ENDPOINT_STATES];
    struct backlogs backlogs;
};

void endpoints_init(struct endpoints *endpoints);
/* After deliveries_free(). */
void endpoints_free(struct endpoints *endpoints);

/* Finds or makes it. */
struct endpoint *endpoint_get(struct endpoints *endpoints, const char *customer_id,
                              const char *url);

/* Puts a new waiting delivery at the end of its endpoint's queue. */
void endpoint_push(struct endpoints *endpoints, struct delivery *delivery, int64_t now_us);

/* Takes a waiting delivery out of its endpoint's queue, before its state is changed. */
void endpoint_remove(struct endpoints *endpoints, struct delivery *delivery);

/* How many rows it could have waiting, at most (0: there is no use in any): the answer decides how
 * far its backlog is read. */
int endpoint_rows_wanted(const struct endpoint *endpoint, int64_t now_us);

/* The endpoint whose turn it is, after setting aside those with old settings; NULL: none is ready.
 */
struct endpoint *endpoint_next_ready(struct endpoints *endpoints, int64_t now_us);

/* A delivery of it was taken: the next turn is another's. */
void endpoint_yield(struct endpoints *endpoints, struct endpoint *endpoint);

/* Moves the first unloaded endpoint to loading and returns it; NULL when there is none. */
struct endpoint *endpoint_begin_load(struct endpoints *endpoints);

/* Loading ends, with new settings or (is_loaded false) without. */
void endpoint_end_load(struct endpoints *endpoints, struct endpoint *endpoint, bool is_loaded,
                       int64_t now_us);

/* All settings are old: the configuration was replaced. */
void endpoints_expire(struct endpoints *endpoints);

/* Frees idle endpoints that were not used for ENDPOINT_KEEP_US. */
void endpoints_reap(struct endpoints *endpoints, int64_t now_us);

#endif
