/* SPDX-License-Identifier: MIT */
/*
 * worker/recording.h: writing outcomes, many in one statement.
 *
 * Finished deliveries are gathered for as long as the last batch takes, and as core/gathering.h
 * says. Nothing is given up: when the database is away they are kept. When it refuses a batch, the
 * batch is halved until the record to blame stands alone. What goes with an outcome (the attempt
 * log, the endpoint's row) is left out before the outcome is: it is written afterwards, or said to
 * be missing. An outcome that is refused by itself, or that was written and does not stay
 * (core/settlement.h), is unsettled: its delivery is not sent again, and it is written again with
 * growing pauses while the others pass. While an endpoint has one, few others of it are sent
 * (ENDPOINT_UNSETTLED_MAX).
 */
#ifndef POSTRIDER_WORKER_RECORDING_H
#define POSTRIDER_WORKER_RECORDING_H

#include "worker/context.h"

struct due_row;

#define RECORDING_UNSETTLED_MAX 10000 /* with so many, nothing more is sent */

void recording_init(struct worker *worker);
void recording_free(struct worker *worker);

/* Sends the next batch when it is time. */
void recording_step(struct worker *worker);

int64_t recording_next_us(const struct worker *worker);

/* A batch, or what goes with one, is with the database. */
bool recording_is_writing(const struct worker *worker);

/* Outcomes are written, but not yet what goes with them. */
bool recording_is_owing(const struct worker *worker);

/* How many outcomes were refused or undone, and are written again; *ret_reason: why the last one of
 * them was not taken. */
size_t recording_unsettled(const struct worker *worker, const char **ret_reason);

/* The id of the row that last came back again and again, and when; 0 = none has. */
const char *recording_returned(const struct worker *worker, int64_t *ret_at_us);

/* When the end of an ordered delivery has last been written; 0: never. */
int64_t recording_ordered_end_us(const struct worker *worker);

/* Outcomes that are not written yet. */
size_t recording_unwritten(const struct worker *worker);

/* False while too many outcomes are unwritten, or do not stay, to make more. */
bool recording_has_room(const struct worker *worker, size_t in_flight);

/* When there may be room again though nothing happens; WORKER_NEVER: there is, or nobody knows. */
int64_t recording_room_us(const struct worker *worker);

/* True when a due row may be sent; false when it has come back as it was and its pause is not over
 * (core/returns.h): it will be found again. */
bool recording_may_send(struct worker *worker, const struct due_row *row);

/* The worker stops: what is unsettled is tried once more, at once. */
void recording_begin_last_try(struct worker *worker);

/* True when all that is unwritten was tried since then, and refused or undone for reasons that do
 * not end by themselves, as a lock on a row does. */
bool recording_is_hopeless(const struct worker *worker);

#endif
