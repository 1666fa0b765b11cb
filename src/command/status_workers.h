/* SPDX-License-Identifier: MIT */
/*
 * status_workers.h: the workers and lanes of "postrider status".
 */
#ifndef POSTRIDER_COMMAND_STATUS_WORKERS_H
#define POSTRIDER_COMMAND_STATUS_WORKERS_H

#include "command/report.h"
#include "db/overview.h"

/* One row for each worker: what it has and does, and when it was last heard of. */
struct report *status_workers_report(const struct overview *overview) MUST_USE;

/* Each lane with its owner and the age of its oldest due row; for programs. */
json_t *status_lanes_json(const struct overview *overview) MUST_USE;

#endif
