/* SPDX-License-Identifier: MIT */
#include "db/adoption.h"

#include <stdio.h>

#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

static const char sql_adoption[] =
    "SELECT " SQL_UTC("max(adopted_at)") ", coalesce(sum(deliveries), 0)::bigint,"
    " bool_and(retention_agreed_at IS NOT NULL), (SELECT count(*) FROM webhook_deliveries d"
    " WHERE " SQL_OF_BEFORE ") FROM postrider_adoptions";

/* As db/retention.c chooses them. */
#define SQL_WOULD_GO(status, ms)                                                                   \
    "count(*) FILTER (WHERE " ms "::float8 > 0 AND status = '" status "' AND"                      \
    " GREATEST(created_at, last_attempt_at) < now() - " ms "::float8 * interval '1 millisecond')"

static const char sql_spared[] =
    "SELECT count(*), " SQL_WOULD_GO("delivered", "$1") ", " SQL_WOULD_GO("failed", "$2")
    " FROM webhook_deliveries d WHERE EXISTS (SELECT FROM postrider_adoptions"
    " WHERE retention_agreed_at IS NULL) AND " SQL_OF_BEFORE;

static const char sql_agree[] =
    "UPDATE postrider_adoptions SET retention_agreed_at = now() WHERE retention_agreed_at IS NULL";

/* clang-format on */

/* No time limit of the role's: it counts. */
static PGresult *query_adoption(struct db_session *session, struct error *error)
{
    PGresult *result = NULL;

    if (!db_session_begin(session, error))
        return NULL;
    if (db_session_execute(session, "SET LOCAL statement_timeout = 0", error))
        result = db_session_query(session, sql_adoption, 0, NULL, error);
    db_session_rollback(session);
    return result;
}

bool adoption_read(struct db_session *session, struct adoption *ret_adoption, struct error *error)
{
    PGresult *result = query_adoption(session, error);
    struct adoption *a = ret_adoption;

    *a = (struct adoption){0};
    if (result == NULL)
        return false;
    a->is_known = row_text(result, 0, 0) != NULL;
    if (a->is_known) {
        snprintf(a->adopted_at, sizeof(a->adopted_at), "%s", row_text(result, 0, 0));
        a->deliveries = row_integer(result, 0, 1, 0);
        a->is_agreed = row_is_true(result, 0, 2);
        a->left = row_integer(result, 0, 3, 0);
    }
    PQclear(result);
    return true;
}

bool adoption_count_spared(struct db_session *session, int64_t delivered_ms, int64_t failed_ms,
                           struct adoption_spared *ret_spared, struct error *error)
{
    char delivered[32], failed[32];
    const char *values[] = {delivered, failed};
    PGresult *result;

    snprintf(delivered, sizeof(delivered), "%lld", (long long)delivered_ms);
    snprintf(failed, sizeof(failed), "%lld", (long long)failed_ms);
    result = db_session_query(session, sql_spared, 2, values, error);
    if (result == NULL)
        return false;
    *ret_spared = (struct adoption_spared){.all = row_integer(result, 0, 0, 0),
                                           .delivered = row_integer(result, 0, 1, 0),
                                           .failed = row_integer(result, 0, 2, 0)};
    PQclear(result);
    return true;
}

bool adoption_agree(struct db_session *session, struct error *error)
{
    return db_session_execute(session, sql_agree, error);
}

const char *adoption_agree_sql(void)
{
    return sql_agree;
}
