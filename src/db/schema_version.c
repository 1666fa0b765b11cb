#include "db/schema_version.h"

#include <stdlib.h>
#include <string.h>

static const char version_sql[] = "SELECT coalesce(max(version), 0) FROM postrider_migrations";

bool schema_version_send(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {version_sql, 0, {NULL}};

    return db_link_send(link, &statement, 1, on_answer, owner);
}

int schema_version_of(const struct db_answer *answer)
{
    return (int)strtol(PQgetvalue(answer->results[0], 0, 0), NULL, 10);
}

bool schema_version_is_missing(const struct db_answer *answer)
{
    /* undefined_table, invalid_schema_name */
    return strcmp(answer->sqlstate, "42P01") == 0 || strcmp(answer->sqlstate, "3F000") == 0;
}
