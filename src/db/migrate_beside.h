/* SPDX-License-Identifier: MIT */
/*
 * db/migrate_beside.h: migrations that run outside of a transaction, beside those who write.
 *
 * A file of migrations/ whose first line is MIGRATE_BESIDE_MARK holds nothing but statements CREATE
 * [UNIQUE] INDEX CONCURRENTLY, each on one line and as pg_get_indexdef() would write it. They are
 * sent one at a time over a connection of their own, which is closed afterwards, so nothing that is
 * set there is left on a pooler's.
 *
 * PostgreSQL waits for every transaction with an older snapshot, and would wait for ever for one of
 * ours that waits for it in turn, on another connection, where no deadlock is found. So the lock of
 * migrations (db/migrate_lock.h) is held only until the statement can be seen in pg_locks, and who
 * comes second sees it there and waits outside of any transaction. An index that is invalid while
 * nobody builds it was left by a try that was cut off: it is dropped and made again. One of the
 * same name and of another kind is somebody else's, and left alone.
 */
#ifndef POSTRIDER_DB_MIGRATE_BESIDE_H
#define POSTRIDER_DB_MIGRATE_BESIDE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "db/migrations.h"
#include "db/session.h"

#define MIGRATE_BESIDE_MARK "-- postrider: outside of a transaction\n"

struct migrate_beside {
    struct db_session *building; /* NULL: nothing had to be built yet; owned */
    bool is_running;             /* a statement is under way there */
    int tries;                   /* that ended in a deadlock or a lock_timeout */
    char told[256];              /* who was said last to be in the way */
};

bool migrate_beside_is_meant(const struct embedded_text *file);

/*
 * In a transaction that holds the lock of migrations: looks at the indexes of the file, and begins
 * to build one that is missing. *ret_is_ready: all are valid. Else the caller ends the transaction
 * and calls migrate_beside_wait(), then this again.
 */
bool migrate_beside_begin(struct db_session *session, const struct embedded_text *file,
                          struct migrate_beside *beside, bool *ret_is_ready,
                          struct error *error) MUST_USE;

/* Outside of a transaction; says on out who is in the way. False: it failed, or was given up. */
bool migrate_beside_wait(struct db_session *session, struct migrate_beside *beside, FILE *out,
                         struct error *error) MUST_USE;

/* In a transaction: what psql can run, up to the record of the version. */
bool migrate_beside_print(struct db_session *session, const struct embedded_text *file, FILE *out,
                          struct error *error) MUST_USE;

void migrate_beside_end(struct migrate_beside *beside);

#endif
