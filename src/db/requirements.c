/* SPDX-License-Identifier: MIT */
#include "db/requirements.h"

#include <stdlib.h>

#include "base/hint.h"
#include "db/migrations.h"
#include "db/row.h"
#include "db/row_security.h"

enum { AT_KIND, AT_OBJECT, AT_NEEDED, AT_PROBLEM, AT_ACTION, AT_IS_ESSENTIAL };

bool requirements_send(struct db_link *link, const char *schema, db_link_answered *on_answer,
                       void *owner)
{
    char *sql = row_security_query(embedded_sql_find("requirements"));
    struct db_statement statement = {sql, 2, {schema, hint_options()}};
    bool is_sent = db_link_send(link, &statement, 1, on_answer, owner);

    free(sql);
    return is_sent;
}

PGresult *requirements_list(struct db_session *session, struct error *error)
{
    const char *values[] = {db_session_schema(session), hint_options()};
    char *sql = row_security_query(embedded_sql_find("requirements"));
    PGresult *result = db_session_query(session, sql, 2, values, error);

    free(sql);
    return result;
}

struct requirement requirement_at(const PGresult *result, int row)
{
    return (struct requirement){
        .kind = row_text(result, row, AT_KIND),
        .object = row_text(result, row, AT_OBJECT),
        .needed = row_text(result, row, AT_NEEDED),
        .problem = row_text(result, row, AT_PROBLEM),
        .action = row_text(result, row, AT_ACTION),
        .is_essential = *PQgetvalue(result, row, AT_IS_ESSENTIAL) == 't',
    };
}
