/* SPDX-License-Identifier: MIT */
#include "db/bystanders.h"

/* tgtype: 1 FOR EACH ROW, 2 BEFORE, 4 INSERT, 8 DELETE, 16 UPDATE, 64 INSTEAD OF. Inserts of
 * deliveries are producers', so triggers on them alone are left out. */
static const char bystanders_sql[] =
    "WITH ours AS (SELECT name, to_regclass(name) AS relation FROM unnest(ARRAY["
    "'webhook_deliveries', 'webhook_attempts', 'webhook_endpoints', 'webhook_lanes', "
    "'webhook_workers']) AS name) "
    "SELECT format('trigger %I on %s: %s %s, runs %s', t.tgname, o.name, "
    "CASE WHEN t.tgtype & 64 > 0 THEN 'instead of' WHEN t.tgtype & 2 > 0 THEN 'before' "
    "ELSE 'after' END, concat_ws(' or ', CASE WHEN t.tgtype & 4 > 0 THEN 'insert' END, "
    "CASE WHEN t.tgtype & 16 > 0 THEN 'update' END, CASE WHEN t.tgtype & 8 > 0 THEN 'delete' END), "
    "t.tgfoid::regproc) "
    "FROM ours o JOIN pg_trigger t ON t.tgrelid = o.relation JOIN pg_proc p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' "
    "AND NOT (starts_with(t.tgname, 'webhook_') AND starts_with(p.proname, 'webhook_')) "
    "AND NOT (o.name = 'webhook_deliveries' AND t.tgtype & 24 = 0) "
    "UNION ALL "
    "SELECT format('rule %I on %s', r.rulename, o.name) "
    "FROM ours o JOIN pg_rewrite r ON r.ev_class = o.relation "
    "JOIN pg_class c ON c.oid = r.ev_class AND c.relkind <> 'v' WHERE r.ev_enabled <> 'D' "
    "ORDER BY 1";

PGresult *bystanders_list(struct db_session *session, struct error *error)
{
    return db_session_query(session, bystanders_sql, 0, NULL, error);
}
