/* SPDX-License-Identifier: MIT */
/*
 * worker/configuring.h: puts a configuration in force, at the start and at every reload alike.
 *
 * Parts read worker->config where they need it. What is kept of it elsewhere is set here, and
 * nowhere else, so that no option takes effect at the start alone: the log (log_configure()), the
 * limits of endpoints and of the scheduler (endpoints_reconfigure()), and what finding keeps
 * (finding_reconfigure()). The HTTP engine is the exception, since it can fail: it is made of a
 * configuration before that is put in force (worker/sending.h).
 */
#ifndef POSTRIDER_WORKER_CONFIGURING_H
#define POSTRIDER_WORKER_CONFIGURING_H

#include "worker/context.h"

/* config belongs to the engine that was made of it. Endpoints' settings are loaded anew. */
void configuring_apply(struct worker *worker, struct config *config);

#endif
