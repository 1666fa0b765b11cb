/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/memory.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/report.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     10000

static const char help_text[] =
    "usage: postrider endpoint list [OPTION]...\n"
    "\n"
    "Lists the rows of webhook_endpoints in the order of their ids. An endpoint without a row\n"
    "has the configuration's settings and subscribes to nothing.\n"
    "\n"
    "      --customer UUID     of this customer\n"
    "      --after ID          only what comes behind this id\n"
    "  -n, --limit N           at most so many (50)\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum list_column {
    LIST_ID,
    LIST_CUSTOMER,
    LIST_STATE,
    LIST_TYPES,
    LIST_FILTER,
    LIST_URL,
};

static const struct report_column columns[] = {
    [LIST_ID] = {.title = "ID"},
    [LIST_CUSTOMER] = {.title = "CUSTOMER", .is_optional = true},
    [LIST_STATE] = {.title = "STATE"},
    [LIST_TYPES] = {.title = "EVENT TYPES", .cut = REPORT_CUT_END},
    [LIST_FILTER] = {.title = "FILTER", .cut = REPORT_CUT_END, .is_optional = true},
    [LIST_URL] = {.title = "URL", .cut = REPORT_CUT_URL},
};

static void add_row(struct report *report, const struct subscription *endpoint)
{
    char *types = endpoint_types(endpoint);

    report_add_row(report);
    report_set(report, LIST_ID, endpoint->id, NULL);
    report_set(report, LIST_CUSTOMER, endpoint->all_customers ? "all" : endpoint->customer_id,
               NULL);
    report_set(report, LIST_STATE, endpoint_state(endpoint), NULL);
    report_set(report, LIST_TYPES, types, NULL);
    if (endpoint->filter != NULL)
        report_set(report, LIST_FILTER, endpoint->filter, NULL);
    report_set(report, LIST_URL, endpoint->url, NULL);
    free(types);
}

static void print_table(const struct subscription_list *list, size_t count)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < count; i++)
        add_row(report, &list->rows[i]);
    report_print_table(report, stdout);
    report_free(report);
}

static void print_json(const struct subscription_list *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, endpoint_json(&list->rows[i]));
    report_print_json(array, stdout);
}

static int list(const struct database *database, const char *customer, const char *after,
                int64_t limit, bool json)
{
    struct subscription_list found;
    struct error error = {0};
    size_t count;

    if (!subscriptions_list(database->session, customer, after, limit + 1, &found, &error))
        return database_fail(database, &error);
    count = found.count > (size_t)limit ? (size_t)limit : found.count;
    if (json)
        print_json(&found, count);
    else if (count == 0)
        puts("No endpoint has a row.");
    else
        print_table(&found, count);
    if (count < found.count) {
        fflush(stdout);
        fprintf(stderr, "There are more: postrider endpoint list --limit %lld --after %s%s%s%s\n",
                (long long)limit, found.rows[count - 1].id, customer != NULL ? " --customer " : "",
                customer != NULL ? customer : "", hint_options());
    }
    subscription_list_free(&found);
    return COMMAND_OK;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct database database;
    const char *customer = NULL;
    const char *after = NULL;
    int64_t limit = LIMIT_DEFAULT;
    bool json = false;
    const struct argument options[] = {
        {.name = "customer", .uuid = &customer},
        {.name = "after", .uuid = &after},
        {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &json},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status == ARGUMENTS_OK)
        status = database_open(arguments.config_file, &database);
    else
        return status;
    if (status != COMMAND_OK)
        return status;
    status = list(&database, customer, after, limit, json);
    database_close(&database);
    return status;
}

const struct command command_endpoint_list = {
    .name = "endpoint list",
    .summary = "list endpoints",
    .help = help_text,
    .run = run_list,
};
