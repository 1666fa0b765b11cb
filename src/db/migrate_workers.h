/* SPDX-License-Identifier: MIT */
/*
 * db/migrate_workers.h: a word about the workers that run while the schema becomes newer. They are
 * programs of before: they go on until they connect anew, and then those stop that don't know what
 * postrider_migrations.works_from asks for (db/schema_version.h).
 */
#ifndef POSTRIDER_DB_MIGRATE_WORKERS_H
#define POSTRIDER_DB_MIGRATE_WORKERS_H

#include "base/error.h"
#include "db/migrate_options.h"
#include "db/session.h"

/* Says which run, and from which version of the schema on they go on; nothing when none runs. */
bool migrate_workers_tell(struct db_session *session, const struct migrate_options *options,
                          struct error *error) MUST_USE;

#endif
