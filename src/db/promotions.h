/* SPDX-License-Identifier: MIT */
/*
 * db/promotions.h: trying again what makes the next delivery of an ordering key due.
 *
 * Whoever ends a delivery makes the next of its key due, in the same transaction: a trigger does it
 * (migrations/0018_ordering.sql). Where he could not see whether there is a next one, or its
 * publisher could not see that this one has ended, a row of webhook_promotions says so. Deleting
 * that row looks at the key once more, and the row stays while somebody is publishing with the key.
 * Rows with an owner are promises, and none of these (db/promises.h).
 */
#ifndef POSTRIDER_DB_PROMOTIONS_H
#define POSTRIDER_DB_PROMOTIONS_H

#include <stdbool.h>

#include "db/link.h"

#define PROMOTIONS_BATCH_ROWS 200

/* Tries at most PROMOTIONS_BATCH_ROWS keys. */
bool promotions_send(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;

/* Of a DB_ANSWERED answer: all of a full batch could go, so that there may be more. */
bool promotions_has_more(const struct db_answer *answer);

#endif
