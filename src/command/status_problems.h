/* SPDX-License-Identifier: MIT */
/*
 * status_problems.h: what is wrong with the queue, and what to do about it, as "status" says it.
 *
 * Decides from an overview and the schema's versions, with no I/O of its own. The gravest first.
 */
#ifndef POSTRIDER_COMMAND_STATUS_PROBLEMS_H
#define POSTRIDER_COMMAND_STATUS_PROBLEMS_H

#include <stddef.h>

#include "db/overview.h"
#include "db/requirements.h"

#define STATUS_PROBLEMS_MAX         28
#define STATUS_PROBLEMS_WORKERS_MAX 6 /* of these, what workers say of themselves */
#define STATUS_PROBLEMS_UNMET_MAX   4
#define STATUS_PROBLEMS_ALERTS_MAX  8
#define STATUS_PROBLEMS_TEXT_SIZE   512

struct status_problem {
    const char *name; /* one word for programs */
    char what[STATUS_PROBLEMS_TEXT_SIZE];
    char action[STATUS_PROBLEMS_TEXT_SIZE];
};

struct status_problems {
    size_t count;
    struct status_problem list[STATUS_PROBLEMS_MAX];
};

/* What the role that asks lacks: before the others, STATUS_PROBLEMS_UNMET_MAX at most. */
void status_problems_add_unmet(struct status_problems *problems, const struct requirement *unmet);

/* Adds to what is there. */
void status_problems_find(const struct overview *overview, int database_version, int binary_version,
                          struct status_problems *problems);

#endif
