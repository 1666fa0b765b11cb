/*
 * worker/report.h: the lines about deliveries and the database that operators read at night.
 *
 * One line for each thing, with identity: delivery=… event=… customer=… url=… attempt=…. A
 * delivered one is logged at debug level, a retry at info, a dead letter at warning. Retries of one
 * endpoint are logged at most once a second, with how many were left out. Breakers that open or
 * close are said once for each change.
 */
#ifndef POSTRIDER_WORKER_REPORT_H
#define POSTRIDER_WORKER_REPORT_H

#include "db/link.h"
#include "worker/context.h"

void report_outcome(struct worker *worker, struct delivery *delivery);

/* What the delivery's attempt has changed for its endpoint and origin: one line for each change. */
void report_change(const struct worker *worker, const struct delivery *delivery,
                   const struct scheduler_change *change);

/* It began or ended to be held because a secret can't be opened: at most a line a second. */
void report_hold(struct worker *worker, const struct endpoint *endpoint);

/* Some of its secrets can't be read, the others sign: at most a line a second. */
void report_unread(struct worker *worker, const struct endpoint *endpoint);

/* The row was changed meanwhile, so its outcome was not written. */
void report_unwritten(const struct delivery *delivery);

/*
 * What retention has deleted: at most a line a minute, with all since the line before. is_last: who
 * deletes has nothing to add for now, so that the line may not wait for more.
 */
void report_removals(struct worker *worker, bool is_last);

/* Its outcome was refused (message and sqlstate say how) or did not stay (sqlstate NULL): it is
 * held and written again. At most a line a second. */
void report_unsettled(struct worker *worker, const struct delivery *delivery, const char *message,
                      const char *sqlstate);

/* It comes back again and again as it was, although its outcome was written. */
void report_returned(const struct due_row *row, int count);

/* The server refused a statement of ours. */
void report_refusal(const char *message, const struct db_answer *answer);

#endif
