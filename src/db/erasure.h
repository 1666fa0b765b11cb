/* SPDX-License-Identifier: MIT */
/*
 * db/erasure.h: emptying what is there of one event, or of one customer, in batches with a
 * transaction each. "postrider erase" uses it; webhook_payloads_expire() (0026_erasure.sql) is the
 * same for retention.
 *
 * Erased is what has erased_at. The payload of an event, or of a delivery that has one of its own,
 * becomes 'null'; last_error, the texts of the attempts and the kept answers of "postrider serve"
 * go. Rows stay, and what has ended stays as it ended; a pending delivery fails as "not sent:
 * erased". Events first: from then on no worker sends what it reads of them, whatever becomes of the
 * rest. What is erased is passed over, so an erasure that was stopped is made again for the rest.
 *
 * Of a customer: its events with all of their deliveries, whoever's endpoints they are for, and the
 * deliveries that were inserted for it as they are. No index has those, so that the table is read
 * through: once to count them, once or twice to erase them. Likewise for an event's id.
 */
#ifndef POSTRIDER_DB_ERASURE_H
#define POSTRIDER_DB_ERASURE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/error.h"
#include "db/session.h"

/* One of the two; the other is NULL. */
struct erasure_subject {
    const char *event_id;
    const char *customer_id;
};

/* What there is to do, and what there is besides. */
struct erasure_counts {
    int64_t events;    /* with a payload */
    int64_t of_events; /* their deliveries, and those of events that are erased already */
    int64_t plain;     /* deliveries with a payload of their own */
    int64_t pending;   /* of both */
    int64_t erased;    /* events and deliveries that are erased already */
    int64_t endpoints; /* of the customer, which stay; as the next one */
    int64_t secrets;
};

bool erasure_count(struct db_session *session, const struct erasure_subject *subject,
                   struct erasure_counts *ret_counts, struct error *error) MUST_USE;

enum erasure_phase { ERASURE_EVENTS, ERASURE_OF_EVENTS, ERASURE_PLAIN, ERASURE_DONE };

/* How far it has come; begins as erasure_begin() leaves it. */
struct erasure {
    struct erasure_subject subject;
    char id[40]; /* of its row in webhook_erasures */
    enum erasure_phase phase;
    int64_t events, deliveries; /* erased so far */

    char created_at[64], event_id[40]; /* the page begins behind this event; "": at the oldest */
    PGresult *plain;                   /* ids that were found in the table's next part */
    int at;                            /* the first of them that is not erased yet */
    int64_t block;                     /* where the part behind it begins */
    int64_t found;                     /* in this pass through the table */
};

/* Notes who erases what. The subject's texts are borrowed. */
bool erasure_begin(struct db_session *session, const struct erasure_subject *subject,
                   struct erasure *ret_erasure, struct error *error) MUST_USE;

/* Takes the next step, which erases 1,000 rows at most; over when the phase is ERASURE_DONE. */
bool erasure_step(struct db_session *session, struct erasure *erasure,
                  struct error *error) MUST_USE;

void erasure_free(struct erasure *erasure);

#endif
