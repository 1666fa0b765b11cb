/* SPDX-License-Identifier: MIT */
/*
 * db/older_transactions.h: who may still look at the database as it was before something was
 * committed, so that one can wait for them, as CREATE INDEX CONCURRENTLY does.
 *
 * Noted after that commit was seen: every virtual transaction of this database (a REPEATABLE READ
 * transaction has a snapshot long before it has a transaction id, so the server's snapshots don't
 * tell), and then every prepared one. When all that was noted has ended, whatever they wrote can be
 * seen, and whoever begins later sees the commit. pg_locks and pg_prepared_xacts show all of them to
 * every role; only some words on what they do need pg_read_all_stats. Left out are sessions of other
 * databases and autovacuum, which write no rows of ours. A standby does not know the transactions
 * of its primary, and is refused.
 */
#ifndef POSTRIDER_DB_OLDER_TRANSACTIONS_H
#define POSTRIDER_DB_OLDER_TRANSACTIONS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/session.h"

enum older_transactions_kind {
    OLDER_TRANSACTIONS_VIRTUAL, /* to be waited for first: one may end by being prepared */
    OLDER_TRANSACTIONS_PREPARED,
};

struct older_transactions {
    PGresult *result;
    size_t count;
    char *ids; /* an array, "{3/12,4/5}" */
};

/* Those there are now or, when noted is not NULL, those that are left of it. */
bool older_transactions_list(struct db_session *session, enum older_transactions_kind kind,
                             const struct older_transactions *noted,
                             struct older_transactions *ret_list, struct error *error) MUST_USE;
void older_transactions_free(struct older_transactions *list);

/* Who it is, for people; may hold what others have written. */
const char *older_transactions_who(const struct older_transactions *list, size_t index);

#endif
