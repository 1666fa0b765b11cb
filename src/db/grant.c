/* SPDX-License-Identifier: MIT */
#include "db/grant.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/migrations.h"

bool grant_check_role(struct db_session *session, const char *role, const char *login,
                      struct error *error)
{
    const char *values[] = {role, login};
    PGresult *result =
        db_session_query(session,
                         "SELECT format('CREATE ROLE %I', $1::text) || $2"
                         " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)",
                         2, values, error);
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

/* By whatever way it has it: as a superuser, by another role, or because everybody has. */
static const char reached_sql[] =
    "SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class c"
    " WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " AND c.relname ~ '^(webhook_|postrider_|idempotency_keys$|dead_letter_queue$)'"
    " AND c.relname !~ '^webhook_customer_'"
    " AND (has_table_privilege($1::name, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, "
    "TRIGGER')"
    " OR has_any_column_privilege($1::name, c.oid, 'SELECT, INSERT, UPDATE'))";

bool grant_check_customers(struct db_session *session, const char *role, struct error *error)
{
    PGresult *result = db_session_query(session, reached_sql, 1, &role, error);
    bool is_alone;

    if (result == NULL)
        return false;
    is_alone = PQgetisnull(result, 0, 0) == 1;
    if (!is_alone) {
        error_set(error, "the role \"%s\" reaches more than customers may: %s", role,
                  PQgetvalue(result, 0, 0));
        error_hint(error, "give customers a role of their own, which has no privileges and is a "
                          "member of none: CREATE ROLE postrider_customers;");
    }
    PQclear(result);
    return is_alone;
}

/* Who may write keys, which is what --grant-serve gives; not the owner, who may anyway. */
#define SQL_SERVE                                                                    \
    "SELECT DISTINCT a.grantee AS role FROM pg_class c, aclexplode(c.relacl) a"      \
    " WHERE c.oid = to_regclass('idempotency_keys') AND a.privilege_type = 'INSERT'" \
    " AND a.grantee NOT IN (0, c.relowner)"

/* From 16 on a member need not have what its role has. Before, that is said of the member itself,
 * who as serve's role sees all of it anyway. */
#define SQL_MEMBERS                                                                        \
    "SELECT 1000, format('GRANT %%I TO %%I', $1::text, r.rolname)"                         \
    " || CASE WHEN v.is_new THEN ' WITH INHERIT FALSE' ELSE '' END"                        \
    " FROM (" SQL_SERVE " UNION SELECT oid FROM pg_roles WHERE rolname = $2) s"            \
    " JOIN pg_roles r ON r.oid = s.role CROSS JOIN"                                        \
    " (SELECT current_setting('server_version_num')::int >= 160000) AS v (is_new)"         \
    " WHERE v.is_new OR NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.member = s.role" \
    " AND m.roleid = (SELECT oid FROM pg_roles WHERE rolname = $1))"

PGresult *grant_list_customers(struct db_session *session, const char *role, const char *serve,
                               struct error *error)
{
    const char *values[] = {role, serve};
    char *sql = memory_format("WITH needed (position, privileges, object) AS (\n%s\n)"
                              " SELECT statement FROM (SELECT position, format("
                              "'GRANT %%s ON %%s TO %%I', privileges, object, $1::text) FROM needed"
                              " UNION ALL " SQL_MEMBERS ") AS s (position, statement)"
                              " ORDER BY position, statement",
                              embedded_sql_find("privileges_customers"));
    PGresult *result;

    result = db_session_query(session, sql, 2, values, error);
    free(sql);
    return result;
}

bool grant_count_serve(struct db_session *session, int *ret_roles, struct error *error)
{
    PGresult *result = db_session_query(session, SQL_SERVE, 0, NULL, error);

    if (result == NULL)
        return false;
    *ret_roles = PQntuples(result);
    PQclear(result);
    return true;
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
