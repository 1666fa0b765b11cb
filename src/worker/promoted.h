/* SPDX-License-Identifier: MIT */
/*
 * worker/promoted.h: ordered deliveries that this worker has made due itself, when the one before
 * each had ended.
 *
 * Of those nobody need be asked whose turn it is when they are read (db/ordering.h). At PROMOTED_MAX
 * all are forgotten, and asked for: what has stayed so long is read by others, whose lanes they are
 * now.
 */
#ifndef POSTRIDER_WORKER_PROMOTED_H
#define POSTRIDER_WORKER_PROMOTED_H

#include "worker/context.h"

#define PROMOTED_MAX 65536

void promoted_init(struct worker *worker);
void promoted_free(struct worker *worker);

/* previous: the event that has ended before it. */
void promoted_note(struct worker *worker, const char *id, const char *previous);

/* The event that was before it in its key, once, and until the next call; NULL: it is not known. owner
 * is the worker (db/due.h: due_known). */
const char *promoted_take(void *owner, const char *id);

#endif
