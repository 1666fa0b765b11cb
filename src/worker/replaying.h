/* SPDX-License-Identifier: MIT */
/*
 * worker/replaying.h: carries out replays, the rows of webhook_replays, a batch at a time.
 *
 * Only the worker that owns lane 0 does it. It asks which replay is due (every REPLAYING_REST_US
 * while none is), and then has the database carry its next batch out, if the row is still as it was
 * read (db/replays.h): a command that follows its own replay may have been first, or another worker
 * that has lane 0 by now. How many rows a batch has, and when the next is due, is in core/ramp.h. A
 * replay of a kind that this version does not know is left alone, which is said once.
 */
#ifndef POSTRIDER_WORKER_REPLAYING_H
#define POSTRIDER_WORKER_REPLAYING_H

#include "worker/context.h"

#define REPLAYING_REST_US 2000000

void replaying_init(struct worker *worker);
void replaying_free(struct worker *worker);
void replaying_step(struct worker *worker);
int64_t replaying_next_us(const struct worker *worker);

#endif
