/*
 * problems.h: what is wrong with the queue, and what to do about it, as "status" says it.
 *
 * Decides from an overview and the schema's versions, with no I/O of its own. The gravest first.
 */
#ifndef POSTRIDER_COMMAND_PROBLEMS_H
#define POSTRIDER_COMMAND_PROBLEMS_H

#include <stddef.h>

#include "db/overview.h"

#define PROBLEMS_MAX         16
#define PROBLEMS_WORKERS_MAX 6 /* of these, what workers say of themselves */
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

void problems_find(const struct overview *overview, int database_version, int binary_version,
                   struct problems *ret_problems);

#endif
