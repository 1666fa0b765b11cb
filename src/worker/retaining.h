/* SPDX-License-Identifier: MIT */
/*
 * worker/retaining.h: retention: deleting old deliveries and attempts, and the rows of endpoints
 * that workers made and nothing needs, the history of charts, and erasing the payloads of what has ended, a small batch at
 * a time.
 *
 * Only the worker that owns lane 0 does it. The endpoints' rows go in any case, deliveries where
 * retention is on; neither waits for the other, whatever it is refused for. Between batches the
 * database has RETAINING_PAUSE_US for outcomes; when nothing was left to delete, the next look is
 * RETAINING_REST_US later. What has gone is logged with counts, once a minute at most.
 *
 * Payloads are looked for in passes (db/payload_retention.h), with a rest of a twentieth of
 * retention.payload between them, so that they go a little later than that: RETAINING_REST_US at
 * least, RETAINING_REST_MAX_US at most. Who takes lane 0 begins anew, somewhere in the table, since
 * workers may come and go more often than a pass is done.
 */
#ifndef POSTRIDER_WORKER_RETAINING_H
#define POSTRIDER_WORKER_RETAINING_H

#include "worker/context.h"

#define RETAINING_PAUSE_US    200000
#define RETAINING_REST_US     60000000
#define RETAINING_REST_MAX_US INT64_C(21600000000)

void retaining_init(struct worker *worker);
void retaining_free(struct worker *worker);
void retaining_step(struct worker *worker);
int64_t retaining_next_us(const struct worker *worker);

#endif
