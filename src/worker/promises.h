/* SPDX-License-Identifier: MIT */
/*
 * worker/promises.h: ordered deliveries that this worker goes on with though they have no time
 * (db/ordering.h, docs/internals/ordering.md).
 *
 * When one ends, the next of its key is promised, if there is room for it, and if not too many of
 * the key were promised one after another (PROMISES_CHAIN_MAX): then it is made due, and takes its
 * place behind what waits. What was promised is asked for by its id and admitted whatever waits.
 * A promise is kept when all of its deliveries have ended, or have a time since they are tried again.
 * One that is not on its way after PROMISES_PATIENCE_US, or is dropped before, is given back: it is
 * made due, so that others see it, and whoever has its lane reads it. What was begun is not given
 * back: its outcome will say more. Whatever else may happen, the promise stays in the database until
 * then, and others break it when this worker is no more.
 */
#ifndef POSTRIDER_WORKER_PROMISES_H
#define POSTRIDER_WORKER_PROMISES_H

#include <libpq-fe.h>

#include "worker/context.h"

#define PROMISES_CHAIN_MAX   16
#define PROMISES_MAX         20000 /* deliveries */
#define PROMISES_PATIENCE_US 5000000
#define PROMISES_LOOK_US     500000

void promises_init(struct worker *worker);
void promises_free(struct worker *worker);

/* Who promises, as in webhook_workers; copied. */
void promises_set_owner(struct worker *worker, const char *owner);
/* Whether deliveries of that lane are this worker's. */
void promises_set_lane(struct worker *worker, int lane, bool is_owned);

/* For a delivery whose outcome is about to be written: see ordering_ends_add(). asked: how many of
 * the batch are to be followed by one that is promised. */
int promises_chain(const struct worker *worker, const struct delivery *delivery, int asked);

/* For ordering_ends_begin(): the promises that are kept, an array that is valid until the next call. */
const char *promises_owner(const struct worker *worker);
const char *promises_kept(struct worker *worker);

/* The answer of ordering_promote(). */
void promises_note_next(struct worker *worker, const PGresult *result);
/* The batch was answered: what promises_kept() said is forgotten. */
void promises_note_written(struct worker *worker);
/* The answer was lost: there may be promises that nobody knows of. */
void promises_note_lost(struct worker *worker);

/* The delivery's row has no time, as far as is known. */
bool promises_has(const struct worker *worker, const char *id);
/* Its outcome is written and stays. */
void promises_end(struct worker *worker, const char *id);
/* It is not sent from here: it was dropped, or somebody else has changed its row. */
void promises_give_back(struct worker *worker, const char *id);

/* True once after the next of a key was made due, which nobody is notified of. */
bool promises_take_made_due(struct worker *worker);

void promises_step(struct worker *worker);
int64_t promises_next_us(const struct worker *worker);

#endif
