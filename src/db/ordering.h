/* SPDX-License-Identifier: MIT */
/*
 * db/ordering.h: the statements that keep deliveries of one ordering key in order
 * (docs/internals/ordering.md).
 *
 *   look     of rows that were read: whose turn it is, and what was before it in its key
 *   lock     before outcomes are written: who publishes with these keys is waited for by nobody,
 *            but noted; and the trigger is told that this transaction promotes by itself
 *   promote  after they are written: the next of each key that has ended is promised, or is due
 * Lock, outcomes and promote are statements of one transaction, in this order: each sees what was
 * committed before it began.
 *
 * A promise is for a worker that goes on with the next one at once: that is not written to be due,
 * which was half of the cost of an ordered delivery. One row of webhook_promotions says it of all
 * of a batch (db/promises.h), so that what a worker leaves behind is known.
 */
#ifndef POSTRIDER_DB_ORDERING_H
#define POSTRIDER_DB_ORDERING_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "db/array.h"
#include "db/link.h"

/* Ordered deliveries whose outcomes end them, of one batch. */
struct ordering_ends {
    int count;
    struct array ids, buckets, chains;
    const char *owner; /* who promises, as in webhook_workers */
    const char *kept;  /* an array of promises of his that are kept, and go with this batch */
};

#define ORDERING_NO_PROMISE (-1)

void ordering_ends_init(struct ordering_ends *ends, size_t maximum_bytes);
void ordering_ends_free(struct ordering_ends *ends);

/* Both are borrowed until the last of the batch was sent. */
void ordering_ends_begin(struct ordering_ends *ends, const char *owner, const char *kept);
/* bucket: of its key's lock, as it was read. chain: how many of its key, this one included, were
 * promised one after another; the next one is to be promised, too. ORDERING_NO_PROMISE: the next one
 * is to be due. */
void ordering_ends_add(struct ordering_ends *ends, const char *id, int bucket, int chain);

/* The statements to put before and after the outcomes. The result of the first has no rows. */
struct db_statement ordering_lock(struct ordering_ends *ends);
struct db_statement ordering_promote(struct ordering_ends *ends);

/* A delivery that is next in its key. */
struct ordering_next {
    const char *id;
    const char *previous; /* the event of the delivery before it; NULL: there is none any more */
    int64_t promise;      /* the row that says so; 0: it is due */
    int chain;            /* see ordering_ends_add() */
};

/* True for the result of ordering_promote(); then each of those that are next. */
bool ordering_is_promotion(const PGresult *result);
struct ordering_next ordering_next_at(const PGresult *result, int n);

/* A row that was read and is ordered. */
struct ordering_row {
    int row;           /* its place in the read */
    int answer;        /* in the result of the look; -1: there is none, or the row has gone */
    bool is_known;     /* it was promoted here: nobody need be asked */
    char previous[37]; /* ... after this event */
};

/* Those of a read; it is asked once for all that are not known. */
struct ordering_look {
    struct array ids;
    PGresult *result;
    struct ordering_row *rows; /* in the order of the read */
    int *asked;                /* places in rows */
    int count, asked_count, capacity;
};

void ordering_look_init(struct ordering_look *look);
void ordering_look_free(struct ordering_look *look);

/* What is still of the last read is forgotten. */
void ordering_look_begin(struct ordering_look *look);
/* Rows come in ascending order. previous: it is its turn, as is known, after this event; NULL: not
 * known. */
void ordering_look_add(struct ordering_look *look, int row, const char *id, const char *previous);
/* When there are any to ask for. */
bool ordering_look_send(struct ordering_look *look, struct db_link *link,
                        db_link_answered *on_answer, void *owner) MUST_USE;
/* The answer, which is the look's from now on. */
void ordering_look_take(struct ordering_look *look, PGresult *result);

/* False: the row is not ordered. *ret_previous, the event before it in its key, belongs to the look;
 * NULL: there is none, or none any more. */
bool ordering_look_at(const struct ordering_look *look, int row, bool *ret_is_its_turn,
                      const char **ret_previous);

#endif
