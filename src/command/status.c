/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/status_report.h"
#include "db/migrate.h"
#include "db/schema_version.h"

static const char help_text[] =
    "usage: postrider status [OPTION]...\n"
    "\n"
    "Shows workers, queue, dead letters, the busiest endpoints and those that fail the most, what\n"
    "is wrong and what to do.\n"
    "Cheap on tables of any size: counting ends at a limit (\"10,000+\"), and what the database\n"
    "can't answer in 3 s is \"?\". What is due includes what is in flight. Deliveries of the last\n"
    "minute and hour are counted by the time of their creation, failed attempts from the attempt\n"
    "log (attempt_log). What workers say of themselves is as old as SEEN: they renew it with\n"
    "their lease.\n"
    "\n"
    "      --check             only says what is wrong; exit status 0 when nothing is, 1 when\n"
    "                          something is or could not be looked at\n"
    "      --json              for programs; the counts in \"at_least\" ended at their limit\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* A schema that the role may not use looks as if it were not there. */
static void explain_absence(void *context, const struct requirement *unmet)
{
    struct error *error = context;

    if (error->message[0] == '\0' && strcmp(unmet->kind, "schema") == 0) {
        error_set(error, "%s", unmet->problem);
        error_hint(error, "%s", unmet->action);
    }
}

static bool read_versions(const struct database *database, struct status *status,
                          struct error *error)
{
    struct db_session *session = database->session;
    struct schema_version schema;
    bool ok;

    if (!db_session_begin_reading(session, error))
        return false;
    ok = schema_version_read(session, &schema, error);
    db_session_rollback(session);
    if (!ok)
        return false;
    status->binary_version = migrate_binary_version();
    status->database_version = schema.version;
    if (status->database_version == 0)
        database_each_unmet(database, explain_absence, error);
    if (status->database_version == 0 && error->message[0] == '\0') {
        error_set(error, "the database has no Postrider schema");
        error_hint(error, "run \"postrider migrate%s\"; is database.schema right?", hint_options());
    }
    return status->database_version > 0;
}

static void note_unmet(void *context, const struct requirement *unmet)
{
    status_problems_add_unmet(context, unmet);
}

static const char *host_of(struct db_session *session)
{
    const char *host = PQhost(db_session_connection(session));

    return host != NULL && host[0] != '\0' ? host : "this machine";
}

/* How it is shown. */
struct show {
    bool is_check;
    bool json;
};

static void print(const struct status *status, const struct show *show)
{
    if (show->json)
        status_report_print_json(status, stdout);
    else if (show->is_check)
        status_report_print_problems(status, stdout);
    else
        status_report_print(status, stdout);
}

static int show_status(const struct database *database, const struct show *show)
{
    struct status status = {.host = host_of(database->session)};
    struct error error = {0};
    int exit_status = COMMAND_OK;

    if (!read_versions(database, &status, &error))
        return database_fail(database, &error);
    if (status.database_version >= status.binary_version)
        database_each_unmet(database, note_unmet, &status.problems);
    if (overview_read(database->session, &status.overview, &error)) {
        status_problems_find(&status.overview, status.database_version, status.binary_version,
                             &status.problems);
        print(&status, show);
        if (show->is_check && status.problems.count > 0)
            exit_status = COMMAND_FAILED;
    } else
        exit_status = database_fail(database, &error);
    overview_free(&status.overview);
    return exit_status;
}

static int run_status(const struct command *self, int argc, char **argv)
{
    struct database database;
    struct show show = {false, false};
    const struct argument options[] = {
        {.name = "check", .flag = &show.is_check}, {.name = "json", .flag = &show.json}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = show_status(&database, &show);
    database_close(&database);
    return status;
}

const struct command command_status = {
    .name = "status",
    .summary = "show workers, queue, dead letters, and what is wrong",
    .help = help_text,
    .run = run_status,
};
