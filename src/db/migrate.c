/* SPDX-License-Identifier: MIT */
#include "db/migrate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "db/adopt.h"
#include "db/adoption.h"
#include "db/customers.h"
#include "db/feeds.h"
#include "db/grant.h"
#include "db/migrate_beside.h"
#include "db/migrate_lock.h"
#include "db/migrate_retention.h"
#include "db/migrate_workers.h"
#include "db/migrations.h"
#include "db/schema_version.h"

#define SERVER_VERSION_MIN 130000 /* pg_current_snapshot(), gen_random_uuid() */

/* The schema's first version meets what the application made before. */
#define ADOPTING_VERSION 1

/* "0001_deliveries" → 1; 0 for files that are no migration. */
static int file_version(const struct embedded_text *file)
{
    if (!isdigit((unsigned char)file->name[0]))
        return 0;
    return (int)strtol(file->name, NULL, 10);
}

int migrate_binary_version(void)
{
    int newest = 0;

    for (const struct embedded_text *file = embedded_sql_files; file->name != NULL; file++)
        if (file_version(file) > newest)
            newest = file_version(file);
    return newest;
}

static bool check_server(struct db_session *session, struct error *error)
{
    int version = PQserverVersion(db_session_connection(session));

    if (version >= SERVER_VERSION_MIN)
        return true;
    error_set(error, "the server is PostgreSQL %d, Postrider needs %d or newer", version / 10000,
              SERVER_VERSION_MIN / 10000);
    return false;
}

/* Else a receiver's answer, or our own "…", could not be stored: found before there are tables. */
static bool check_encoding(struct db_session *session, struct error *error)
{
    PGresult *result =
        db_session_query(session, "SELECT current_setting('server_encoding')", 0, NULL, error);
    bool is_utf8;

    if (result == NULL)
        return false;
    is_utf8 = strcmp(PQgetvalue(result, 0, 0), "UTF8") == 0;
    if (!is_utf8) {
        error_set(error,
                  "the encoding of the database is %s, in which not every text can be stored; "
                  "it must be UTF8",
                  PQgetvalue(result, 0, 0));
        error_hint(error, "dump it, and restore it into a database that was made so: CREATE "
                          "DATABASE postrider TEMPLATE template0 ENCODING 'UTF8';");
    }
    PQclear(result);
    return is_utf8;
}

/*
 * Only names that PostgreSQL lists: it would also take "UTC+2", which is POSIX for two hours to the
 * west of Greenwich, and so the opposite of what its writer meant.
 */
static bool check_timezone(struct db_session *session, const char *timezone, struct error *error)
{
    PGresult *result =
        db_session_query(session, "SELECT FROM pg_timezone_names WHERE lower(name) = lower($1)", 1,
                         &timezone, error);
    bool known;

    if (result == NULL)
        return false;
    known = PQntuples(result) > 0;
    PQclear(result);
    if (known)
        return true;
    error_set(error, "\"%s\" is not the name of a time zone", timezone);
    return error_hint(error, "write it as Europe/Berlin or UTC; "
                             "the view pg_timezone_names lists all names");
}

/*
 * That the schema is there and its tables can be made, with the statement that helps if not.
 * current_schema() alone would not do: it falls back on pg_temp.
 */
static bool check_schema(struct db_session *session, struct error *error)
{
    const char *schema = db_session_schema(session);
    PGresult *result = db_session_query(
        session,
        "SELECT format('CREATE SCHEMA %I', $1::text), nspname,"
        " has_schema_privilege(nspname, 'CREATE'),"
        " 'GRANT CREATE ON SCHEMA ' || quote_ident(nspname) || ' TO ' || quote_ident(current_user)"
        " FROM (SELECT) AS one LEFT JOIN pg_namespace"
        " ON nspname = COALESCE(NULLIF($1, ''), current_schema()) AND nspname NOT LIKE 'pg\\_%'",
        1, &schema, error);
    bool ok = false;

    if (result == NULL)
        return false;
    if (PQgetisnull(result, 0, 1) && schema[0] == '\0') {
        error_set(error, "no schema of the connection's search_path exists");
        error_hint(error, "name one in the configuration: database.schema");
    } else if (PQgetisnull(result, 0, 1)) {
        error_set(error, "there is no schema \"%s\"", schema);
        error_hint(error, "%s;", PQgetvalue(result, 0, 0));
    } else if (PQgetvalue(result, 0, 2)[0] != 't') {
        error_set(error, "no permission to create tables in schema \"%s\"",
                  PQgetvalue(result, 0, 1));
        error_hint(error, "%s;", PQgetvalue(result, 0, 3));
    } else {
        ok = true;
    }
    PQclear(result);
    return ok;
}

/* A migration as SQL for psql: complete, so that it can be applied by hand. */
static bool print_begin(struct db_session *session, FILE *out, struct error *error)
{
    PGresult *result =
        db_session_query(session, "SELECT current_setting('search_path')", 0, NULL, error);

    if (result == NULL)
        return false;
    fprintf(out, "BEGIN;\nSET LOCAL search_path TO %s;\n\n", PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static void print_record(const struct embedded_text *file, FILE *out)
{
    fprintf(out, "INSERT INTO postrider_migrations (version, name) VALUES (%d, '%s');\n",
            file_version(file), file->name);
    fprintf(out, "COMMIT;\n");
}

static bool record_version(struct db_session *session, const struct embedded_text *file,
                           struct error *error)
{
    char version[16];
    const char *values[] = {version, file->name};
    PGresult *result;

    snprintf(version, sizeof(version), "%d", file_version(file));
    result = db_session_query(session,
                              "INSERT INTO postrider_migrations (version, name) VALUES ($1, $2)", 2,
                              values, error);
    PQclear(result);
    return result != NULL;
}

static bool apply_migration(struct db_session *session, const struct embedded_text *file,
                            struct error *error)
{
    if (!db_session_execute(session, file->text, error)) {
        migrate_lock_explain(session, error);
        return error_prefix(error, "migration %s", file->name);
    }
    return record_version(session, file, error);
}

/* The plan for what is there already; false when something in it is in the way. */
static bool load_plan(struct db_session *session, const struct migrate_options *options,
                      const char *customers, struct adopt_plan *ret_plan, struct error *error)
{
    const struct adopt_terms terms = {customers, options->timezone, options->retention,
                                      options->delivered_ms, options->failed_ms};

    if (options->adopt && !options->dry_run && !adopt_lock(session, error)) {
        migrate_lock_explain(session, error);
        return false;
    }
    return adopt_plan_load(session, &terms, ret_plan, error) &&
           adopt_plan_check(ret_plan, options->out, error);
}

static bool print_step(struct db_session *session, const struct migrate_options *options,
                       const struct embedded_text *file, const char *customers,
                       const struct adopt_plan *plan, struct error *error)
{
    if (!print_begin(session, options->out, error) ||
        (customers != NULL && !customers_print(session, customers, options->out, error)))
        return false;
    if (plan->steps > 0) {
        fprintf(options->out, "-- adopting webhook_deliveries%s\n",
                options->adopt ? "" : ", which is done only with --adopt");
        adopt_plan_print_sql(plan, options->out);
    }
    fprintf(options->out, "-- migration %s\n%s\n", file->name, file->text);
    print_record(file, options->out);
    return true;
}

/* Says what adopting takes, and does it if asked to. */
static enum migrate_result adopt(struct db_session *session, const struct migrate_options *options,
                                 const struct adopt_plan *plan, struct error *error)
{
    if (plan->steps == 0)
        return MIGRATE_DONE;
    adopt_plan_print(plan, options->out);
    if (!options->adopt) {
        error_set(error, "webhook_deliveries has to be adopted first; nothing was changed");
        error_hint(error,
                   "\"postrider migrate --adopt%s\" does it, in one transaction during which "
                   "inserts wait; --dry-run prints the SQL, --timezone names another zone",
                   hint_options());
        return MIGRATE_NEEDS_ADOPTION;
    }
    if (adopt_plan_execute(session, plan, error))
        return MIGRATE_DONE;
    migrate_lock_explain(session, error);
    return MIGRATE_FAILED;
}

/* The first migration meets what is there, and asks whom customer_id refers to. */
static enum migrate_result take_first_step(struct db_session *session,
                                           const struct migrate_options *options,
                                           const struct embedded_text *file, struct error *error)
{
    struct adopt_plan plan = {0};
    enum migrate_result result = MIGRATE_FAILED;
    char *customers = customers_choose(session, options->customers, error);
    bool ready = customers != NULL && load_plan(session, options, customers, &plan, error);

    if (ready && options->dry_run)
        result = print_step(session, options, file, customers, &plan, error) ? MIGRATE_DONE
                                                                             : MIGRATE_FAILED;
    else if (ready)
        result = adopt(session, options, &plan, error);
    if (result == MIGRATE_DONE && !options->dry_run &&
        (!customers_tell(session, customers, error) || !apply_migration(session, file, error)))
        result = MIGRATE_FAILED;
    if (result == MIGRATE_DONE && !options->dry_run && options->customers == NULL)
        customers_report(customers, options->out);
    adopt_plan_free(&plan);
    free(customers);
    return result;
}

/* Inside the transaction that holds the lock. */
static enum migrate_result take_step(struct db_session *session,
                                     const struct migrate_options *options,
                                     const struct embedded_text *file, struct error *error)
{
    const struct adopt_plan nothing = {0};
    bool ok = check_schema(session, error);

    if (ok && file_version(file) == ADOPTING_VERSION)
        return take_first_step(session, options, file, error);
    if (ok && migrate_beside_is_meant(file)) { /* a dry run: migrate_beside() does it else */
        ok = migrate_beside_print(session, file, options->out, error);
        if (ok)
            print_record(file, options->out);
    } else if (ok && options->dry_run)
        ok = print_step(session, options, file, NULL, &nothing, error);
    else if (ok)
        ok = apply_migration(session, file, error);
    return ok ? MIGRATE_DONE : MIGRATE_FAILED;
}

static bool check_version(int version, struct error *error)
{
    if (version <= migrate_binary_version())
        return true;
    error_set(error, "the database's schema has version %d, this postrider knows only version %d",
              version, migrate_binary_version());
    return error_hint(error, "a newer postrider has migrated it: upgrade this one");
}

/* At once, for who waits for the next one. */
static void say_applied(const struct migrate_options *options, const struct embedded_text *file)
{
    fprintf(options->out, "Applied %s.\n", file->name);
    fflush(options->out);
}

/* One migration in its transaction; the version is read under the lock. */
static enum migrate_result migrate_locked(struct db_session *session,
                                          const struct migrate_options *options,
                                          const struct embedded_text *file, bool *ret_applied,
                                          struct error *error)
{
    enum migrate_result result = MIGRATE_FAILED;
    struct schema_version schema;

    if (schema_version_read(session, &schema, error) && check_version(schema.version, error)) {
        *ret_applied = schema.version < file_version(file);
        result = *ret_applied ? take_step(session, options, file, error) : MIGRATE_DONE;
    }
    if (result != MIGRATE_DONE || !*ret_applied || options->dry_run)
        db_session_rollback(session);
    else if (!db_session_commit(session, error))
        result = MIGRATE_FAILED;
    else
        say_applied(options, file);
    return result;
}

/* One look at a migration that runs outside of a transaction, and the next step of it. */
static enum migrate_result step_beside(struct db_session *session,
                                       const struct migrate_options *options,
                                       const struct embedded_text *file,
                                       struct migrate_beside *beside, bool *ret_is_ended,
                                       bool *ret_applied, struct error *error)
{
    struct migrate_lock lock = {.tries = 0};
    struct schema_version schema;
    bool is_ready = false;

    *ret_is_ended = true;
    if (!migrate_lock_begin(session, &lock, error) ||
        !schema_version_read(session, &schema, error) || !check_version(schema.version, error))
        return MIGRATE_FAILED;
    if (schema.version >= file_version(file))
        return MIGRATE_DONE;
    if (!check_schema(session, error) ||
        !migrate_beside_begin(session, file, beside, &is_ready, error))
        return MIGRATE_FAILED;
    *ret_is_ended = *ret_applied = is_ready;
    if (!is_ready)
        return MIGRATE_DONE;
    if (!record_version(session, file, error) || !db_session_commit(session, error))
        return MIGRATE_FAILED;
    say_applied(options, file);
    return MIGRATE_DONE;
}

static enum migrate_result migrate_beside(struct db_session *session,
                                          const struct migrate_options *options,
                                          const struct embedded_text *file, bool *ret_applied,
                                          struct error *error)
{
    struct migrate_beside beside = {.tries = 0};
    enum migrate_result result;
    bool is_ended;

    do {
        result = step_beside(session, options, file, &beside, &is_ended, ret_applied, error);
        db_session_rollback(session);
        if (!is_ended && !migrate_beside_wait(session, &beside, options->out, error))
            result = MIGRATE_FAILED;
    } while (result == MIGRATE_DONE && !is_ended);
    migrate_beside_end(&beside);
    if (result == MIGRATE_FAILED)
        error_prefix(error, "migration %s", file->name);
    return result;
}

/* As often as it takes to get at tables that are in use. */
static enum migrate_result migrate_file(struct db_session *session,
                                        const struct migrate_options *options,
                                        const struct embedded_text *file, bool *ret_applied,
                                        struct error *error)
{
    struct migrate_lock lock = {.tries = 0};
    enum migrate_result result;

    if (migrate_beside_is_meant(file) && !options->dry_run)
        return migrate_beside(session, options, file, ret_applied, error);
    do {
        if (migrate_lock_begin(session, &lock, error))
            result = migrate_locked(session, options, file, ret_applied, error);
        else
            result = MIGRATE_FAILED;
        db_session_rollback(session);
    } while (result == MIGRATE_FAILED && migrate_lock_wait(session, &lock, options->out));
    return result;
}

static enum migrate_result migrate_files(struct db_session *session,
                                         const struct migrate_options *options,
                                         bool *ret_any_applied, struct error *error)
{
    *ret_any_applied = false;

    for (const struct embedded_text *file = embedded_sql_files; file->name != NULL; file++) {
        bool applied = false;
        enum migrate_result result;

        if (file_version(file) == 0)
            continue;
        result = migrate_file(session, options, file, &applied, error);
        if (result != MIGRATE_DONE)
            return result;
        *ret_any_applied = *ret_any_applied || applied;
    }
    if (!*ret_any_applied)
        fprintf(options->out, "%sNothing to do: the schema has version %d.\n",
                options->dry_run ? "-- " : "", migrate_binary_version());
    return MIGRATE_DONE;
}

/* In a transaction. Clears the statements. */
static bool grant_statements(struct db_session *session, const struct migrate_options *options,
                             PGresult *statements, struct error *error)
{
    bool ok;

    if (statements == NULL)
        return false;
    if (options->dry_run) {
        ok = print_begin(session, options->out, error);
        for (int i = 0; i < PQntuples(statements); i++)
            fprintf(options->out, "%s;\n", PQgetvalue(statements, i, 0));
        fprintf(options->out, "COMMIT;\n");
    } else {
        ok = grant_apply(session, statements, error);
    }
    PQclear(statements);
    return ok;
}

static bool grant_privileges(struct db_session *session, const struct migrate_options *options,
                             struct error *error)
{
    return grant_statements(session, options, grant_list(session, options->grant_to, error), error);
}

static bool grant_producer(struct db_session *session, const struct migrate_options *options,
                           struct error *error)
{
    return grant_statements(session, options,
                            grant_list_producer(session, options->grant_producer_to, error), error);
}

static bool grant_serve(struct db_session *session, const struct migrate_options *options,
                        struct error *error)
{
    return grant_statements(session, options,
                            grant_list_serve(session, options->grant_serve_to, error), error);
}

/* In one transaction: a role that serve can't become is of no use. */
static bool grant_customers(struct db_session *session, const struct migrate_options *options,
                            struct error *error)
{
    const char *role = options->grant_customers_to;

    return grant_check_customers(session, role, error) &&
           grant_statements(session, options,
                            grant_list_customers(session, role, options->grant_serve_to, error),
                            error);
}

static bool migrate_grant_customers(struct db_session *session,
                                    const struct migrate_options *options, struct error *error)
{
    int roles;

    if (!migrate_lock_run(session, options, grant_customers, error))
        return false;
    if (options->dry_run)
        return true;
    if (!db_session_begin(session, error) || !grant_count_serve(session, &roles, error))
        return false;
    db_session_rollback(session);
    fprintf(options->out, "Granted to \"%s\" what customers may see and do.\n",
            options->grant_customers_to);
    if (roles == 0)
        fprintf(options->out,
                "No role of \"postrider serve\" is known that could ask for them: run "
                "\"postrider migrate --grant-serve ROLE%s\", and this again.\n",
                hint_options());
    return true;
}

static bool migrate_grant_serve(struct db_session *session, const struct migrate_options *options,
                                struct error *error)
{
    if (!migrate_lock_run(session, options, grant_serve, error))
        return false;
    if (!options->dry_run)
        fprintf(options->out, "Granted to \"%s\" what \"postrider serve\" needs.\n",
                options->grant_serve_to);
    return true;
}

static bool migrate_grant_producer(struct db_session *session,
                                   const struct migrate_options *options, struct error *error)
{
    if (!migrate_lock_run(session, options, grant_producer, error))
        return false;
    if (!options->dry_run)
        fprintf(options->out,
                "Granted to \"%s\" what a producer of events needs: INSERT on webhook_events, and"
                " to call postrider_publish().\n",
                options->grant_producer_to);
    return true;
}

static bool migrate_grant(struct db_session *session, const struct migrate_options *options,
                          struct error *error)
{
    if (!migrate_lock_run(session, options, grant_privileges, error))
        return false;
    if (!options->dry_run)
        fprintf(options->out, "Granted to \"%s\" what the worker needs.\n", options->grant_to);
    return true;
}

/* What the dry run has said before would be there by now, but isn't: there is nothing to count. */
static bool print_agreement(struct db_session *session, const struct migrate_options *options,
                            bool is_counted, struct error *error)
{
    bool ok = (!is_counted || migrate_retention_agree(session, options, error)) &&
              db_session_begin(session, error) && print_begin(session, options->out, error);

    db_session_rollback(session);
    if (ok)
        fprintf(options->out, "%s;\nCOMMIT;\n", adoption_agree_sql());
    return ok;
}

/* Whether retention deletes rows of before. */
static bool settle_retention(struct db_session *session, const struct migrate_options *options,
                             bool any_applied, struct error *error)
{
    if (options->retention && options->dry_run)
        return print_agreement(session, options, !any_applied, error);
    if (options->retention)
        return migrate_retention_agree(session, options, error);
    return options->dry_run || !any_applied || migrate_retention_tell(session, options, error);
}

/* Whom customer_id refers to, when somebody has chosen. What a dry run has printed isn't there. */
static bool settle_customers(struct db_session *session, const struct migrate_options *options,
                             bool any_applied, struct error *error)
{
    bool ok;

    if (options->customers == NULL || (options->dry_run && any_applied))
        return true;
    if (!options->dry_run)
        return customers_change(session, options->customers, false, options->out, error);
    ok = db_session_begin(session, error) && print_begin(session, options->out, error);
    db_session_rollback(session);
    ok = ok && customers_change(session, options->customers, true, options->out, error);
    fprintf(options->out, "COMMIT;\n");
    return ok;
}

/* What a dry run has printed isn't there. */
static bool settle_feeds(struct db_session *session, const struct migrate_options *options,
                         bool any_applied, struct error *error)
{
    return (options->dry_run && any_applied) ||
           migrate_lock_run(session, options, feeds_settle, error);
}

/* What would make a later step fail is found before the first one. */
static bool check_options(struct db_session *session, const struct migrate_options *options,
                          struct error *error)
{
    bool ok;

    if (!check_server(session, error) || !db_session_begin(session, error))
        return false;
    ok = check_encoding(session, error) &&
         (options->timezone == NULL || check_timezone(session, options->timezone, error)) &&
         (options->grant_to == NULL ||
          grant_check_role(session, options->grant_to, " LOGIN", error)) &&
         (options->grant_producer_to == NULL ||
          grant_check_role(session, options->grant_producer_to, " LOGIN", error)) &&
         (options->grant_serve_to == NULL ||
          grant_check_role(session, options->grant_serve_to, " LOGIN", error)) &&
         (options->grant_customers_to == NULL ||
          (grant_check_role(session, options->grant_customers_to, "", error) &&
           grant_check_customers(session, options->grant_customers_to, error)));
    db_session_rollback(session);
    return ok;
}

enum migrate_result migrate_run(struct db_session *session, const struct migrate_options *options,
                                struct error *error)
{
    enum migrate_result result;
    bool any_applied;

    if (!check_options(session, options, error))
        return MIGRATE_FAILED;
    result = migrate_files(session, options, &any_applied, error);
    if (result != MIGRATE_DONE)
        return result;
    if (!settle_customers(session, options, any_applied, error) ||
        !settle_retention(session, options, any_applied, error) ||
        !settle_feeds(session, options, any_applied, error))
        return MIGRATE_FAILED;
    if ((options->grant_to != NULL && !migrate_grant(session, options, error)) ||
        (options->grant_producer_to != NULL && !migrate_grant_producer(session, options, error)) ||
        (options->grant_serve_to != NULL && !migrate_grant_serve(session, options, error)) ||
        (options->grant_customers_to != NULL && !migrate_grant_customers(session, options, error)))
        return MIGRATE_FAILED;
    if (any_applied && !options->dry_run && !migrate_workers_tell(session, options, error))
        return MIGRATE_FAILED;
    return MIGRATE_DONE;
}
