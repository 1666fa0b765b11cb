/* SPDX-License-Identifier: MIT */
/*
 * worker/checking.h: carries out tests and doctors of endpoints, rows of webhook_replays.
 *
 * Each worker takes those of the lanes that it owns (db/endpoint_checks.h), up to CHECKING_MAX at a
 * time, and looks for them every CHECKING_REST_US; the owner of lane 0 also ends those that nobody
 * will carry out. Requests go out by an HTTP engine of its own, so that a check takes no slot,
 * connection or breaker of deliveries, and resolves, connects and shakes hands anew each time. The
 * border of addresses, the certificates and the time-outs are those of deliveries.
 *
 * A worker that stops, or gets a new configuration, gives back what it has not finished.
 */
#ifndef POSTRIDER_WORKER_CHECKING_H
#define POSTRIDER_WORKER_CHECKING_H

#include "worker/context.h"

#define CHECKING_REST_US 1000000
#define CHECKING_MAX     16

void checking_init(struct worker *worker);
/* When the links to the database have answered all. */
void checking_free(struct worker *worker);
void checking_step(struct worker *worker);
int64_t checking_next_us(const struct worker *worker);

/* The configuration is another one from now on (worker/configuring.h). */
void checking_reconfigure(struct worker *worker);

#endif
