/* SPDX-License-Identifier: MIT */
#include "db/schema_version.h"

#include <stdlib.h>
#include <string.h>

#include "db/row.h"

/* By way of JSON, since a schema of before 0009 has no such column. */
static const char version_sql[] =
    "SELECT coalesce(max(version), 0),"
    " coalesce((max(ARRAY[version, (to_jsonb(m) ->> 'works_from')::int]))[2], 0)"
    " FROM postrider_migrations m";

static const char table_sql[] = "SELECT to_regclass('postrider_migrations') IS NOT NULL";

enum schema_fit schema_fit(const struct schema_version *schema, int binary_version)
{
    if (schema->version < binary_version)
        return SCHEMA_IS_OLD;
    if (schema->version == binary_version)
        return SCHEMA_FITS;
    return schema->works_from > 0 && schema->works_from <= binary_version ? SCHEMA_FITS
                                                                          : SCHEMA_IS_NEW;
}

bool schema_version_send(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {version_sql, 0, {NULL}};

    return db_link_send(link, &statement, 1, on_answer, owner);
}

static struct schema_version version_at(const PGresult *result)
{
    return (struct schema_version){.version = (int)row_integer(result, 0, 0, 0),
                                   .works_from = (int)row_integer(result, 0, 1, 0)};
}

struct schema_version schema_version_of(const struct db_answer *answer)
{
    return version_at(answer->results[0]);
}

bool schema_version_is_missing(const struct db_answer *answer)
{
    /* undefined_table, invalid_schema_name */
    return strcmp(answer->sqlstate, "42P01") == 0 || strcmp(answer->sqlstate, "3F000") == 0;
}

bool schema_version_read(struct db_session *session, struct schema_version *ret_version,
                         struct error *error)
{
    PGresult *result = db_session_query(session, table_sql, 0, NULL, error);
    bool is_there;

    *ret_version = (struct schema_version){0, 0};
    if (result == NULL)
        return false;
    is_there = row_is_true(result, 0, 0);
    PQclear(result);
    if (!is_there)
        return true;
    result = db_session_query(session, version_sql, 0, NULL, error);
    if (result == NULL)
        return false;
    *ret_version = version_at(result);
    PQclear(result);
    return true;
}
