/* SPDX-License-Identifier: MIT */
/*
 * worker/finding.h: reading due rows into their endpoints' queues.
 *
 * Does what core/finder.h plans: one read at a time on the reading link, and a fetch of the rows of
 * which only a key was found and that are neither known nor part of a backlog. Refills of backlogs
 * (refilling.h) take turns with the forward reads. How much is read ahead is bounded in rows (so
 * that what waits here is seconds old at most) and in bytes (worker.max_buffered). A delivery whose
 * event is not there is not admitted but looked for again (core/absences.h).
 */
#ifndef POSTRIDER_WORKER_FINDING_H
#define POSTRIDER_WORKER_FINDING_H

#include "worker/context.h"

struct absences;
struct due_limits;
struct due_row;
struct finder;

void finding_init(struct worker *worker);

void finding_free(struct worker *worker);
/* Takes what finding keeps of worker->config (worker/configuring.h). */
void finding_reconfigure(struct worker *worker);

/* Sends the next read, if there is room and it is time. */
void finding_step(struct worker *worker);

int64_t finding_next_us(const struct worker *worker);

/* There may be due rows that no time of ours announces: the next read is made at once. */
void finding_wake(struct worker *worker);

/* Why the database refuses to read what is due, as it did within the last seconds; NULL: it doesn't. */
const char *finding_refusal(const struct worker *worker);

/* A read or a fetch is outstanding. */
bool finding_is_reading(const struct worker *worker);

/* A link was lost: nothing that was read counts, and all is looked for again. */
void finding_restart(struct worker *worker);

/* As they are now, to be looked at. */
const struct absences *finding_absences(const struct worker *worker);
const struct finder *finding_finder(const struct worker *worker);

/* Lanes whose rows are looked for: leasing.c says which. One that is disowned has its waiting
 * deliveries dropped and its backlogs forgotten by finding_drop_unowned(). */
bool finding_owns_lane(const struct worker *worker, int lane);
void finding_own_lane(struct worker *worker, int lane);
void finding_disown_lane(struct worker *worker, int lane);

/* Drops the waiting deliveries of the lanes that are not owned any more, and forgets their backlogs
 * (all of them: while a link is down, or the worker ends). */
void finding_drop_unowned(struct worker *worker);

/* For refilling.c, which does a read of its own: */
int finding_rows_ahead(const struct worker *worker);
int finding_room_rows(const struct worker *worker);
int64_t finding_room_bytes(const struct worker *worker);
struct due_limits finding_limits(const struct worker *worker);
int finding_rows_that_fit(const struct worker *worker, int rows);
bool finding_has_room(const struct worker *worker);
void finding_note_sent(struct worker *worker);
bool finding_note_answer(struct worker *worker, const struct db_answer *answer) MUST_USE;
bool finding_is_new(struct worker *worker, const struct due_row *row);
void finding_note_payloads(struct worker *worker, int payloads, int64_t bytes);
void finding_admit(struct worker *worker, struct endpoint *endpoint, const struct due_row *row);

/* The number of the unanswered read, 0 = none (see deliveries_reap). */
uint64_t finding_unanswered(const struct worker *worker);

#endif
