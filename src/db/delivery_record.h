/* SPDX-License-Identifier: MIT */
/*
 * db/delivery_record.h: all that the database knows of one delivery: its row, its endpoint's row,
 * who owns its lane, how many secrets sign it, and the log of its attempts. Reads only.
 */
#ifndef POSTRIDER_DB_DELIVERY_RECORD_H
#define POSTRIDER_DB_DELIVERY_RECORD_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/endpoint_row.h"
#include "db/session.h"

/* At most so many attempts are read, the last ones. */
#define DELIVERY_ATTEMPTS_MAX 200

/* Counting the rows before this one in its endpoint's queue ends here. */
#define DELIVERY_AHEAD_MAX 1000

/* Text belongs to the record. Times are text in UTC, with milliseconds from the database's now. */
struct delivery_record {
    PGresult *result;
    const char *id;
    const char *event_id;
    const char *customer_id;
    const char *url;
    const char *event_type;
    const char *status;
    int64_t attempts;
    const char *last_attempt_at; /* NULL: never */
    int64_t last_attempt_ms_ago;
    const char *next_retry_at;
    int64_t due_in_ms; /* negative: due since; DB_FOREVER_MS: never */
    const char *created_at;
    int64_t created_ms_ago;
    int64_t response_status; /* 0: none */
    const char *last_error;  /* NULL: none */
    int64_t payload_bytes;
    int64_t lane;
    const char *lane_owner;  /* NULL: nobody */
    int64_t lease_ms;        /* negative: expired */
    const char *endpoint_id; /* of its row in webhook_endpoints; NULL: it has none */
    const char *disabled_at; /* NULL: the endpoint is enabled, or has no row */
    int64_t disabled_ms_ago;
    int64_t secret_count; /* valid in webhook_secrets, of the level that signs; -1: not known */
    const char *failing_since; /* NULL: the endpoint answers, or has no row */
    int64_t failing_ms_ago;
    const char *worker_problems; /* of the lane's owner: JSON as in db/worker_problems.h, or NULL */
    int64_t worker_problems_ms_ago; /* so old is that */
    bool is_of_before;              /* adopted with the table, and not sent since (db/adoption.h) */
    const char *failed_at;          /* NULL: it is no dead letter */
    int64_t failed_ms_ago;
    int64_t ahead;         /* pending rows of the same URL that are due earlier */
    bool is_of_event;      /* made for an event, whose body is what is sent */
    bool is_event_there;   /* ... which is there */
    const char *erased_at; /* NULL: what is, or was, to be sent is there */
    int64_t erased_ms_ago;
    bool is_endpoint_elsewhere; /* the endpoint that it was made for has another URL or customer */
    const char *ordering_key;   /* NULL: it has none, or is not pending */
    const char *ordering_head;  /* the first of its key that has not ended */
    const char *ordering_dead; /* the dead letter that keeps that one from going; NULL: none does */
    bool is_ordering_noted;    /* workers will look at the key once more (webhook_promotions) */
    bool hides_workers; /* lanes and workers are not for who asks, and nothing is known of them */
    struct endpoint_row endpoint;
};

/* Of a result that has the record's columns from this place on. It stays the caller's. */
struct delivery_record delivery_record_at(const PGresult *result, int first);

/* The one with this id. *ret_found is false when there is none: that is no error. */
bool delivery_record_read(struct db_session *session, const char *id,
                          struct delivery_record *ret_record, bool *ret_found,
                          struct error *error) MUST_USE;
void delivery_record_free(struct delivery_record *record);

/*
 * The ids of the deliveries of an event, the oldest first, as an array of limit at most. No index
 * serves it: it reads the whole table.
 */
bool delivery_record_find_event(struct db_session *session, const char *event_id, int limit,
                                PGresult **ret_ids, struct error *error) MUST_USE;

struct delivery_attempt {
    int64_t attempt;
    const char *started_at;
    int64_t started_ms_ago;
    int64_t duration_ms;
    int64_t response_status; /* 0: none */
    const char *error;
    const char *response_body;
    const char *url;   /* where it was made to */
    bool is_elsewhere; /* and that is not where its delivery goes by now */
};

struct delivery_attempts {
    PGresult *result;
    size_t count;
    struct delivery_attempt *rows;
};

/* The log of a delivery's attempts, the oldest first. */
bool delivery_attempts_read(struct db_session *session, const char *id,
                            struct delivery_attempts *ret_attempts, struct error *error) MUST_USE;
void delivery_attempts_free(struct delivery_attempts *attempts);

#endif
