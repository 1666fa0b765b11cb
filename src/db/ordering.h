/* SPDX-License-Identifier: MIT */
/*
 * db/ordering.h: the statements that keep deliveries of one ordering key in order
 * (docs/internals/ordering.md).
 *
 *   look     of rows that were read: whose turn it is, and what was before it in its key
 *   lock     before outcomes are written: who publishes with these keys is waited for by nobody,
 *            but noted; and the trigger is told that this transaction promotes by itself
 *   promote  after they are written: the next of each key that has ended is due
 * Lock, outcomes and promote are statements of one transaction, in this order: each sees what was
 * committed before it began.
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
    struct array ids, event_ids;
};

void ordering_ends_init(struct ordering_ends *ends, size_t maximum_bytes);
void ordering_ends_free(struct ordering_ends *ends);

void ordering_ends_begin(struct ordering_ends *ends);
void ordering_ends_add(struct ordering_ends *ends, const char *id, const char *event_id);

/* The statements to put before and after the outcomes. The result of the first has no rows. */
struct db_statement ordering_lock(struct ordering_ends *ends);
struct db_statement ordering_promote(struct ordering_ends *ends);

/* True for the result of ordering_promote(), which has those that it has made due; then each of
 * them, with the event of the delivery before it in its key; NULL: there is none any more. */
bool ordering_is_promotion(const PGresult *result);
const char *ordering_promoted_at(const PGresult *result, int n, const char **ret_previous);

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
