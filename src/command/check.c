/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/check_secrets.h"
#include "command/command.h"
#include "config/load.h"
#include "config/options.h"
#include "config/rules.h"
#include "db/advice.h"
#include "db/alerts.h"
#include "db/bystanders.h"
#include "db/migrate.h"
#include "db/requirements.h"
#include "db/schema_version.h"
#include "db/server.h"

static const char help_text[] =
    "usage: postrider check [--database]\n"
    "\n"
    "Finds what is wrong with the configuration: every mistake with its file, line and column,\n"
    "and what is allowed there; exit status 78. Changes nothing.\n"
    "\n"
    "      --database      also connects, and checks that the database can be written, has the\n"
    "                      schema of this program, gives the role what the worker needs, hides\n"
    "                      nothing from it, that every valid secret can be opened, and that\n"
    "                      alerts can be signed; exit status 1 when something is missing\n"
    "  -c, --config FILE   default " COMMAND_DEFAULT_CONFIG "\n";

/* The parts of a check of the database; each line of its result is about one. */
struct check {
    const struct config *config;
    struct db_session *session;
    struct server_facts facts;
    char *role_word;        /* the role's name, quoted for a shell */
    PGresult *requirements; /* db/requirements.h */
    bool has_failed;
};

static void report_ok(const char *what, const char *format, ...) PRINTF_LIKE(2, 3);

static void report_ok(const char *what, const char *format, ...)
{
    va_list args;

    printf("ok      %-10s  ", what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void report_failed(struct check *check, const char *what, const struct error *error)
{
    check->has_failed = true;
    printf("FAILED  %-10s  %s\n", what, error->message);
    if (error->hint[0] != '\0')
        printf("        %-10s  hint: %s\n", "", error->hint);
}

/* --- the file --- */

static void report_file(const struct config *config)
{
    struct config_mistakes warnings;
    size_t set = 0;

    for (size_t i = 0; i < option_count; i++)
        set += config->is_set[i];
    printf("%s: configuration is valid: %zu of %zu options set, ", config->file, set, option_count);
    if (config->signing.secrets.count == 0)
        puts("no signing secret for customers without one of their own");
    else
        printf("%zu signing secret%s\n", config->signing.secrets.count,
               text_plural((int64_t)config->signing.secrets.count, "", "s"));
    rules_warnings(config, &warnings);
    for (size_t i = 0; i < warnings.count; i++)
        printf("warning: %s\n", warnings.lines[i]);
    config_mistakes_free(&warnings);
}

/* --- the database --- */

static bool connect_database(struct check *check)
{
    const struct config *config = check->config;
    struct error error = {0};

    check->session = db_session_open(config->database.url, config->database.schema, &error);
    if (check->session == NULL)
        report_failed(check, "connection", &error);
    return check->session != NULL;
}

static bool check_server(struct check *check)
{
    const struct server_facts *facts = &check->facts;
    struct error error = {0};

    if (!server_ask(check->session, &check->facts, &error)) {
        report_failed(check, "connection", &error);
        return false;
    }
    check->role_word = hint_quoted(facts->role);
    report_ok("connection", "PostgreSQL %s, database \"%s\", role \"%s\"", facts->version,
              facts->database, facts->role);
    if (facts->is_read_only) {
        error_set(&error, "the database is read-only: a standby, or set to be so");
        error_hint(&error, "%s", db_advice(SQLSTATE_READ_ONLY));
        report_failed(check, "writing", &error);
    }
    return true;
}

static void explain_schema(const struct check *check, struct error *error)
{
    const char *schema = check->config->database.schema;

    if (schema[0] == '\0')
        error_set(error, "no schema of the connection's search_path can be used");
    else
        error_set(error, "the schema \"%s\" is not there, or the role \"%s\" may not use it",
                  schema, check->facts.role);
    error_hint(error, "create it, or let its owner run: postrider migrate --grant %s%s",
               check->role_word, hint_options());
}

static void explain_version(const struct check *check, int version, struct error *error)
{
    int wanted = migrate_binary_version();

    if (version > wanted) {
        error_set(error, "version %d is newer than this program can work with (it knows %d)",
                  version, wanted);
        error_hint(error, "upgrade postrider");
        return;
    }
    if (version == 0)
        error_set(error, "the tables of Postrider are not in schema \"%s\"", check->facts.schema);
    else
        error_set(error, "version %d is older than this program needs (%d)", version, wanted);
    error_hint(error, "as the owner of the schema run: postrider migrate%s", hint_options());
}

/* False when there is no use in looking at the tables. */
static bool check_schema(struct check *check)
{
    struct error error = {0};
    struct schema_version schema;
    bool is_read;

    if (check->facts.schema == NULL) {
        explain_schema(check, &error);
        report_failed(check, "schema", &error);
        return false;
    }
    is_read = schema_version_read(check->session, &schema, &error);
    if (is_read && schema_fit(&schema, migrate_binary_version()) == SCHEMA_FITS) {
        report_ok("schema", "version %d in \"%s\"%s", schema.version, check->facts.schema,
                  schema.version > migrate_binary_version() ? ", newer than this program" : "");
        return true;
    }
    if (is_read)
        explain_version(check, schema.version, &error);
    else
        error_hint(&error, "let the owner of the tables run: postrider migrate --grant %s%s",
                   check->role_word, hint_options());
    report_failed(check, "schema", &error);
    return false;
}

/* Of the schema itself and of the table that tells its version: they are told as the schema's. */
static bool is_of_schema(const struct requirement *requirement)
{
    return strcmp(requirement->kind, "schema") == 0 ||
           (strcmp(requirement->object, "postrider_migrations") == 0 &&
            strcmp(requirement->kind, "table") != 0);
}

static void report_requirement(struct check *check, const struct requirement *requirement)
{
    bool is_policy = strcmp(requirement->kind, "row_security") == 0;
    bool is_setting = strcmp(requirement->kind, "setting") == 0;
    const char *what = is_policy ? "policies" : is_setting ? "settings" : "privileges";
    struct error error = {0};

    if (requirement->problem == NULL && is_policy)
        report_ok(what, "%s: row security hides nothing from the role", requirement->object);
    else if (requirement->problem == NULL)
        report_ok(what, "%s: %s", requirement->object, requirement->needed);
    if (requirement->problem == NULL)
        return;
    error_set(&error, "%s", requirement->problem);
    error_hint(&error, "%s", requirement->action);
    report_failed(check, what, &error);
}

static void report_requirements(struct check *check)
{
    for (int i = 0; i < PQntuples(check->requirements); i++) {
        struct requirement requirement = requirement_at(check->requirements, i);

        report_requirement(check, &requirement);
    }
}

/* Without the right to read it, the version can't be told. */
static bool may_read_version(const struct check *check)
{
    for (int i = 0; i < PQntuples(check->requirements); i++) {
        struct requirement requirement = requirement_at(check->requirements, i);

        if (requirement.problem != NULL && is_of_schema(&requirement))
            return false;
    }
    return true;
}

static void report_unreadable(struct check *check, const struct secrets_found *found)
{
    const char *line = buffer_string(&found->names);
    int64_t count = found->counts[SEALED_UNREADABLE];
    struct error error = {0};

    error_set(
        &error, "%lld valid secret%s of webhook_secrets can't be read: their deliveries %s",
        (long long)count, text_plural(count, "", "s"),
        "are held where a key is missing; what is no secret at all does not sign, and without "
        "another one they fail");
    report_failed(check, "secrets", &error);
    for (; *line != '\0'; line += strcspn(line, "\n") + 1)
        printf("        %-10s  %.*s\n", "", (int)strcspn(line, "\n"), line);
    if (count > (int64_t)found->named)
        printf("        %-10s  and %lld other%s\n", "", (long long)count - (int64_t)found->named,
               text_plural(count - (int64_t)found->named, "", "s"));
}

/* Sealed ones and plain ones; plain ones are to be sealed where there is a key. */
static void report_secrets(struct check *check, const struct secrets_found *found)
{
    const int64_t *counts = found->counts;
    bool has_key = check->config->signing.keys.count > 0;

    if (counts[SEALED_UNREADABLE] > 0)
        report_unreadable(check, found);
    else if (has_key)
        report_ok("secrets", "%lld sealed with \"%s\", %lld with other keys, %lld plain",
                  (long long)counts[SEALED_CURRENT], check->config->signing.keys.keys[0].name,
                  (long long)counts[SEALED_OLD], (long long)counts[SEALED_PLAIN]);
    else
        report_ok("secrets", "%lld, plain text", (long long)counts[SEALED_PLAIN]);
    if (has_key && counts[SEALED_PLAIN] + counts[SEALED_OLD] > 0)
        printf(
            "warning %-10s  %lld plain, %lld sealed with other keys: \"postrider secret rekey%s\" "
            "seals them\n",
            "secrets", (long long)counts[SEALED_PLAIN], (long long)counts[SEALED_OLD],
            hint_options());
}

static void check_secrets(struct check *check)
{
    struct secrets_found found;
    struct error error = {0};

    const char *state;

    if (check_secrets_find(check->session, &check->config->signing.keys, &found, &error))
        report_secrets(check, &found);
    else {
        state = db_session_sqlstate(check->session);
        /* Of a privilege or table that is missing, report_requirements() has told already. */
        if (strcmp(state, "42501") != 0 && strcmp(state, "42P01") != 0)
            report_failed(check, "secrets", &error);
    }
    buffer_free(&found.names);
}

/* Without a secret alerts wait, and nobody hears of that but who asks. */
static void check_alerts(struct check *check)
{
    const struct config *config = check->config;
    struct error error = {0};
    bool have_secret = config->signing.secrets.count > 0;

    if (config->alerts.url[0] == '\0' || config->alerts.enabled == ALERTS_NEVER)
        return;
    if (!have_secret && !alerts_have_secret(check->session, config->alerts.customer,
                                            config->alerts.url, &have_secret, &error)) {
        report_failed(check, "alerts", &error);
    } else if (!have_secret) {
        error_set(&error, "alerts.customer has no secret to sign them, so that none goes out");
        error_hint(&error, "postrider secret new --customer %s%s", config->alerts.customer,
                   hint_options());
        report_failed(check, "alerts", &error);
    } else {
        report_ok("alerts", "there is a secret to sign them");
    }
}

/* What may be the reason when outcomes do not stay: no fault as long as they do. */
static void check_bystanders(struct check *check)
{
    struct error error = {0};
    PGresult *result = bystanders_list(check->session, &error);

    if (result == NULL) {
        report_failed(check, "triggers", &error);
        return;
    }
    for (int i = 0; i < PQntuples(result); i++)
        printf("note    %-10s  %s, in the same statements as the worker's writes\n", "triggers",
               PQgetvalue(result, i, 0));
    PQclear(result);
}

/* False when nothing of it can be said. */
static bool ask_requirements(struct check *check)
{
    struct error error = {0};

    check->requirements = requirements_list(check->session, &error);
    if (check->requirements == NULL)
        report_failed(check, "privileges", &error);
    return check->requirements != NULL;
}

static void check_all(struct check *check)
{
    struct error error = {0};

    if (!db_session_begin_reading(check->session, &error)) {
        report_failed(check, "connection", &error);
        return;
    }
    if (!check_server(check) || !ask_requirements(check))
        return;
    if (may_read_version(check) && !check_schema(check))
        return;
    report_requirements(check);
    check_bystanders(check);
    db_session_rollback(check->session);
    check_secrets(check);
    check_alerts(check);
}

static int check_database(const struct config *config)
{
    struct check check = {.config = config};

    if (!connect_database(&check))
        return COMMAND_FAILED;
    check_all(&check);
    db_session_rollback(check.session);
    db_session_close(check.session);
    PQclear(check.requirements);
    server_facts_free(&check.facts);
    free(check.role_word);
    return check.has_failed ? COMMAND_FAILED : COMMAND_OK;
}

static int run_check(const struct command *self, int argc, char **argv)
{
    bool with_database = false;
    const struct argument options[] = {{.name = "database", .flag = &with_database}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct config *config;

    if (status != ARGUMENTS_OK)
        return status;
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    report_file(config);
    status = with_database ? check_database(config) : COMMAND_OK;
    config_free(config);
    return status;
}

const struct command command_check = {
    .name = "check",
    .summary = "find what is wrong with the configuration and the database",
    .help = help_text,
    .run = run_check,
};
