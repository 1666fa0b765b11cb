/*
 * worker/recording.h: writing outcomes, many in one statement.
 *
 * Finished deliveries are gathered for as long as the last batch takes, and as core/gathering.h
 * says. Nothing is given up: when the database is away they are
 * kept, when it refuses a batch the batch is halved until the record to blame stands alone, and
 * that one is tried again with growing pauses while the others pass.
 */
#ifndef POSTRIDER_WORKER_RECORDING_H
#define POSTRIDER_WORKER_RECORDING_H

#include "worker/context.h"

void recording_init(struct worker *worker);
void recording_free(struct worker *worker);

/* Sends the next batch when it is time. */
void recording_step(struct worker *worker);

int64_t recording_next_us(const struct worker *worker);

/* Outcomes that are not written yet. */
size_t recording_unwritten(const struct worker *worker);

#endif
