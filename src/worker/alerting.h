/* SPDX-License-Identifier: MIT */
/*
 * worker/alerting.h: tells somebody that something is wrong, in the log and by messages to
 * alerts.url.
 *
 * Every alerts.interval the owner of lane 0 looks (db/alerts.h), decides for each cause
 * (core/alerts.h), and writes down what it tells, one change after another; all state is in the
 * database, but for outages of it: those each worker notes by itself, with a line in the log when
 * one has lasted for alerts.database, and the owner of lane 0 tells when it is over. Of several that
 * saw the same outage one tells: it looks whether that was told since it began.
 *
 * When alerts are switched off, one more look closes what is open.
 *
 * A message is an event, which is then delivered like any other. Nothing is told of what becomes of
 * it. A look that was refused or took too long is repeated with a growing pause.
 */
#ifndef POSTRIDER_WORKER_ALERTING_H
#define POSTRIDER_WORKER_ALERTING_H

#include "worker/context.h"

void alerting_init(struct worker *worker);
void alerting_free(struct worker *worker);
void alerting_step(struct worker *worker);
int64_t alerting_next_us(const struct worker *worker);

/* Why no alert reaches anybody, a sentence without its full stop; NULL when none is known of. */
const char *alerting_problem(const struct worker *worker);
/* What to do about it; the caller's. */
char *alerting_action(const struct worker *worker) MUST_USE;

#endif
