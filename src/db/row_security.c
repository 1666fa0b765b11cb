/* SPDX-License-Identifier: MIT */
#include "db/row_security.h"

#include <string.h>

#include "base/memory.h"
#include "db/migrations.h"
#include "db/row.h"

static const char guard_end[] =
    " SELECT pg_is_in_recovery(), set_config('row_security', CASE WHEN hiding IS NOT NULL"
    " OR (NOT is_policed AND $2 = '" ROW_SECURITY_READING "') THEN 'off' ELSE 'on' END, true),"
    " hiding FROM (SELECT count(*) > 0 AS is_policed, string_agg(object, ', ' ORDER BY position)"
    " FILTER (WHERE hidden && $2::text[]) AS hiding FROM policed) p";

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

char *row_security_query(const char *end)
{
    return squeeze(memory_format("WITH needed (position, privileges, object) AS (\n%s\n),\n%s%s",
                                 embedded_sql_find("privileges"), embedded_sql_find("row_security"),
                                 end));
}

/* No policy hides anything of them. Each is a line of its own, and not the last of the list. */
static char *drop_functions(char *sql)
{
    const char *at = sql;
    char *out = sql;

    while (*at != '\0') {
        size_t length = strcspn(at, "\n") + 1;
        const char *function = strstr(at, "'EXECUTE', 'FUNCTION ");

        if (at[length - 1] == '\0')
            length--;
        if (*at != '(' || function == NULL || function >= at + length) {
            memmove(out, at, length);
            out += length;
        }
        at += length;
    }
    *out = '\0';
    return sql;
}

const char *row_security_guard(void)
{
    static char *text;

    if (text == NULL)
        text = drop_functions(row_security_query(guard_end));
    return text;
}

bool row_security_refused(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function != NULL && strcmp(function, "check_enable_rls") == 0;
}

bool row_security_is_on(const PGresult *guard)
{
    const char *setting = row_text(guard, 0, ROW_SECURITY_SETTING);

    return setting == NULL || strcmp(setting, "off") != 0;
}

struct db_statement row_security_look(const char *schema)
{
    return (struct db_statement){
        row_security_guard(), ROW_SECURITY_PARAMETERS, {schema, ROW_SECURITY_WRITING}};
}
