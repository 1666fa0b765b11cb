/* SPDX-License-Identifier: MIT */
/*
 * worker/waking.h: an idle worker is woken by the producer's commit (db/wakeups.h).
 *
 * While it has nothing to read, and core/wake_gain.h sees a gain in it, the worker asks producers to
 * notify: for WAKEUPS_SECONDS at a time, long before they have passed again, so that rows which
 * come one by one cost no write each. When it becomes busy it takes that back. After it has said so
 * for the first time it reads once more, for what was committed meanwhile.
 *
 * Nothing depends on it but latency: a row whose transaction was open before the worker asked, a
 * notification that is lost, a pooler that has none, are all left to the finder's polls.
 */
#ifndef POSTRIDER_WORKER_WAKING_H
#define POSTRIDER_WORKER_WAKING_H

#include "worker/context.h"

void waking_init(struct worker *worker);
void waking_free(struct worker *worker);

/* Before finding_step(): a read that a notification asks for is sent in the same turn. */
void waking_step(struct worker *worker);
int64_t waking_next_us(const struct worker *worker);

/* A connection was lost, and what it listened to with it. */
void waking_restart(struct worker *worker);

void waking_note_notified(struct worker *worker);

#endif
