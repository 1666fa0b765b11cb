/* SPDX-License-Identifier: MIT */
/*
 * worker/leasing.h: owning the lanes that this worker delivers for.
 *
 * Asks the database what core/lane_leases.h plans, on the writing link (so after the outcomes that
 * were sent before), and brings its answers to the reader: a lane that is owned is read from its
 * head, a lane that is not takes its waiting deliveries with it. A worker that was frozen or cut
 * off sends nothing more: what is owned ends by this machine's monotonic clock, always before the
 * database's end of the lease.
 */
#ifndef POSTRIDER_WORKER_LEASING_H
#define POSTRIDER_WORKER_LEASING_H

#include "worker/context.h"

struct lane_leases;

void leasing_init(struct worker *worker);
void leasing_free(struct worker *worker);
void leasing_step(struct worker *worker);
int64_t leasing_next_us(const struct worker *worker);

/* The name of this start of a worker, as it is in webhook_lanes and webhook_workers. */
const char *leasing_owner(const struct worker *worker);

/* As they are now, to be looked at. */
const struct lane_leases *leasing_leases(const struct worker *worker);

/* True while lanes are owned. */
bool leasing_is_valid(const struct worker *worker);

/* True while due rows of the lane are looked for here. */
bool leasing_owns(const struct worker *worker, int lane);

/* True while a delivery of the lane may be started: by the clock, not by the turn's time, since a
 * machine may freeze between the two. */
bool leasing_may_start(const struct worker *worker, int lane);

/* Hands everything back and removes the worker's row; true when that is done, or can't be. Called
 * every turn at the end of a drain. */
bool leasing_release(struct worker *worker);
bool leasing_is_released(const struct worker *worker);

#endif
