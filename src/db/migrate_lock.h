/* SPDX-License-Identifier: MIT */
/*
 * db/migrate_lock.h: how a migration gets at tables that are in use.
 *
 * One migration at a time: an advisory lock, for as long as its transaction. Whoever waits for a
 * table's lock keeps all others waiting behind it, so no migration waits for longer than
 * MIGRATE_LOCK_MS: it gives up what it has, lets the others go on for MIGRATE_LOCK_PAUSE_MS, and
 * tries again from its start. A role or database with a lock_timeout of its own has decided
 * otherwise: that one counts, and there is one try.
 */
#ifndef POSTRIDER_DB_MIGRATE_LOCK_H
#define POSTRIDER_DB_MIGRATE_LOCK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "db/migrate_options.h"
#include "db/session.h"

#define MIGRATE_LOCK_MS       500
#define MIGRATE_LOCK_PAUSE_MS 2000
#define MIGRATE_LOCK_TRIES    60

struct migrate_lock {
    int tries;
    bool is_patient; /* the limit is ours */
};

/* Begins a transaction that holds the lock against other migrations; a second one waits. */
bool migrate_lock_begin(struct db_session *session, struct migrate_lock *lock,
                        struct error *error) MUST_USE;

/* What a part of a migration does in its transaction. */
typedef bool migrate_part(struct db_session *session, const struct migrate_options *options,
                          struct error *error);

/* One part alone, in a transaction of its own with the lock; a dry run leaves nothing behind. */
bool migrate_lock_run(struct db_session *session, const struct migrate_options *options,
                      migrate_part *part, struct error *error) MUST_USE;

/* A statement of the transaction has failed: adds what to do when a table was in use. */
void migrate_lock_explain(struct db_session *session, struct error *error);

/*
 * After the transaction was rolled back with error: true when a table was in use and it is worth
 * another try, after the pause. Says on out, the first time, who is in the way.
 */
bool migrate_lock_wait(struct db_session *session, struct migrate_lock *lock, FILE *out);

#endif
