/*
 * worker/recording.h: writing outcomes, many in one statement.
 *
 * Finished deliveries are gathered for RECORDING_GATHER_US at most while no batch is being written,
 * or for as long as the last batch takes. Nothing is given up: when the database is away they are
 * kept, when it refuses a batch the batch is halved until the record to blame stands alone, and
 * that one is tried again with growing pauses while the others pass.
 */
#ifndef POSTRIDER_WORKER_RECORDING_H
#define POSTRIDER_WORKER_RECORDING_H

#include "worker/context.h"

#define RECORDING_GATHER_US 2000

void recording_init(struct worker *worker);
void recording_free(struct worker *worker);

/* Sends the next batch when it is time; at once when the worker drains. */
void recording_step(struct worker *worker);

int64_t recording_next_us(const struct worker *worker);

/* Outcomes that are not written yet. */
size_t recording_unwritten(const struct worker *worker);

#endif
