/* SPDX-License-Identifier: MIT */
#include "db/older_transactions.h"

#include <stdlib.h>

#include "db/array.h"
#include "db/row.h"

#define IDS_MAX 1048576 /* bytes; a server has some ten thousand connections at most */

/* SQL reads better by its clauses. */
/* clang-format off */

/* A row without an id comes always, and says whether this is a standby. Its own transaction is none
 * of those that may be older: it sees what was seen. */
static const char sql_virtual[] =
    "SELECT o.virtualxid, o.who, pg_is_in_recovery() FROM (VALUES (1)) AS v LEFT JOIN ("
    "SELECT l.virtualxid, concat('process ', l.pid, ', role ', a.usename,"
    " CASE WHEN a.application_name <> '' THEN concat(', application ', a.application_name) END,"
    " CASE WHEN a.state IS NOT NULL THEN concat(', ', a.state) END,"
    " CASE WHEN a.xact_start IS NOT NULL"
    " THEN concat(', since ', date_trunc('second', a.xact_start)) END) AS who"
    " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted"
    " AND l.pid <> pg_backend_pid()"
    " AND (a.datid IS NULL OR a.datid = (SELECT oid FROM pg_database"
    " WHERE datname = current_database()))"
    " AND a.backend_type IS DISTINCT FROM 'autovacuum worker'"
    " AND ($1::text[] IS NULL OR l.virtualxid = ANY ($1))"
    " ORDER BY a.xact_start, l.pid) o ON true";

static const char sql_prepared[] =
    "SELECT o.transaction, o.who, pg_is_in_recovery() FROM (VALUES (1)) AS v LEFT JOIN ("
    "SELECT p.transaction::text, concat('prepared transaction ', quote_literal(p.gid), ', role ',"
    " p.owner, ', since ', date_trunc('second', p.prepared)) AS who"
    " FROM pg_prepared_xacts p WHERE p.database = current_database()"
    " AND ($1::text[] IS NULL OR p.transaction::text = ANY ($1))"
    " ORDER BY p.prepared) o ON true";

/* clang-format on */

static const char *const statements[] = {
    [OLDER_TRANSACTIONS_VIRTUAL] = sql_virtual,
    [OLDER_TRANSACTIONS_PREPARED] = sql_prepared,
};

static bool check_primary(const PGresult *result, struct error *error)
{
    if (!row_is_true(result, 0, 2))
        return true;
    error_set(error, "the server is a standby, which does not know who writes");
    return error_hint(error, "let database.url lead to the primary, with "
                             "target_session_attrs=read-write");
}

static char *ids_of(const PGresult *result, size_t count)
{
    struct array ids;
    char *text;

    array_init(&ids, IDS_MAX);
    array_begin(&ids);
    for (size_t i = 0; i < count; i++)
        array_add_plain(&ids, row_text(result, (int)i, 0));
    array_end(&ids);
    text = buffer_take(&ids.text);
    array_free(&ids);
    return text;
}

bool older_transactions_list(struct db_session *session, enum older_transactions_kind kind,
                             const struct older_transactions *noted,
                             struct older_transactions *ret_list, struct error *error)
{
    const char *ids = noted != NULL ? noted->ids : NULL;
    PGresult *result = db_session_read(session, statements[kind], 1, &ids, error);
    bool is_empty;

    if (result == NULL)
        return false;
    if (!check_primary(result, error)) {
        PQclear(result);
        return false;
    }
    is_empty = row_text(result, 0, 0) == NULL;
    *ret_list = (struct older_transactions){result, is_empty ? 0 : (size_t)PQntuples(result), NULL};
    ret_list->ids = ids_of(result, ret_list->count);
    return true;
}

void older_transactions_free(struct older_transactions *list)
{
    PQclear(list->result);
    free(list->ids);
    *list = (struct older_transactions){0};
}

const char *older_transactions_who(const struct older_transactions *list, size_t index)
{
    return row_text(list->result, (int)index, 1);
}
