/*
 * worker/leasing.h: owning the lanes that this worker delivers for.
 *
 * Leases are taken and renewed every third of worker.lease by the database's clock. What is owned
 * is owned until worker.lease after the moment when the renewal was sent, by this machine's
 * monotonic clock, which is always before the database's end of the lease: a worker that was frozen
 * or cut off stops sending by itself. Lanes that are lost take their waiting deliveries with them.
 */
#ifndef POSTRIDER_WORKER_LEASING_H
#define POSTRIDER_WORKER_LEASING_H

#include "worker/context.h"

void leasing_init(struct worker *worker);
void leasing_step(struct worker *worker);
int64_t leasing_next_us(const struct worker *worker);

/* True while lanes are owned for certain. */
bool leasing_is_valid(const struct worker *worker);

/* Hands the lanes back; true when that is done, or can't be. Called every turn at the end of a
 * drain. */
bool leasing_release(struct worker *worker);

#endif
