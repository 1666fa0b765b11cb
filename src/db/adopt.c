/* SPDX-License-Identifier: MIT */
#include "db/adopt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/units.h"
#include "db/migrations.h"

enum plan_column { PLAN_KIND, PLAN_DESCRIPTION, PLAN_STATEMENT };

static const char *plan_value(const struct adopt_plan *plan, int row, enum plan_column column)
{
    return PQgetvalue(plan->rows, row, (int)column);
}

static bool plan_is(const struct adopt_plan *plan, int row, const char *kind)
{
    return strcmp(plan_value(plan, row, PLAN_KIND), kind) == 0;
}

bool adopt_lock(struct db_session *session, struct error *error)
{
    return db_session_execute(session,
                              "DO $$ BEGIN IF EXISTS (SELECT FROM pg_class"
                              " WHERE oid = to_regclass('webhook_deliveries')"
                              " AND relkind IN ('r', 'p') AND pg_has_role(relowner, 'USAGE')) THEN"
                              " LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE;"
                              " END IF; END $$",
                              error);
}

/* What will be made is read from the migrations themselves, so that no list of it can be outdated.
 * Files whose names are no numbers are no migrations. */
static char *join_migrations(void)
{
    char *all = memory_copy_string("");

    for (const struct embedded_text *file = embedded_sql_files; file->name != NULL; file++) {
        char *before = all;

        if (!isdigit((unsigned char)file->name[0]))
            continue;
        all = memory_format("%s\n%s", before, file->text);
        free(before);
    }
    return all;
}

/* The plan's functions last as long as the savepoint, so that they leave nothing behind. */
static PGresult *query_plan(struct db_session *session, const struct adopt_terms *terms,
                            const char *migrations, struct error *error)
{
    char delivered_ms[32], failed_ms[32];
    char delivered[UNITS_TEXT_SIZE], failed[UNITS_TEXT_SIZE];
    const char *values[] = {
        migrations,      terms->customers,
        terms->timezone, terms->retention ? "true" : "false",
        delivered_ms,    units_format_duration_ms(terms->delivered_ms, delivered),
        failed_ms,       units_format_duration_ms(terms->failed_ms, failed),
    };
    PGresult *rows;

    snprintf(delivered_ms, sizeof(delivered_ms), "%lld", (long long)terms->delivered_ms);
    snprintf(failed_ms, sizeof(failed_ms), "%lld", (long long)terms->failed_ms);

    if (!db_session_execute(session, "SAVEPOINT adopt_plan", error) ||
        !db_session_execute(session, embedded_sql_find("adopt_plan"), error))
        return NULL;
    rows = db_session_query(session,
                            "SELECT kind, description, statement"
                            " FROM postrider_adopt_plan($1, $2, $3, $4, $5, $6, $7, $8)",
                            ARRAY_LENGTH(values), values, error);
    if (rows == NULL)
        return NULL;
    if (!db_session_execute(session, "ROLLBACK TO SAVEPOINT adopt_plan", error)) {
        PQclear(rows);
        return NULL;
    }
    return rows;
}

bool adopt_plan_load(struct db_session *session, const struct adopt_terms *terms,
                     struct adopt_plan *ret_plan, struct error *error)
{
    char *migrations = join_migrations();
    PGresult *rows = query_plan(session, terms, migrations, error);

    free(migrations);

    if (rows == NULL)
        return error_prefix(error, "looking at the tables that are there");
    *ret_plan = (struct adopt_plan){.rows = rows};
    for (int row = 0; row < PQntuples(rows); row++) {
        ret_plan->obstacles += plan_is(ret_plan, row, "obstacle");
        ret_plan->steps += plan_is(ret_plan, row, "step");
    }
    return true;
}

void adopt_plan_free(struct adopt_plan *plan)
{
    PQclear(plan->rows);
    *plan = (struct adopt_plan){0};
}

static void print_obstacles(const struct adopt_plan *plan, FILE *out)
{
    fprintf(out, "What is in the way:\n");
    for (int row = 0; row < PQntuples(plan->rows); row++)
        if (plan_is(plan, row, "obstacle"))
            fprintf(out, "  - %s\n    hint: %s\n", plan_value(plan, row, PLAN_DESCRIPTION),
                    plan_value(plan, row, PLAN_STATEMENT));
}

bool adopt_plan_check(const struct adopt_plan *plan, FILE *out, struct error *error)
{
    int row = 0;

    if (plan->obstacles == 0)
        return true;
    if (plan->obstacles > 1) {
        print_obstacles(plan, out);
        error_set(error, "%d things are in the way, nothing was changed", plan->obstacles);
        return error_hint(error, "they are listed above, each with what to do");
    }
    while (!plan_is(plan, row, "obstacle"))
        row++;
    error_set(error, "%s", plan_value(plan, row, PLAN_DESCRIPTION));
    return error_hint(error, "%s", plan_value(plan, row, PLAN_STATEMENT));
}

void adopt_plan_print(const struct adopt_plan *plan, FILE *out)
{
    int number = 0;

    for (int row = 0; row < PQntuples(plan->rows); row++)
        if (plan_is(plan, row, "note"))
            fprintf(out, "%s\n", plan_value(plan, row, PLAN_DESCRIPTION));
    fprintf(out, "To adopt it means to:\n");
    for (int row = 0; row < PQntuples(plan->rows); row++)
        if (plan_is(plan, row, "step"))
            fprintf(out, "%3d. %s\n", ++number, plan_value(plan, row, PLAN_DESCRIPTION));
}

/* Descriptions may hold names with line ends in them, which must not end the comment. */
static void print_comment(const char *text, FILE *out)
{
    fputs("-- ", out);
    for (; *text != '\0'; text++)
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
    fputc('\n', out);
}

void adopt_plan_print_sql(const struct adopt_plan *plan, FILE *out)
{
    for (int row = 0; row < PQntuples(plan->rows); row++)
        if (plan_is(plan, row, "note"))
            print_comment(plan_value(plan, row, PLAN_DESCRIPTION), out);
    for (int row = 0; row < PQntuples(plan->rows); row++) {
        if (!plan_is(plan, row, "step"))
            continue;
        print_comment(plan_value(plan, row, PLAN_DESCRIPTION), out);
        if (!PQgetisnull(plan->rows, row, PLAN_STATEMENT))
            fprintf(out, "%s;\n", plan_value(plan, row, PLAN_STATEMENT));
    }
}

bool adopt_plan_execute(struct db_session *session, const struct adopt_plan *plan,
                        struct error *error)
{
    for (int row = 0; row < PQntuples(plan->rows); row++) {
        if (!plan_is(plan, row, "step") || PQgetisnull(plan->rows, row, PLAN_STATEMENT))
            continue;
        if (!db_session_execute(session, plan_value(plan, row, PLAN_STATEMENT), error))
            return error_prefix(error, "adopting webhook_deliveries");
    }
    return true;
}
