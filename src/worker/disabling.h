/* SPDX-License-Identifier: MIT */
/*
 * worker/disabling.h: endpoints that do nothing but fail are written down, and disabled after
 * endpoint.disable_after.
 *
 * An endpoint is noted when a request to it fails while its breaker or its origin's is open, and
 * when it answers again; the notes of many are written in one statement (db/disabling_notes.h),
 * where the database's clock decides. That one fails, and could not be written, is noted again by
 * the next probe, so nothing is kept for it. That it has answered is said once: it is written again
 * after a pause, and until it is written no failure is noted, since its row would have it disabled
 * for failures of before. What a worker that dies has not written, is lost. A row that a worker made is noted once a day while it is of
 * use: by failures, and by deliveries that fail unsent because the endpoint is disabled. Should
 * retention delete one that is in memory, nothing is lost but its past: the next load of the
 * settings, within seconds, finds none, and the next failure makes a new one.
 */
#ifndef POSTRIDER_WORKER_DISABLING_H
#define POSTRIDER_WORKER_DISABLING_H

#include "worker/context.h"

void disabling_init(struct worker *worker);
void disabling_free(struct worker *worker);

/* What a request to it has shown. Cheap when the database knows it already. */
void disabling_note_failing(struct worker *worker, struct endpoint *endpoint);
void disabling_note_working(struct worker *worker, struct endpoint *endpoint);

/* A delivery failed unsent. */
void disabling_note_unsent(struct worker *worker, struct endpoint *endpoint);

void disabling_step(struct worker *worker);
int64_t disabling_next_us(const struct worker *worker);

#endif
