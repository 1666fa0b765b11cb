/* SPDX-License-Identifier: MIT */
/*
 * explain/holding.h: whether a worker holds back the endpoint of a delivery, by what the worker says in its
 * row of webhook_workers (db/worker_problems.h), brought forward by the age of that word: the
 * worker's last renewal of its lease.
 */
#ifndef POSTRIDER_EXPLAIN_HOLDING_H
#define POSTRIDER_EXPLAIN_HOLDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define HOLDING_WHAT_SIZE 200

enum holding_reason {
    HOLDING_NONE,
    HOLDING_ENDPOINT,    /* the breaker of the endpoint is open */
    HOLDING_ORIGIN,      /* that of its scheme, host and port */
    HOLDING_RETRY_AFTER, /* it asked to be left alone */
    HOLDING_SECRET,      /* a secret of it can't be opened */
    HOLDING_OUTCOME,     /* the database does not take what became of its deliveries */
};

struct holding {
    enum holding_reason reason;
    int64_t opened_after; /* so many failures in a row a breaker opened; 0: that is not known */
    int64_t since_ms;
    int64_t next_ms;              /* until it's asked again; 0: that is due, or under way */
    int64_t outcomes;             /* with HOLDING_OUTCOME */
    char what[HOLDING_WHAT_SIZE]; /* the worker's words, with HOLDING_OUTCOME */
};

/* What the worker says of secrets of the endpoint that can't be read while others sign; NULL when
 * it says nothing. The caller frees it. */
char *holding_find_unread(const char *json, const char *customer_id, const char *url) MUST_USE;

/* json: the row's problems, may be NULL or anything else; age_ms: how old it is. */
struct holding holding_find(const char *json, int64_t age_ms, const char *customer_id,
                            const char *url);

#endif
