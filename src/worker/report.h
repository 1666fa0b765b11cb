/*
 * worker/report.h: the lines about deliveries and the database that operators read at night.
 *
 * One line for each thing, with identity: delivery=… event=… customer=… url=… attempt=…. A
 * delivered one is logged at debug level, a retry at info, a dead letter at warning. Retries of one
 * endpoint are logged at most once a second, with how many were left out.
 */
#ifndef POSTRIDER_WORKER_REPORT_H
#define POSTRIDER_WORKER_REPORT_H

#include "db/link.h"
#include "worker/context.h"

void report_outcome(struct worker *worker, struct delivery *delivery);

/* The row was changed meanwhile, so its outcome was not written. */
void report_unwritten(const struct delivery *delivery);

/* The server refused a statement of ours. */
void report_refusal(const char *message, const struct db_answer *answer);

#endif
