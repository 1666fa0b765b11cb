/* SPDX-License-Identifier: MIT */
/*
 * db/adopt.h: taking over what an application made before Postrider came.
 *
 * migrations/adopt_plan.sql looks at a webhook_deliveries and a customers table and answers with a
 * plan: what stands in the way, or the steps that bring webhook_deliveries into the shape that the
 * first migration expects. Called by db/migrate.c only, inside its transaction and under its lock;
 * nothing is changed before adopt_plan_execute().
 */
#ifndef POSTRIDER_DB_ADOPT_H
#define POSTRIDER_DB_ADOPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "db/session.h"

/* Owned by whoever loaded it. */
struct adopt_plan {
    PGresult *rows; /* kind, description, statement (or hint) */
    int obstacles;  /* rows that say why it can't be done */
    int steps;      /* rows that say what has to be done */
};

/* Locks webhook_deliveries, when there is one, until the end of the transaction: what is counted
 * is then what is converted. */
bool adopt_lock(struct db_session *session, struct error *error) MUST_USE;

struct adopt_terms {
    const char
        *customers;       /* the table that customer_id refers to, "none", or "" (adopt_plan.sql) */
    const char *timezone; /* of times without a zone, NULL = the session's */
    bool retention;       /* it may delete the rows that are there */
    int64_t delivered_ms; /* retention's ages, 0 = never */
    int64_t failed_ms;
};

bool adopt_plan_load(struct db_session *session, const struct adopt_terms *terms,
                     struct adopt_plan *ret_plan, struct error *error) MUST_USE;
void adopt_plan_free(struct adopt_plan *plan);

/* What is in the way, in the error and in full on out; false when something is. */
bool adopt_plan_check(const struct adopt_plan *plan, FILE *out, struct error *error) MUST_USE;

/* The steps as sentences. */
void adopt_plan_print(const struct adopt_plan *plan, FILE *out);

/* The steps as SQL, with the sentences as comments. */
void adopt_plan_print_sql(const struct adopt_plan *plan, FILE *out);

bool adopt_plan_execute(struct db_session *session, const struct adopt_plan *plan,
                        struct error *error) MUST_USE;

#endif
