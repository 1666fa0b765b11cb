/* SPDX-License-Identifier: MIT */
#include "db/grant.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/migrations.h"

bool grant_check_role(struct db_session *session, const char *role, struct error *error)
{
    PGresult *result =
        db_session_query(session,
                         "SELECT format('CREATE ROLE %I LOGIN', $1::text)"
                         " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)",
                         1, &role, error);
    bool missing;

    if (result == NULL)
        return false;
    missing = PQntuples(result) > 0;
    if (missing) {
        error_set(error, "there is no role \"%s\" to grant privileges to", role);
        error_hint(error, "%s;", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return !missing;
}

/* list: a file in migrations/. */
static PGresult *list_privileges(struct db_session *session, const char *list, const char *role,
                                 struct error *error)
{
    char *sql = memory_format("WITH needed (position, privileges, object) AS (\n%s\n)"
                              " SELECT format('GRANT %%s ON %%s TO %%I', privileges, object,"
                              " $1::text) FROM needed ORDER BY position",
                              embedded_sql_find(list));
    PGresult *result = db_session_query(session, sql, 1, &role, error);

    free(sql);
    return result;
}

PGresult *grant_list(struct db_session *session, const char *role, struct error *error)
{
    return list_privileges(session, "privileges", role, error);
}

PGresult *grant_list_serve(struct db_session *session, const char *role, struct error *error)
{
    return list_privileges(session, "privileges_serve", role, error);
}

static const char producer_sql[] =
    "SELECT format('GRANT %s ON %s TO %I', privilege, object, $1::text) FROM (VALUES "
    "(1, 'USAGE', format('SCHEMA %I', current_schema())), (2, 'INSERT', 'webhook_events'), "
    "(3, 'EXECUTE', 'FUNCTION postrider_publish(uuid, text, jsonb, text, text, uuid, uuid, text,"
    " timestamptz)')) AS p (position, privilege, object) ORDER BY position";

PGresult *grant_list_producer(struct db_session *session, const char *role, struct error *error)
{
    return db_session_query(session, producer_sql, 1, &role, error);
}

bool grant_apply(struct db_session *session, const PGresult *statements, struct error *error)
{
    for (int i = 0; i < PQntuples(statements); i++) {
        const char *statement = PQgetvalue(statements, i, 0);

        if (!db_session_execute(session, statement, error))
            return error_prefix(error, "%s", statement);
        if (db_session_warning(session) == NULL)
            continue;
        error_set(error, "%s: %s", statement, db_session_warning(session));
        return error_hint(error, "let the owner of the schema and its tables do it");
    }
    return true;
}
