/* SPDX-License-Identifier: MIT */
/*
 * explain/explanation.h: why a delivery is where it is, and what happens next, in a sentence each.
 *
 * Decides from what db/delivery_record.h read and from the retry policy, with no I/O of its own. The
 * same sentence is the command's ("explain") and the API's.
 */
#ifndef POSTRIDER_EXPLAIN_EXPLANATION_H
#define POSTRIDER_EXPLAIN_EXPLANATION_H

#include "base/buffer.h"
#include "config/config.h"
#include "core/retry.h"
#include "db/delivery_record.h"

#define EXPLANATION_WARNINGS_MAX 8
#define EXPLANATION_ACTIONS_MAX  4

struct explanation {
    const char *state; /* one word for programs: "waiting", "no_worker", … */
    struct buffer summary;
    struct buffer next; /* may be empty */
    size_t actions_count;
    char *actions[EXPLANATION_ACTIONS_MAX]; /* commands and SQL, to be copied */
    size_t warnings_count;
    char *warnings[EXPLANATION_WARNINGS_MAX];
};

/* policy is the configuration's, overridden by the endpoint's row. */
void explanation_make(const struct delivery_record *record, const struct config *config,
                      const struct retry_policy *policy, struct explanation *ret_explanation);
void explanation_free(struct explanation *explanation);

#endif
