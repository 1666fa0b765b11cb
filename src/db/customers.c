/* SPDX-License-Identifier: MIT */
#include "db/customers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/migrate_lock.h"
#include "db/migrations.h"

/* SQL reads better by its clauses. */
/* clang-format off */

static const char sql_choose[] =
    "SELECT COALESCE($1, CASE WHEN to_regclass('customers') IS NULL THEN '' ELSE 'customers' END)";

static const char sql_tell[] = "SELECT set_config('postrider.customers', $1, true)";

static const char sql_print[] = "SELECT format('SET LOCAL postrider.customers = %L;', $1::text)";

static const char sql_obstacles[] =
    "SELECT description, statement FROM postrider_adopt_referred($1)";

#define SQL_TABLES                                                                                 \
    "(VALUES (1, 'webhook_deliveries', ''), (2, 'webhook_endpoints', ' ON DELETE CASCADE'),"       \
    " (3, 'webhook_secrets', ' ON DELETE CASCADE'), (4, 'webhook_events', ''))"                       \
    " AS t (ordinal, name, rest)"

#define SQL_KEYS                                                                                   \
    "pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid"                               \
    " AND k.conkey = ARRAY[a.attnum] AND a.attname = 'customer_id'"

/* The statements that make it so; without any it is so. */
static const char sql_steps[] =
    "SELECT s.statement FROM (SELECT t.ordinal, 1 AS step, format('ALTER TABLE %I DROP CONSTRAINT %I',"
    " t.name, k.conname) AS statement FROM " SQL_TABLES " JOIN " SQL_KEYS
    " ON k.conrelid = to_regclass(t.name) AND k.contype = 'f'"
    " WHERE k.confrelid IS DISTINCT FROM to_regclass(NULLIF($1, 'none'))"
    " UNION ALL SELECT t.ordinal, 2, format('ALTER TABLE %I ADD FOREIGN KEY (customer_id)"
    " REFERENCES %s (id)%s%s', t.name, to_regclass($1), t.rest, $2::text) FROM " SQL_TABLES
    " WHERE $1 <> 'none' AND NOT EXISTS (SELECT FROM " SQL_KEYS
    " WHERE k.conrelid = to_regclass(t.name) AND k.contype = 'f'"
    " AND k.confrelid = to_regclass($1))) s ORDER BY s.step, s.ordinal";

static const char sql_checks[] =
    "SELECT format('ALTER TABLE %I VALIDATE CONSTRAINT %I', t.name, k.conname) FROM " SQL_TABLES
    " JOIN " SQL_KEYS " ON k.conrelid = to_regclass(t.name) AND k.contype = 'f'"
    " WHERE NOT k.convalidated ORDER BY t.ordinal";

static const char sql_orphans[] =
    "SELECT format('SELECT count(*) FROM %I d WHERE NOT EXISTS (SELECT FROM %s c"
    " WHERE c.id = d.customer_id)', t.name, to_regclass($1)), t.name FROM " SQL_TABLES
    " ORDER BY t.ordinal";

/* clang-format on */

static char *query_text(struct db_session *session, const char *sql, const char *value,
                        struct error *error)
{
    PGresult *result = db_session_query(session, sql, 1, &value, error);
    char *text = result != NULL ? memory_copy_string(PQgetvalue(result, 0, 0)) : NULL;

    PQclear(result);
    return text;
}

char *customers_choose(struct db_session *session, const char *wanted, struct error *error)
{
    return query_text(session, sql_choose, wanted, error);
}

static const char *or_none(const char *choice)
{
    return choice[0] == '\0' ? CUSTOMERS_NONE : choice;
}

static bool is_none(const char *choice)
{
    return strcmp(or_none(choice), CUSTOMERS_NONE) == 0;
}

bool customers_tell(struct db_session *session, const char *choice, struct error *error)
{
    char *text = query_text(session, sql_tell, or_none(choice), error);

    free(text);
    return text != NULL;
}

bool customers_print(struct db_session *session, const char *choice, FILE *out, struct error *error)
{
    char *text = query_text(session, sql_print, or_none(choice), error);

    if (text == NULL)
        return false;
    fprintf(out, "%s\n\n", text);
    free(text);
    return true;
}

void customers_report(const char *choice, FILE *out)
{
    if (is_none(choice))
        fprintf(out, "customer_id refers to no table, any UUID will do"
                     " (--customers TABLE makes a foreign key).\n");
    else
        fprintf(out, "customer_id refers to %s (id).\n", choice);
}

static bool check_table(struct db_session *session, const char *table, struct error *error)
{
    PGresult *result;
    bool ok;

    if (!db_session_execute(session, embedded_sql_find("adopt_plan"), error))
        return false;
    result = db_session_query(session, sql_obstacles, 1, &table, error);
    if (result == NULL)
        return false;
    ok = PQntuples(result) == 0;
    if (!ok) {
        error_set(error, "%s", PQgetvalue(result, 0, 0));
        error_hint(error, "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return ok;
}

static bool check_orphans(struct db_session *session, const char *count_sql, const char *name,
                          const char *table, struct error *error)
{
    PGresult *result = db_session_query(session, count_sql, 0, NULL, error);
    bool ok = result != NULL && strcmp(PQgetvalue(result, 0, 0), "0") == 0;

    if (result != NULL && !ok) {
        error_set(error, "%s rows of %s with a customer_id that is not in %s; nothing was changed",
                  PQgetvalue(result, 0, 0), name, table);
        error_hint(error, "add those customers, or delete the rows");
    }
    PQclear(result);
    return ok;
}

/* Nothing of what it makes stays. */
static bool check_wanted(struct db_session *session, const char *wanted, struct error *error)
{
    PGresult *counts = NULL;
    bool ok = db_session_begin(session, error) &&
              db_session_execute(session, "SET LOCAL statement_timeout = 0", error) &&
              check_table(session, wanted, error);

    if (ok)
        counts = db_session_query(session, sql_orphans, 1, &wanted, error);
    ok = counts != NULL;
    for (int row = 0; ok && row < PQntuples(counts); row++)
        ok = check_orphans(session, PQgetvalue(counts, row, 0), PQgetvalue(counts, row, 1), wanted,
                           error);
    PQclear(counts);
    db_session_rollback(session);
    return ok;
}

/* In a transaction: runs, or prints, the statements that a query answers with. */
static bool run_all(struct db_session *session, const char *sql, const char *wanted, bool dry_run,
                    FILE *out, struct error *error)
{
    const char *values[] = {wanted, dry_run ? "" : " NOT VALID"};
    PGresult *steps = db_session_query(session, sql, wanted != NULL ? 2 : 0, values, error);
    bool ok = steps != NULL;

    for (int row = 0; ok && row < PQntuples(steps); row++) {
        fprintf(out, "%s;\n", PQgetvalue(steps, row, 0));
        ok = dry_run || db_session_execute(session, PQgetvalue(steps, row, 0), error);
    }
    PQclear(steps);
    return ok;
}

/* One transaction, as often as it takes to get at tables that are in use. */
static bool run_patiently(struct db_session *session, const char *sql, const char *wanted,
                          bool dry_run, FILE *out, struct error *error)
{
    struct migrate_lock lock = {.tries = 0};
    bool ok;

    do {
        ok = migrate_lock_begin(session, &lock, error) &&
             run_all(session, sql, wanted, dry_run, out, error);
        if (!ok)
            migrate_lock_explain(session, error);
        else if (!dry_run)
            ok = db_session_commit(session, error);
        db_session_rollback(session);
    } while (!ok && migrate_lock_wait(session, &lock, out));
    return ok;
}

bool customers_change(struct db_session *session, const char *wanted, bool dry_run, FILE *out,
                      struct error *error)
{
    if (!is_none(wanted) && !check_wanted(session, wanted, error))
        return false;
    if (!run_patiently(session, sql_steps, wanted, dry_run, out, error) ||
        !run_patiently(session, sql_checks, NULL, dry_run, out, error))
        return error_prefix(error, "--customers");
    if (!dry_run)
        customers_report(wanted, out);
    return true;
}
