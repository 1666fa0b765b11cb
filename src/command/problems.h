/*
 * problems.h: what is wrong with the queue, and what to do about it, as "status" says it.
 *
 * Decides from an overview and the schema's versions, with no I/O of its own. The gravest first.
 */
#ifndef POSTRIDER_COMMAND_PROBLEMS_H
#define POSTRIDER_COMMAND_PROBLEMS_H

#include <stddef.h>

#include "db/overview.h"
#include "db/requirements.h"

#define PROBLEMS_MAX         20
#define PROBLEMS_WORKERS_MAX 6 /* of these, what workers say of themselves */
#define PROBLEMS_UNMET_MAX   4
#define PROBLEM_TEXT_SIZE    512

struct problem {
    const char *name; /* one word for programs */
    char what[PROBLEM_TEXT_SIZE];
    char action[PROBLEM_TEXT_SIZE];
};

struct problems {
    size_t count;
    struct problem list[PROBLEMS_MAX];
};

/* What the role that asks lacks: before the others, PROBLEMS_UNMET_MAX at most. */
void problems_add_unmet(struct problems *problems, const struct requirement *unmet);

/* Adds to what is there. */
void problems_find(const struct overview *overview, int database_version, int binary_version,
                   struct problems *problems);

#endif
