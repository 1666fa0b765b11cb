/* SPDX-License-Identifier: MIT */
/*
 * db/due.h: the statements that find and fetch pending rows.
 *
 *   forward  of core/finder.h: rows with payloads, and what the same snapshot tells of transactions
 *   scan     keys only, for rereads and sweeps
 *   refill   of core/backlog.h: the next rows of some endpoints, each behind its own position
 *   fetch    single rows by key
 * Forward and scan use the index (lane, next_retry_at, id), refill the index (hash of the URL,
 * next_retry_at, id), fetch the primary key. None writes. A payload over the limit is measured but
 * not fetched. A row whose endpoint is among the closed ones comes without payload and URL, one
 * for which the answer has no room left without payload.
 *
 * Rows without a payload of their own are events'; db/due_events.h says how theirs come. A read is
 * answered when both are there: when the second answer is lost or refused, so is the read. Where
 * events are ordered, a third statement asks whose turn it is (db/ordering.h).
 *
 * Limit: a refill walks over the rows that other customers have for the same URL.
 */
#ifndef POSTRIDER_DB_DUE_H
#define POSTRIDER_DB_DUE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/backlog.h"
#include "core/finder.h"
#include "db/array.h"
#include "db/due_events.h"
#include "db/link.h"
#include "db/ordering.h"

#define DUE_FETCH_MAX  FINDER_ROWS_MAX
#define DUE_REFILL_MAX 64

/* One row of a result; the texts belong to the result. */
struct due_row {
    int number; /* of its request in a refill, from 0 */
    int lane;
    const char *id;
    const char *event_id;
    const char *customer_id;
    const char *url; /* NULL: its endpoint is closed, only the key is here */
    const char *url_hash;
    int attempts;
    const char *next_retry_at;
    const char *payload; /* NULL: too large, or not fetched; of an event's row, its body */
    int64_t payload_bytes;
    bool is_erased;         /* what was to be sent is gone for good; payload is NULL */
    bool is_cut;            /* there was no room left for it in the answer */
    bool is_of_event;       /* the fields below are set */
    bool is_repeated;       /* an earlier row of the answer has the same event */
    struct due_event event; /* when it is absent there is nothing to send */
    bool is_out_of_turn;    /* of its ordering key another one is first, or blocks */
    const char *previous;   /* the event before it in its key; NULL: none */
};

struct due_key {
    int lane;
    const char *id;
    const char *next_retry_at;
    const char *customer_id;
    const char *url_hash;
};

struct due_limits {
    int64_t payload_bytes; /* of one row; a larger payload is measured, but not fetched */
    int64_t room_bytes;    /* of all payloads of a read (one row always comes) */
};

/* The event after which it is this delivery's turn, as is known without asking the database; NULL:
 * not known. Asked once for each row that was read. */
typedef const char *due_known(void *owner, const char *id);

/* What the statements' parameters are made in, and the one read that is outstanding. Owned by who
 * reads, who makes one read at a time. */
struct due_reader {
    struct array lanes, times, ids, until_times, until_ids, customers, hashes, limits;
    struct db_link *link;
    struct due_limits asked;
    db_link_answered *on_answer;
    void *owner;
    PGresult *rows; /* that came, while their events are awaited */
    struct due_events events;
    struct ordering_look look;
    due_known *known;
    void *known_owner;
};

void due_reader_init(struct due_reader *reader);
/* Whom to ask of an ordered row before the database is. */
void due_reader_set_known(struct due_reader *reader, due_known *known, void *owner);
void due_reader_free(struct due_reader *reader);

/* Endpoints whose rows the next forward read gives as keys: begin, then add each hash. */
void due_reader_begin_closed(struct due_reader *reader);
void due_reader_add_closed(struct due_reader *reader, const char *url_hash);

/* Sends the plan's read. */
bool due_send_read(struct due_reader *reader, struct db_link *link, const struct finder *finder,
                   const struct finder_plan *plan, const struct due_limits *limits,
                   db_link_answered *on_answer, void *owner) MUST_USE;

/* A refill: begin, add each endpoint (at most DUE_REFILL_MAX), send. */
void due_refill_begin(struct due_reader *reader);
void due_refill_add(struct due_reader *reader, const struct backlog *backlog);
bool due_refill_send(struct due_reader *reader, struct db_link *link,
                     const struct due_limits *limits, db_link_answered *on_answer,
                     void *owner) MUST_USE;

/* Sends a fetch of the ids that are still pending and due, or promised (db/ordering.h); rows come in no
 * particular order. */
bool due_send_fetch(struct due_reader *reader, struct db_link *link, const char *const *ids,
                    int count, const struct due_limits *limits, db_link_answered *on_answer,
                    void *owner) MUST_USE;

/* The answer of a forward read: how many rows there are, and its snapshot, which always comes. */
int due_rows_count(const struct due_reader *reader, const PGresult *result);
struct late_snapshot due_snapshot(const PGresult *result);

/* Of the answer to the reader's last read, during the callback. */
struct due_row due_row_at(const struct due_reader *reader, const PGresult *result, int row);
/* What its payload takes of the answer: nothing when an earlier row has brought it. */
int64_t due_row_bytes(const struct due_row *row);
struct due_key due_key_at(const PGresult *result, int row);

#endif
