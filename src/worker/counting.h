/* SPDX-License-Identifier: MIT */
/*
 * worker/counting.h: counting what becomes of deliveries, for the history of charts (core/history.h) and
 * for metrics (worker/meters.h).
 *
 * How long it took until a delivery was first sent is measured from a time that the database has
 * set, so it is not known before the database's clock is (worker/charting.h asks for it).
 */
#ifndef POSTRIDER_WORKER_COUNTING_H
#define POSTRIDER_WORKER_COUNTING_H

#include "worker/context.h"

struct http_response;

/* What was decided of the delivery. */
void counting_outcome(struct worker *worker, const struct delivery *delivery);

/* A request has ended. */
void counting_attempt(struct worker *worker, const struct http_response *response);

#endif
