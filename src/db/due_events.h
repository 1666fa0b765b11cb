/* SPDX-License-Identifier: MIT */
/*
 * db/due_events.h: the events of rows that were read without a payload of their own.
 *
 * A delivery that was made for an event has payload NULL: the event's is meant, which is stored
 * once. So a read of such rows has a second statement, which fetches each event once, however many
 * of the rows are of it. The limits are those of the rows' own payloads (db/due.h): what is too
 * large is measured, but not fetched, and events are cut where there is no room left, though the
 * first always comes. The rows from the first one of a cut event on count as not read.
 *
 * Plain rows pay one look at a cell. Only db/due.c uses this.
 */
#ifndef POSTRIDER_DB_DUE_EVENTS_H
#define POSTRIDER_DB_DUE_EVENTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/array.h"
#include "db/link.h"

/* Texts belong to the read. */
struct due_event {
    bool is_absent;   /* webhook_events has no such row; all else is not there */
    bool is_erased;   /* there is no body, and never will be */
    bool is_early;    /* its deliver_after is still to come */
    const char *body; /* NULL: too large, or erased */
    int64_t body_bytes;
    const char *customer_id;
    const char *correlation_id; /* NULL, as the two below: it has none */
    const char *causation_id;
    const char *traceparent;
    const char *ordering_key; /* its deliveries go out one after another */
    int ordering_bucket;      /* ... of which publishers take the lock (db/ordering.h) */
};

/* Of one read. Begins with due_events_init(), and each read with due_events_find(). */
struct due_events {
    struct array ids;
    PGresult *result;
    int count;
    int rows;     /* of the read */
    int cut_at;   /* the first row that counts as not read; INT32_MAX: none */
    int *numbers; /* of each row's event, -1 where it has a payload */
    int *firsts;  /* of each event, the first row of it */
    int *places;  /* of each event in the result, -1: it is absent */
    int *buckets; /* by ids, while they are looked for */
    int capacity; /* rows that there is memory for */
};

struct due_events_columns {
    int id, event_id, url, payload_bytes, cut; /* places in the read */
};

void due_events_init(struct due_events *events);
void due_events_free(struct due_events *events);

/* What is still of the last read is forgotten. */
void due_events_clear(struct due_events *events);

/* Looks for rows without a payload; true when there are, and their events are to be fetched. */
bool due_events_find(struct due_events *events, const PGresult *rows,
                     const struct due_events_columns *columns) MUST_USE;

bool due_events_send(struct due_events *events, struct db_link *link, const char *limit,
                     const char *room, db_link_answered *on_answer, void *owner) MUST_USE;

/* The answer, which is theirs from now on. */
void due_events_take(struct due_events *events, PGresult *result);

/* True when the row is an event's. *ret_is_repeated: an earlier row of the read has the same. */
bool due_events_at(const struct due_events *events, int row, struct due_event *ret_event,
                   bool *ret_is_repeated);

#endif
