/*
 * worker/finding.h: reading due rows into their endpoints' queues.
 *
 * Does what core/finder.h plans: one read at a time on the reading link, and after a sweep a fetch
 * of the rows that were not known. How much is read ahead is bounded in rows (so that what waits
 * here is seconds old at most) and in bytes (worker.max_buffered).
 */
#ifndef POSTRIDER_WORKER_FINDING_H
#define POSTRIDER_WORKER_FINDING_H

#include "worker/context.h"

void finding_init(struct worker *worker);
void finding_free(struct worker *worker);

/* Sends the next read, if there is room and it is time. */
void finding_step(struct worker *worker);

int64_t finding_next_us(const struct worker *worker);

/* The number of the unanswered read, 0 = none (see deliveries_reap). */
uint64_t finding_unanswered(const struct worker *worker);

#endif
