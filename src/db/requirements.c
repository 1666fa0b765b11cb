#include "db/requirements.h"

#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "db/migrations.h"
#include "db/row.h"

enum { AT_KIND, AT_OBJECT, AT_NEEDED, AT_PROBLEM, AT_ACTION, AT_IS_ESSENTIAL };

static const char guard_end[] =
    " SELECT pg_is_in_recovery(), set_config('row_security', CASE WHEN EXISTS"
    " (SELECT FROM policed WHERE hidden && $2::text[]) THEN 'off' ELSE 'on' END, true)";

/*
 * Without comments and what indents them. PgBouncer (1.18) mixes up a session whose client sends a
 * message larger than its buffer (4 kB) while the transaction before is being answered.
 */
static char *squeeze(char *sql)
{
    char *out = sql;

    for (const char *at = sql; *at != '\0'; at++) {
        bool begins_line = out == sql || out[-1] == '\n';

        if (begins_line && at[0] == '-' && at[1] == '-')
            at += strcspn(at, "\n");
        if (*at == '\n' && out > sql && (out[-1] == ' ' || out[-1] == '\n'))
            out[-1] = '\n'; /* it stays: literals on two lines are one */
        else if (*at != ' ' || (out > sql && out[-1] != ' ' && out[-1] != '\n'))
            *out++ = *at;
    }
    *out = '\0';
    return sql;
}

static char *with_policed(const char *end)
{
    return squeeze(memory_format("WITH needed (position, privileges, object) AS (\n%s\n),\n%s%s",
                                 embedded_sql_find("privileges"), embedded_sql_find("row_security"),
                                 end));
}

bool requirements_send(struct db_link *link, const char *schema, db_link_answered *on_answer,
                       void *owner)
{
    char *sql = with_policed(embedded_sql_find("requirements"));
    struct db_statement statement = {sql, 2, {schema, hint_options()}};
    bool is_sent = db_link_send(link, &statement, 1, on_answer, owner);

    free(sql);
    return is_sent;
}

PGresult *requirements_list(struct db_session *session, struct error *error)
{
    const char *values[] = {db_session_schema(session), hint_options()};
    char *sql = with_policed(embedded_sql_find("requirements"));
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

const char *requirements_guard(void)
{
    static char *text;

    if (text == NULL)
        text = with_policed(guard_end);
    return text;
}
