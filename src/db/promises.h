/* SPDX-License-Identifier: MIT */
/*
 * db/promises.h: what becomes of promises that were not kept (db/ordering.h).
 *
 * A promise is a row of webhook_promotions with the ids of deliveries that its owner goes on with,
 * though they have no time. Its owner deletes it with the outcomes that come after it was kept, gives
 * back what he does not send soon, and breaks what he does not know: the answer that told of it was
 * lost. Breaking is deleting: the table's trigger makes due what has no time yet
 * (migrations/0030_promises.sql). The owner of lane 0 breaks those of workers that are no more.
 */
#ifndef POSTRIDER_DB_PROMISES_H
#define POSTRIDER_DB_PROMISES_H

#include <stdbool.h>

#include "db/array.h"
#include "db/link.h"

/* The deliveries of these ids are due, unless they have ended or have a time. */
bool promises_send_back(struct db_link *link, struct array *ids, db_link_answered *on_answer,
                        void *request_owner) MUST_USE;

/* Breaks all of owner's but those of the ids in known. */
bool promises_send_unknown(struct db_link *link, const char *owner, struct array *known,
                           db_link_answered *on_answer, void *request_owner) MUST_USE;

/* Breaks those of workers that have no lease. */
bool promises_send_orphaned(struct db_link *link, db_link_answered *on_answer,
                            void *request_owner) MUST_USE;

#endif
