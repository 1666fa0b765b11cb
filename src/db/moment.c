/* SPDX-License-Identifier: MIT */
#include "db/moment.h"

#include <stdio.h>

#include "base/units.h"
#include "db/fragments.h"

/* By the database's clock, since what it is compared with was written by that clock. */
static const char sql_ago[] =
    "SELECT " SQL_UTC_EXACT("(now() - $1::float8 * interval '1 millisecond')");

static const char sql_time[] = "SELECT " SQL_UTC_EXACT("$1::timestamptz");

static bool read_moment(struct db_session *session, const char *sql, const char *value,
                        char ret_moment[MOMENT_SIZE], struct error *error)
{
    PGresult *result = db_session_read(session, sql, 1, &value, error);

    if (result == NULL)
        return false;
    snprintf(ret_moment, MOMENT_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

bool moment_ago(struct db_session *session, int64_t ms, char ret_moment[MOMENT_SIZE],
                struct error *error)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)ms);
    return read_moment(session, sql_ago, text, ret_moment, error);
}

bool moment_resolve(struct db_session *session, const char *text, char ret_moment[MOMENT_SIZE],
                    struct error *error)
{
    struct error ignored;
    int64_t ms;

    if (units_parse_duration_ms(text, &ms, &ignored))
        return moment_ago(session, ms, ret_moment, error);
    return read_moment(session, sql_time, text, ret_moment, error);
}
