/*
 * worker/finding.h: reading due rows into their endpoints' queues.
 *
 * Does what core/finder.h plans: one read at a time on the reading link, and a fetch of the rows of
 * which only a key was found and that are neither known nor part of a backlog. Refills of backlogs
 * (refilling.h) take turns with the forward reads. How much is read ahead is bounded in rows (so
 * that what waits here is seconds old at most) and in bytes (worker.max_buffered).
 */
#ifndef POSTRIDER_WORKER_FINDING_H
#define POSTRIDER_WORKER_FINDING_H

#include "worker/context.h"

void finding_init(struct worker *worker);

/* Takes what finding keeps of worker->config (worker/configuring.h). */
void finding_configure(struct worker *worker);
void finding_free(struct worker *worker);

/* Sends the next read, if there is room and it is time. */
void finding_step(struct worker *worker);

int64_t finding_next_us(const struct worker *worker);

/* An outcome was not written, since somebody has changed its row: it may be pending all the same,
 * at a time that was passed while the row was known. */
void finding_look_again(struct worker *worker, const struct delivery *delivery);

/* For refilling.c, which does a read of its own: */
int finding_rows_ahead(const struct worker *worker);
int finding_room_rows(const struct worker *worker);
int64_t finding_room_bytes(const struct worker *worker);
bool finding_has_room(const struct worker *worker);
void finding_note_sent(struct worker *worker);
bool finding_note_answer(struct worker *worker, const struct db_answer *answer) MUST_USE;
bool finding_is_new(struct worker *worker, const struct due_row *row);
void finding_admit(struct worker *worker, struct endpoint *endpoint, const struct due_row *row);

/* The number of the unanswered read, 0 = none (see deliveries_reap). */
uint64_t finding_unanswered(const struct worker *worker);

#endif
