/*
 * db/migrate.h: bringing a database's schema to the version that this binary knows.
 *
 * Each file of migrations/ named NNNN_name.sql is applied once, in order, in a transaction of its
 * own that holds a transaction-level advisory lock, and is recorded in postrider_migrations. A
 * database whose version is newer than the binary is refused. A webhook_deliveries table that was
 * there before Postrider is adopted in place (migrations/adopt_plan.sql lists what that takes), and
 * retention leaves its rows alone until somebody agrees, here or later.
 */
#ifndef POSTRIDER_DB_MIGRATE_H
#define POSTRIDER_DB_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "db/session.h"

/* The newest migration that the binary carries. */
int migrate_binary_version(void);

enum migrate_result {
    MIGRATE_DONE,           /* applied, or nothing to do */
    MIGRATE_NEEDS_ADOPTION, /* an older table is there and adopt was not given: the steps are on
                               out, what to do is in error, nothing changed */
    MIGRATE_FAILED,         /* error is set; the transaction of the failed step was rolled back */
};

struct migrate_options {
    bool adopt;            /* convert a table that was there before */
    const char *timezone;  /* of its times without a zone; NULL = the database's TimeZone */
    const char *customers; /* whom customer_id refers to (db/customers.h); NULL = as it is */
    bool retention;        /* agrees that retention deletes rows of before (db/adoption.h) */
    int64_t delivered_ms;  /* the configuration's retention, 0 = never: what is agreed to */
    int64_t failed_ms;
    bool dry_run;         /* print the SQL to out, change nothing */
    const char *grant_to; /* a role that gets exactly the worker's privileges; NULL = none */
    FILE *out;            /* what was done, or would be, for people */
};

enum migrate_result migrate_run(struct db_session *session, const struct migrate_options *options,
                                struct error *error) MUST_USE;

#endif
