/*
 * worker/cleaning.h: retention: deleting old deliveries and attempts, and the rows of endpoints
 * that workers made and nothing needs, a small batch at a time.
 *
 * Only the worker that owns lane 0 does it. The endpoints' rows go in any case, deliveries where
 * retention is on; neither waits for the other, whatever it is refused for. Between batches the
 * database has CLEANING_PAUSE_US for outcomes; when nothing was left to delete, the next look is
 * CLEANING_REST_US later. What has gone is logged with counts, once a minute at most.
 */
#ifndef POSTRIDER_WORKER_CLEANING_H
#define POSTRIDER_WORKER_CLEANING_H

#include "worker/context.h"

#define CLEANING_PAUSE_US 200000
#define CLEANING_REST_US  60000000

void cleaning_init(struct worker *worker);
void cleaning_free(struct worker *worker);
void cleaning_step(struct worker *worker);
int64_t cleaning_next_us(const struct worker *worker);

#endif
