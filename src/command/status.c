/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/status_reading.h"
#include "command/status_report.h"
#include "command/status_watch.h"

#define PAUSE_DEFAULT_MS 2000
#define PAUSE_MIN_MS     100
#define PAUSE_MAX_MS     86400000

static const char help_text[] =
    "usage: postrider status [OPTION]... [--watch [SECONDS]]\n"
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
    "      --watch [SECONDS]   again and again, with so much time between two (2), until it is\n"
    "                          ended; with --json each is one line. Waits for a database that is\n"
    "                          away\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static void print(const struct status *status, const struct status_show *show)
{
    if (show->json)
        status_report_print_json(status, show->is_watching, stdout);
    else if (show->is_check)
        status_report_print_problems(status, stdout);
    else
        status_report_print(status, stdout);
}

bool status_show(const struct database *database, const struct status_show *show, int *ret_exit,
                 struct error *error)
{
    struct status status;
    bool ok = status_read(database, &status, error);

    if (ok) {
        print(&status, show);
        *ret_exit = show->is_check && status.problems.count > 0 ? COMMAND_FAILED : COMMAND_OK;
    }
    overview_free(&status.overview);
    return ok;
}

static int show_once(const struct database *database, const struct status_show *show)
{
    struct error error = {0};
    int status;

    return status_show(database, show, &status, &error) ? status : database_fail(database, &error);
}

/* "5" is of seconds, as with watch(1). */
static int read_pause(const struct command *self, const char *text, int64_t *ret_ms)
{
    struct error error;
    int64_t seconds;

    if (units_parse_integer(text, &seconds, &error) && seconds >= 1 &&
        seconds <= PAUSE_MAX_MS / 1000)
        *ret_ms = seconds * 1000;
    else if (!units_parse_duration_ms(text, ret_ms, &error) || *ret_ms < PAUSE_MIN_MS ||
             *ret_ms > PAUSE_MAX_MS)
        return command_usage_error(self, "--watch: \"%s\" is no pause from 100ms to 1d (5, 500ms)",
                                   text);
    return ARGUMENTS_OK;
}

static int run_status(const struct command *self, int argc, char **argv)
{
    struct database database;
    struct status_show show = {.pause_ms = PAUSE_DEFAULT_MS};
    const struct argument options[] = {{.name = "check", .flag = &show.is_check},
                                       {.name = "json", .flag = &show.json},
                                       {.name = "watch", .flag = &show.is_watching},
                                       {0}};
    struct arguments arguments = {.options = options, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status == ARGUMENTS_OK && arguments.count > 0 && !show.is_watching)
        status = command_usage_error(self, "unexpected argument \"%s\"", arguments.values[0]);
    else if (status == ARGUMENTS_OK && arguments.count > 0)
        status = read_pause(self, arguments.values[0], &show.pause_ms);
    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = show.is_watching ? status_watch(&database, &show) : show_once(&database, &show);
    database_close(&database);
    return status;
}

const struct command command_status = {
    .name = "status",
    .summary = "show workers, queue, dead letters, and what is wrong",
    .help = help_text,
    .run = run_status,
};
