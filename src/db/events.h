/* SPDX-License-Identifier: MIT */
/*
 * db/events.h: webhook_events for the commands: publishing one, listing them, and reading one with
 * the deliveries that were made for it.
 *
 * A delivery of an event is a row of webhook_deliveries with an endpoint_id; rows that somebody
 * inserted with the same event_id are none. They are found by the index webhook_deliveries_event,
 * and every list of them is bounded. Text belongs to the result that a struct was read from.
 */
#ifndef POSTRIDER_DB_EVENTS_H
#define POSTRIDER_DB_EVENTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* Deliveries of an event are counted up to here. */
#define EVENT_COUNT_MAX 10000

struct event {
    const char *id;
    const char *customer_id;
    const char *event_type;
    const char *created_at;
    int64_t created_ms_ago;
    const char *idempotency_key; /* NULL: none; so the next ones */
    const char *correlation_id;
    const char *causation_id;
    const char *traceparent;
    const char *deliver_after;
    const char *erased_at;
    bool is_cause_there; /* causation_id is the id of an event */
    int64_t body_bytes;  /* of what is sent; -1: not asked for */
    int64_t pending, delivered, dead;
    bool is_count_cut; /* there are more deliveries than were counted */
};

struct event_delivery {
    const char *event_id;
    const char *id;
    const char *endpoint_id;
    const char *customer_id; /* the endpoint's */
    const char *url;
    const char *status;
    const char *state; /* for people: "delivered", "dead", "paused", … */
    int64_t attempts;
    int64_t response_status; /* 0: none */
    const char *last_error;
    const char *next_retry_at; /* NULL unless it is pending */
};

struct event_list {
    PGresult *result;
    size_t count;
    struct event *rows;
};

struct event_delivery_list {
    PGresult *result;
    size_t count;
    struct event_delivery *rows;
};

void event_list_free(struct event_list *list);
void event_delivery_list_free(struct event_delivery_list *list);

/* What is to be published; NULL is what the table's default is. */
struct event_draft {
    const char *customer_id;
    const char *event_type;
    const char *payload; /* JSON text */
    const char *idempotency_key;
    const char *correlation_id;
    const char *causation_id;
    const char *traceparent;
    const char *deliver_after; /* a duration from now ("2h"), or a time */
    int64_t max_bytes;         /* of the body that is sent */
};

struct event_published {
    char id[40];
    bool is_new; /* false: the key was there, with the same content */
};

/*
 * In a transaction of its own, with the deliveries that the table's trigger makes. An idempotency
 * key that is there gives the first event's id when the content is the same (type, payload,
 * correlation, causation, traceparent), and an error otherwise. So does a body over max_bytes,
 * which no worker would send. SQLSTATEs of classes 22 and 23 are what the draft says.
 */
bool event_publish(struct db_session *session, const struct event_draft *draft,
                   struct event_published *ret_published, struct error *error) MUST_USE;

struct event_filter {
    const char *customer;
    const char *type; /* a type, "order.*" or "*" */
    const char *since;
    const char *until;
    const char *before; /* id: only what comes behind that event in the list */
};

/* The newest first, at most limit, without the size of the body. */
bool events_list(struct db_session *session, const struct event_filter *filter, int64_t limit,
                 struct event_list *ret_list, struct error *error) MUST_USE;

/* The one with this id: a list of one, or of none. */
bool event_read(struct db_session *session, const char *id, struct event_list *ret_list,
                struct error *error) MUST_USE;

/* Its payload as text, which the caller frees; NULL with error, or when it has gone. */
char *event_payload(struct db_session *session, const char *id, struct error *error) MUST_USE;

/* Those of each of these events ("{uuid,…}"), in the order of (event, endpoint), at most limit of
 * each. An event need not be there. */
bool event_deliveries_list(struct db_session *session, const char *event_ids, int64_t limit,
                           struct event_delivery_list *ret_list, struct error *error) MUST_USE;

/* The ids of its deliveries as the only column, in the order of their endpoints; NULL with error. */
PGresult *event_delivery_ids(struct db_session *session, const char *id, int limit,
                             struct error *error) MUST_USE;

/* Takes over a result with the columns of SQL_EVENT_COLUMNS (db/event_columns.h). */
void event_list_of(PGresult *result, struct event_list *ret_list);

#endif
