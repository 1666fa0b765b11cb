/* SPDX-License-Identifier: MIT */
#include "db/balances.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_DAY(time) "(" time " AT TIME ZONE 'UTC')::date"

/*
 * The day of $1 itself is not whole. Nor is a day of which retention has deleted meanwhile: $1 goes
 * by how long rows are kept now, kept_until by how long they were when the day was counted.
 */
#define SQL_IS_WHOLE                                                                               \
    "created_on > " SQL_DAY("$1::timestamptz") " AND (kept_until > now()) IS NOT FALSE"

#define SQL_OPENING "webhook_balances WHERE " SQL_IS_WHOLE

#define SQL_COUNTED(until)                                                                         \
    "SELECT customer_id, " SQL_DAY("created_at") " AS created_on, count(*) AS number FROM ("       \
    "SELECT customer_id, created_at FROM webhook_deliveries UNION ALL"                             \
    " SELECT customer_id, created_at FROM webhook_removals) d"                                     \
    " WHERE created_at >= $1::timestamptz AND created_at < " until " GROUP BY 1, 2"

static const char sql_begin[] =
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0";

/* Row security is looked at in the same snapshot, so its policies must be those of now as long as it
 * lasts (db/row_security.h). LOCK TABLE takes none. */
static const char sql_hold[] =
    "LOCK TABLE webhook_deliveries, webhook_removals, webhook_balances IN ACCESS SHARE MODE";

/* Before the snapshot is taken. */
static const char sql_lock[] = "LOCK TABLE webhook_balances IN SHARE ROW EXCLUSIVE MODE";

static const char sql_is_read_only[] = "SELECT current_setting('transaction_read_only')::boolean";

static const char sql_opening[] =
    "SELECT " SQL_UTC("max(audited_at)") ", COALESCE(sum(deliveries) FILTER (WHERE "
    SQL_IS_WHOLE "), 0)::bigint FROM webhook_balances";

static const char sql_losses[] =
    "SELECT b.customer_id, b.created_on::text, b.deliveries - COALESCE(n.number, 0)"
    " FROM (SELECT * FROM " SQL_OPENING ") b LEFT JOIN ("
    SQL_COUNTED("(SELECT max(audited_at) FROM webhook_balances)")
    ") n ON n.customer_id = b.customer_id AND n.created_on = b.created_on"
    " WHERE b.deliveries > COALESCE(n.number, 0) ORDER BY 2, 3 DESC, 1";

static const char sql_forget[] = "DELETE FROM webhook_balances";

static const char sql_keep[] =
    "INSERT INTO webhook_balances (customer_id, created_on, deliveries, audited_at, kept_until)"
    " SELECT customer_id, created_on, number, now(),"
    " created_on::timestamp AT TIME ZONE 'UTC' + (now() - $1::timestamptz) FROM (" SQL_COUNTED("now()") ") n";

/* clang-format on */

/* Before the transaction that it is asked for: it would take that one's snapshot. */
static bool is_read_only(struct db_session *session, bool *ret_is_read_only, struct error *error)
{
    PGresult *result = db_session_read(session, sql_is_read_only, 0, NULL, error);

    if (result == NULL)
        return false;
    *ret_is_read_only = row_is_true(result, 0, 0);
    PQclear(result);
    return true;
}

static bool read_opening(struct db_session *session, const char *since, struct balances *b,
                         struct error *error)
{
    b->opening = db_session_query(session, sql_opening, 1, &since, error);
    if (b->opening == NULL)
        return false;
    b->audited_at = row_text(b->opening, 0, 0);
    b->deliveries = row_integer(b->opening, 0, 1, 0);
    return true;
}

static bool read_losses(struct db_session *session, const char *since, struct balances *b,
                        struct error *error)
{
    b->result = db_session_query(session, sql_losses, 1, &since, error);
    if (b->result == NULL)
        return false;
    b->count = (size_t)PQntuples(b->result);
    b->losses = memory_new(b->count + 1, sizeof(*b->losses));
    for (int i = 0; i < PQntuples(b->result); i++) {
        b->losses[i] = (struct balance_loss){row_text(b->result, i, 0), row_text(b->result, i, 1),
                                             row_integer(b->result, i, 2, 0)};
        b->missing += b->losses[i].missing;
    }
    return true;
}

static bool keep(struct db_session *session, const char *since, struct error *error)
{
    PGresult *result;
    bool ok;

    if (!db_session_execute(session, sql_forget, error))
        return false;
    result = db_session_query(session, sql_keep, 1, &since, error);
    ok = result != NULL && db_session_commit(session, error);
    PQclear(result);
    return ok;
}

/* In a transaction that has begun and that the caller ends. */
static bool compare(struct db_session *session, const char *since, enum balances_keep how,
                    struct balances *b, struct error *error)
{
    if (!db_session_execute(session, sql_begin, error) ||
        !db_session_execute(session, sql_hold, error))
        return false;
    if (how != BALANCES_KEEP_NONE && !db_session_execute(session, sql_lock, error))
        return false;
    if (!db_session_guard(session, error))
        return false;
    if (!read_opening(session, since, b, error) || !read_losses(session, since, b, error))
        return false;
    b->is_kept = how == BALANCES_KEEP_ALWAYS || (how == BALANCES_KEEP_IF_WHOLE && b->missing == 0);
    return !b->is_kept || keep(session, since, error);
}

bool balances_compare(struct db_session *session, const char *since, enum balances_keep how,
                      struct balances *ret_balances, struct error *error)
{
    bool must_not_write;
    bool ok;

    *ret_balances = (struct balances){0};
    if (!is_read_only(session, &must_not_write, error) ||
        !db_session_begin_unguarded(session, error))
        return false;
    ok = compare(session, since, must_not_write ? BALANCES_KEEP_NONE : how, ret_balances, error);
    db_session_rollback(session);
    if (!ok)
        balances_free(ret_balances);
    return ok;
}

void balances_free(struct balances *balances)
{
    PQclear(balances->result);
    PQclear(balances->opening);
    free(balances->losses);
    *balances = (struct balances){0};
}
