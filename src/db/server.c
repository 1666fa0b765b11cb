/* SPDX-License-Identifier: MIT */
#include "db/server.h"

#include <stdlib.h>

#include "base/memory.h"

bool server_ask(struct db_session *session, struct server_facts *ret_facts, struct error *error)
{
    /* The session's search_path ends with pg_temp, which comes first when nothing else is there. */
    PGresult *result = db_session_query(
        session,
        "SELECT current_setting('server_version'), current_database(), current_user,"
        " (SELECT name FROM unnest(current_schemas(false)) AS name"
        "  WHERE name !~ '^pg_temp' LIMIT 1),"
        " current_setting('transaction_read_only') = 'on'",
        0, NULL, error);

    if (result == NULL)
        return false;
    *ret_facts = (struct server_facts){
        .version = memory_copy_string(PQgetvalue(result, 0, 0)),
        .database = memory_copy_string(PQgetvalue(result, 0, 1)),
        .role = memory_copy_string(PQgetvalue(result, 0, 2)),
        .schema = PQgetisnull(result, 0, 3) ? NULL : memory_copy_string(PQgetvalue(result, 0, 3)),
        .is_read_only = PQgetvalue(result, 0, 4)[0] == 't',
    };
    PQclear(result);
    return true;
}

void server_facts_free(struct server_facts *facts)
{
    free(facts->version);
    free(facts->database);
    free(facts->role);
    free(facts->schema);
    *facts = (struct server_facts){0};
}
