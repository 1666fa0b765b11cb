/* SPDX-License-Identifier: MIT */
/*
 * worker/sending.h: starting requests and turning their answers into outcomes.
 *
 * At most worker.max_in_flight requests at a time, one of each endpoint in turn; whose turn it is
 * decides core/scheduler.h. A delivery that can't be sent (bad URL, no secret, disabled endpoint,
 * payload over the limit) gets its outcome without a request. What an answer means for the delivery
 * is core/outcome.h's decision, what it says about the server core/health.h's.
 */
#ifndef POSTRIDER_WORKER_SENDING_H
#define POSTRIDER_WORKER_SENDING_H

#include "worker/context.h"

bool sending_init(struct worker *worker, struct error *error) MUST_USE;
void sending_free(struct worker *worker);

/* A new engine for a new configuration; the old one finishes what it has. Takes over config only
 * when it returns true. */
bool sending_replace_engine(struct worker *worker, struct config *config,
                            struct error *error) MUST_USE;

/* Requests of the configuration before are still in flight: no other can be taken over. */
bool sending_is_replacing(const struct worker *worker);

/* Finished transfers: outcomes are decided. True when some are left for the next turn. */
bool sending_collect(struct worker *worker);

/* Starts what may be started; true when the turn's budget ended it. */
bool sending_step(struct worker *worker);
int64_t sending_next_us(const struct worker *worker);

/* How many requests may be in flight: worker.max_in_flight, or what open files allow. */
size_t sending_slots(const struct worker *worker);
size_t sending_in_flight(const struct worker *worker);

/* Abandons all requests in flight; their rows are pending as before. */
void sending_abandon(struct worker *worker);

#endif
