/* SPDX-License-Identifier: MIT */
/* "token list" and "token revoke". */
#include <stdio.h>

#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/report.h"
#include "command/token.h"
#include "core/token.h"
#include "db/tokens.h"

static const char list_help[] =
    "usage: postrider token list [OPTION]...\n"
    "\n"
    "Lists the valid tokens by their names, never the tokens themselves.\n"
    "\n"
    "      --all               the revoked and expired ones too\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static const char revoke_help[] =
    "usage: postrider token revoke [OPTION]... NAME\n"
    "\n"
    "Ends a token, and what a rotation has left of the one before: \"postrider serve\" takes it "
    "no\n"
    "more after two seconds. Its name stays taken; \"postrider token rotate\" makes a new one.\n"
    "\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum list_column {
    LIST_NAME,
    LIST_SCOPES,
    LIST_CUSTOMER,
    LIST_CREATED,
    LIST_AGE,
    LIST_NOT_AFTER,
    LIST_ENDS,
    LIST_IS_VALID,
    LIST_LAST_USED,
    LIST_PREVIOUS_UNTIL,
    LIST_PUBLISH_RATE,
    LIST_ID,
};

static const struct report_column columns[] = {
    [LIST_NAME] = {.key = "name", .title = "NAME"},
    [LIST_SCOPES] = {.key = "scopes", .title = "SCOPES"},
    [LIST_CUSTOMER] = {.key = "customer_id", .title = "CUSTOMER"},
    [LIST_CREATED] = {.key = "created_at"},
    [LIST_AGE] = {.title = "AGE", .is_number = true},
    [LIST_NOT_AFTER] = {.key = "not_after"},
    [LIST_ENDS] = {.title = "ENDS"},
    [LIST_IS_VALID] = {.key = "is_valid"},
    [LIST_LAST_USED] = {.key = "last_used_on", .title = "LAST USED"},
    [LIST_PREVIOUS_UNTIL] = {.key = "previous_until"},
    [LIST_PUBLISH_RATE] = {.key = "publish_rate"},
    [LIST_ID] = {.key = "id"},
};

static void set_end(struct report *report, const struct token_row *row)
{
    bool is_valid = row->valid_ms > 0;

    report_set_text(report, LIST_NOT_AFTER, row->not_after);
    report_set_ending(report, LIST_ENDS, row->not_after, row->valid_ms);
    report_set(report, LIST_IS_VALID, "", json_boolean(is_valid));
}

static void add_token(struct report *report, const struct token_row *row)
{
    char age[UNITS_TEXT_SIZE];

    report_add_row(report);
    report_set_text(report, LIST_ID, row->id);
    report_set_text(report, LIST_NAME, row->name);
    report_set_text(report, LIST_SCOPES, row->scopes);
    report_set(report, LIST_CUSTOMER, row->customer_id != NULL ? row->customer_id : "every",
               row->customer_id != NULL ? json_string(row->customer_id) : json_null());
    report_set_text(report, LIST_CREATED, row->created_at);
    report_set(report, LIST_AGE, units_format_about_ms(row->created_ms_ago, age), NULL);
    set_end(report, row);
    report_set(report, LIST_LAST_USED, row->last_used_on != NULL ? row->last_used_on : "never",
               row->last_used_on != NULL ? json_string(row->last_used_on) : json_null());
    report_set_text(report, LIST_PREVIOUS_UNTIL, row->previous_until);
    report_set(report, LIST_PUBLISH_RATE, "",
               row->publish_rate > 0 ? json_real(row->publish_rate) : json_null());
}

static int list_tokens(const struct database *database, bool is_all, bool json)
{
    struct error error = {0};
    PGresult *result = tokens_list(database->session, is_all, &error);
    struct report *report;

    if (result == NULL)
        return database_fail(database, &error);
    report = report_new(columns, ARRAY_LENGTH(columns));
    for (int i = 0; i < PQntuples(result); i++) {
        struct token_row row = token_at(result, i);

        add_token(report, &row);
    }
    if (json)
        report_print_json(report_json(report), stdout);
    else if (report_row_count(report) == 0)
        puts("No tokens.");
    else
        report_print_table(report, stdout);
    report_free(report);
    PQclear(result);
    return COMMAND_OK;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    bool is_all = false;
    bool json = false;
    const struct argument options[] = {
        {.name = "all", .flag = &is_all}, {.name = "json", .flag = &json}, {0}};
    struct arguments arguments = {.options = options};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = list_tokens(&database, is_all, json);
    database_close(&database);
    return status;
}

static int run_revoke(const struct command *self, int argc, char **argv)
{
    struct arguments arguments = {.values_name = "the NAME", .values_min = 1, .values_max = 1};
    struct database database;
    struct error error = {0};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (!token_name_is_good(arguments.values[0]))
        return command_usage_error(self, "\"%s\" is not the name of a token", arguments.values[0]);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    if (tokens_revoke(database.session, arguments.values[0], &error))
        puts("revoked; it is not taken any more after two seconds");
    else
        status = database_fail(&database, &error);
    database_close(&database);
    return status;
}

const struct command command_token_list = {
    .name = "token list",
    .summary = "list tokens",
    .help = list_help,
    .run = run_list,
};

const struct command command_token_revoke = {
    .name = "token revoke",
    .summary = "end a token now",
    .help = revoke_help,
    .run = run_revoke,
};
