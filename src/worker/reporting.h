/* SPDX-License-Identifier: MIT */
/*
 * worker/reporting.h: the lines about deliveries and the database that operators read at night.
 *
 * One line for each thing, with identity: delivery=… event=… customer=… url=… attempt=…, and
 * trace_id=… where its event has a traceparent. A
 * delivered one is logged at debug level, a retry at info, a dead letter at warning. Retries of one
 * endpoint are logged at most once a second, with how many were left out. Breakers that open or
 * close are said once for each change.
 */
#ifndef POSTRIDER_WORKER_REPORTING_H
#define POSTRIDER_WORKER_REPORTING_H

#include "db/due.h"
#include "db/link.h"
#include "db/retention.h"
#include "worker/context.h"

/* Since the start. */
struct reporting_totals {
    uint64_t delivered, retried, failed;
};

void reporting_init(struct worker *worker);
void reporting_free(struct worker *worker);
struct reporting_totals reporting_totals(const struct worker *worker);

void reporting_outcome(struct worker *worker, struct delivery *delivery);

/* What the delivery's attempt has changed for its endpoint and origin: one line for each change. */
void reporting_change(struct worker *worker, const struct delivery *delivery,
                      const struct scheduler_change *change);

/* A secret of it can't be opened, or can be again: at most a line a second. */
void reporting_unopened(struct worker *worker, const struct endpoint *endpoint);

/* Somebody has paused it, or resumed it. */
void reporting_paused(const struct endpoint *endpoint);

/* A delivery's event is not there, so that it is held. */
void reporting_absent(const struct due_row *row);

/* Some of its secrets can't be read, the others sign: at most a line a second. */
void reporting_unread(struct worker *worker, const struct endpoint *endpoint);

/* The row was changed meanwhile, so its outcome was not written. */
void reporting_unwritten(const struct delivery *delivery);

/* What retention has deleted now: at most a line a minute, with all since the line before. */
void reporting_removals(struct worker *worker, const struct retention_counts *counts);
/* Who deletes has nothing to add for now, so that the line may not wait for more. */
void reporting_last_removals(struct worker *worker);

/* Its outcome was refused (message and sqlstate say how) or did not stay (sqlstate NULL): it is
 * unsettled, and written again. At most a line a second. */
void reporting_unsettled(struct worker *worker, const struct delivery *delivery,
                         const char *message, const char *sqlstate);

/* It comes back again and again as it was, although its outcome was written. At most a line a second: all dead letters
 * that are sent again twice within seconds look like this too. */
void reporting_returned(struct worker *worker, const struct due_row *row, int count);

/* The server refused a statement of ours. */
void reporting_refusal(const char *message, const struct db_answer *answer);

#endif
