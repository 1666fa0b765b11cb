/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/units.h"
#include "command/dead_report.h"
#include "command/report.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     100000

static const char help_text[] =
    "usage: postrider dead list [OPTION]... [ID]...\n"
    "\n"
    "Lists deliveries that have failed, the last to fail first.\n"
    "An ID that is no dead letter, or doesn't match the other choices, is named, and the exit\n"
    "status is 1. That nothing matches a choice without IDs is no failure.\n"
    "\n" DEAD_FILTER_HELP "\n"
    "  -n, --limit N           at most so many (50)\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum list_column {
    LIST_ID,
    LIST_FAILED,
    LIST_AGO,
    LIST_CREATED,
    LIST_ATTEMPTS,
    LIST_RESPONSE,
    LIST_EVENT_TYPE,
    LIST_EVENT,
    LIST_ENDPOINT_ID,
    LIST_CUSTOMER,
    LIST_URL,
    LIST_ERASED,
    LIST_ERROR
};

static const struct report_column columns[] = {
    [LIST_ID] = {.key = "id", .title = "ID"},
    [LIST_FAILED] = {.key = "failed_at"},
    [LIST_AGO] = {.title = "FAILED", .is_number = true},
    [LIST_CREATED] = {.key = "created_at"},
    [LIST_ATTEMPTS] = {.key = "attempts", .title = "TRIES", .is_number = true, .is_optional = true},
    [LIST_RESPONSE] = {.key = "response_status"},
    [LIST_EVENT_TYPE] = {.key = "event_type", .title = "EVENT TYPE", .is_optional = true},
    [LIST_EVENT] = {.key = "event_id"},
    [LIST_ENDPOINT_ID] = {.key = "endpoint_id"},
    [LIST_CUSTOMER] = {.key = "customer_id"},
    [LIST_URL] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
    [LIST_ERASED] = {.key = "erased_at"},
    [LIST_ERROR] = {.key = "last_error", .title = "LAST ERROR", .cut = REPORT_CUT_END},
};

static void add_letter(struct report *report, const struct dead_letter *letter)
{
    char ago[UNITS_TEXT_SIZE];

    report_add_row(report);
    report_set_text(report, LIST_ID, letter->id);
    report_set_text(report, LIST_FAILED, letter->failed_at);
    report_set(report, LIST_AGO, units_format_about_ms(letter->failed_ms_ago, ago), NULL);
    report_set_text(report, LIST_CREATED, letter->created_at);
    report_set_number(report, LIST_ATTEMPTS, letter->attempts);
    if (letter->response_status != 0)
        report_set_number(report, LIST_RESPONSE, letter->response_status);
    report_set_text(report, LIST_EVENT_TYPE, letter->event_type);
    report_set_text(report, LIST_EVENT, letter->event_id);
    report_set_text(report, LIST_ENDPOINT_ID, letter->endpoint_id);
    report_set_text(report, LIST_CUSTOMER, letter->customer_id);
    report_set_text(report, LIST_URL, letter->url);
    report_set_text(report, LIST_ERASED, letter->erased_at);
    if (letter->last_error == NULL && letter->erased_at != NULL)
        report_set(report, LIST_ERROR, "(erased)", NULL);
    else
        report_set_text(report, LIST_ERROR, letter->last_error);
}

/* How to count all of them: the same choice, or all. */
static void print_more(const struct dead_selection *selection)
{
    char *options = dead_selection_options(selection);

    fprintf(
        stderr,
        "There are more: -n 1000 shows the last thousand, \"postrider dead replay --dry-run%s%s\" "
        "counts them.\n",
        options, hint_options());
    free(options);
}

static void print_list(const struct dead_letter_list *list, bool is_more, bool is_filtered,
                       bool json)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < list->count - is_more; i++)
        add_letter(report, &list->rows[i]);
    if (json)
        report_print_json(report_json(report), stdout);
    else if (list->count == 0)
        puts(is_filtered ? "No dead letter matches." : "No dead letters.");
    else
        report_print_table(report, stdout);
    report_free(report);
    fflush(stdout);
}

static int list(const struct command *self, struct database *database,
                struct dead_selection *selection, int64_t limit, bool json)
{
    struct dead_letters_left_out left_out;
    struct dead_letter_list letters;
    struct error error = {0};
    bool is_more;
    int status = dead_selection_resolve(self, database, selection);

    if (status != COMMAND_OK)
        return status;
    if (!dead_letters_find_left_out(database->session, &selection->filter, &left_out, &error))
        return database_fail(database, &error);
    status = dead_report_left_out(&left_out);
    dead_letters_left_out_free(&left_out);
    if (!dead_letters_list(database->session, &selection->filter, limit + 1, &letters, &error))
        return database_fail(database, &error);
    is_more = letters.count > (size_t)limit;
    print_list(&letters, is_more, !dead_selection_is_empty(selection), json);
    if (is_more)
        print_more(selection);
    dead_letters_list_free(&letters);
    return status;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct dead_selection selection = {0};
    struct database database;
    bool json = false;
    int64_t limit = LIMIT_DEFAULT;
    const struct argument options[] = {
        DEAD_FILTER_OPTIONS(selection),
        {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &json},
        {0}};
    struct arguments arguments = {.options = options, .values_max = DEAD_IDS_MAX};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = dead_selection_set_ids(self, &arguments, &selection);
    if (status != COMMAND_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status == COMMAND_OK) {
        status = list(self, &database, &selection, limit, json);
        database_close(&database);
    }
    dead_selection_free(&selection);
    return status;
}

const struct command command_dead_list = {
    .name = "dead list",
    .summary = "list failed deliveries",
    .help = help_text,
    .run = run_list,
};
