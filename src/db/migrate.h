/* SPDX-License-Identifier: MIT */
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

#include "base/error.h"
#include "db/migrate_options.h"
#include "db/session.h"

/* The newest migration that the binary carries. */
int migrate_binary_version(void);

enum migrate_result {
    MIGRATE_DONE,           /* applied, or nothing to do */
    MIGRATE_NEEDS_ADOPTION, /* an older table is there and adopt was not given: the steps are on
                               out, what to do is in error, nothing changed */
    MIGRATE_FAILED,         /* error is set; the transaction of the failed step was rolled back */
};

enum migrate_result migrate_run(struct db_session *session, const struct migrate_options *options,
                                struct error *error) MUST_USE;

#endif
