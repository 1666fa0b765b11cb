/* SPDX-License-Identifier: MIT */
/*
 * worker/charting.h: the history that charts show: what this worker has done, by the minute.
 *
 * worker/counting.h counts outcomes as they are decided. A period ends with the minute, and with the worker's
 * last outcome when it stops, and is written in one statement (db/history.h). What can't be written
 * waits, for CHARTING_WAITING_MAX periods, and is written later, into the minutes that it is of;
 * what is beyond that is lost, and said. A worker that dies loses its last minute.
 *
 * Delays are from a time that the database has set, so they are measured by its clock, which is
 * asked for when the worker connects, and once a minute.
 */
#ifndef POSTRIDER_WORKER_CHARTING_H
#define POSTRIDER_WORKER_CHARTING_H

#include "worker/context.h"

#define CHARTING_WAITING_MAX 60

void charting_init(struct worker *worker);
void charting_free(struct worker *worker);
void charting_step(struct worker *worker);
int64_t charting_next_us(const struct worker *worker);

/* The worker has nothing more to send: true when all is written, or can't be for now. Called every
 * turn at the end of a drain. */
bool charting_finish(struct worker *worker);

#endif
