/* SPDX-License-Identifier: MIT */
/*
 * db/migrate_retention.h: the part of "postrider migrate" that is about rows of before Postrider,
 * and whether retention may delete them (db/adoption.h).
 *
 * Called by db/migrate.c on a schema of this binary's version.
 */
#ifndef POSTRIDER_DB_MIGRATE_RETENTION_H
#define POSTRIDER_DB_MIGRATE_RETENTION_H

#include "base/error.h"
#include "db/migrate_options.h"
#include "db/session.h"

/* Agrees, for --retention, and says on out to what; with dry_run it says so alone,
 * as a comment. */
bool migrate_retention_agree(struct db_session *session, const struct migrate_options *options,
                             struct error *error) MUST_USE;

/* Says on out which rows are spared, and how to agree; nothing where there are none. */
bool migrate_retention_tell(struct db_session *session, const struct migrate_options *options,
                            struct error *error) MUST_USE;

#endif
