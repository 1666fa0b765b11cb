/* SPDX-License-Identifier: MIT */
/*
 * worker/monitoring.h: what metrics.listen answers: /healthz, /readyz and /metrics (docs/metrics.md).
 *
 * Off by default. Nothing of it asks the database: /healthz says that the loop turns, /readyz what
 * the worker knows of its links, its schema and its lanes. Nobody has to show who they are, so no
 * answer names a URL, a customer, or the database. A reload opens it elsewhere, or closes it; where
 * that fails, what was there goes on.
 */
#ifndef POSTRIDER_WORKER_MONITORING_H
#define POSTRIDER_WORKER_MONITORING_H

#include "worker/context.h"

/* False with error: it can't listen there. */
bool monitoring_init(struct worker *worker, struct error *error) MUST_USE;
/* Also when monitoring_init() was not reached. */
void monitoring_free(struct worker *worker);

/* Follows a configuration that was reloaded. */
void monitoring_step(struct worker *worker);

#endif
