#include "db/privileges.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/migrations.h"

/* A privilege on some columns is one on each of them. */
static const char parts_sql[] =
    "parts AS ("
    "  SELECT position, object, part, object LIKE 'SCHEMA %' AS is_schema,"
    "    CASE WHEN object NOT LIKE 'SCHEMA %' THEN to_regclass(object) END AS relation,"
    "    split_part(part, ' (', 1) AS privilege, substring(part from '\\((.*)\\)') AS columns"
    "  FROM needed, regexp_split_to_table(privileges, ', (?![^(]*\\))') AS part"
    "), checked AS ("
    "  SELECT *, CASE"
    "    WHEN is_schema THEN has_schema_privilege(current_schema(), privilege)"
    "    WHEN columns IS NULL THEN has_table_privilege(relation, privilege)"
    "    ELSE (SELECT bool_and(has_column_privilege(relation, name, privilege))"
    "          FROM regexp_split_to_table(columns, ', ') AS name)"
    "  END AS is_there FROM parts"
    ")";

PGresult *privileges_list(struct db_session *session, struct error *error)
{
    char *sql = memory_format("WITH needed (position, privileges, object) AS (\n%s\n), %s"
                              " SELECT object, string_agg(part, ', '),"
                              " string_agg(part, ', ') FILTER (WHERE is_there IS NOT TRUE),"
                              " bool_or(relation IS NOT NULL OR is_schema)"
                              " FROM checked GROUP BY position, object ORDER BY position",
                              embedded_sql_find("privileges"), parts_sql);
    PGresult *result = db_session_query(session, sql, 0, NULL, error);

    free(sql);
    return result;
}
