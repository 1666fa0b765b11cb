/* SPDX-License-Identifier: MIT */
/* "deliveries list": the list of the JSON API (GET /v1/deliveries), by the same texts. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/hint.h"
#include "base/memory.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/moment_option.h"
#include "command/report.h"
#include "db/asking.h"
#include "explain/delivery_time.h"
#include "serve/deliveries_api.h"

#define OPTIONS_MAX 8192

static const char help_text[] = "usage: postrider deliveries list [OPTION]...\n"
                                "\n"
                                "Lists deliveries, by the same filters as the JSON API.\n"
                                "\n"
                                "  postrider deliveries list --status pending\n"
                                "  postrider deliveries list --since 2h --error timeout\n"
                                "\n"
                                "\"postrider deliveries list --help\" shows the options.\n";

static const char list_help[] =
    "usage: postrider deliveries list [OPTION]...\n"
    "\n"
    "Lists deliveries: pending ones by when they are due, all others the newest first. Delivered\n"
    "ones, and those of any status, are found by their time alone, so they need --since.\n"
    "\n"
    "      --status STATUS     pending, delivered or failed\n"
    "      --customer UUID     of this customer\n"
    "      --endpoint URL|ID   to this URL, or to the endpoint of this id\n"
    "      --event-type TYPE   of this type; 'order.*' for all that begin with \"order.\"\n"
    "      --error TEXT        whose last error has this text in it\n"
    "      --status-code N     answered with this HTTP status\n"
    "      --since TIME        made in the last 2h, or since \"2031-05-17 12:00\"\n"
    "      --until TIME        made before this time\n"
    "      --q TEXT            with this text in the payload; looks at some rows at a time\n"
    "      --cursor CURSOR     what comes behind a page, as that page has said\n"
    "  -n, --limit N           at most so many (50), up to 200\n"
    "      --json              for programs: the answer of GET /v1/deliveries\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* In the order of the texts' values. */
enum option { CUSTOMER, ENDPOINT, TYPE, ERROR, CODE, SINCE, UNTIL, TEXT, CURSOR, LIMIT, STATUS };

#define OPTIONS_COUNT (STATUS + 1)

static const char *const names[OPTIONS_COUNT] = {
    [CUSTOMER] = "customer", [ENDPOINT] = "endpoint", [TYPE] = "event-type", [ERROR] = "error",
    [CODE] = "status-code",  [SINCE] = "since",       [UNTIL] = "until",     [TEXT] = "q",
    [CURSOR] = "cursor",     [LIMIT] = "limit",       [STATUS] = "status",
};

struct list_options {
    const char *given[OPTIONS_COUNT]; /* NULL: it is not */
    char since[MOMENT_SIZE], until[MOMENT_SIZE];
    bool json;
};

enum list_column {
    LIST_ID,
    LIST_STATUS,
    LIST_CREATED,
    LIST_NEXT,
    LIST_ATTEMPTS,
    LIST_CODE,
    LIST_TYPE,
    LIST_CUSTOMER,
    LIST_ERROR,
    LIST_URL,
};

static const struct report_column columns[] = {
    [LIST_ID] = {.title = "ID"},
    [LIST_STATUS] = {.title = "STATUS"},
    [LIST_CREATED] = {.title = "CREATED"},
    [LIST_NEXT] = {.title = "DUE", .is_optional = true},
    [LIST_ATTEMPTS] = {.title = "ATTEMPTS", .is_number = true},
    [LIST_CODE] = {.title = "CODE", .is_number = true},
    [LIST_TYPE] = {.title = "TYPE", .cut = REPORT_CUT_END},
    [LIST_CUSTOMER] = {.title = "CUSTOMER", .is_optional = true},
    [LIST_ERROR] = {.title = "ERROR", .cut = REPORT_CUT_END},
    [LIST_URL] = {.title = "URL", .cut = REPORT_CUT_URL},
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void set_time(struct report *report, size_t column, const char *utc)
{
    char text[DELIVERY_TIME_SIZE];

    if (utc != NULL)
        report_set_text(report, column, delivery_time(utc, text));
}

static void add_row(struct report *report, const json_t *delivery)
{
    const json_t *code = json_object_get(delivery, "status_code");

    report_add_row(report);
    report_set_text(report, LIST_ID, text_of(delivery, "id"));
    report_set_text(report, LIST_STATUS, text_of(delivery, "status"));
    set_time(report, LIST_CREATED, text_of(delivery, "created_at"));
    set_time(report, LIST_NEXT, text_of(delivery, "next_attempt_at"));
    report_set_number(report, LIST_ATTEMPTS,
                      json_integer_value(json_object_get(delivery, "attempts")));
    if (json_is_integer(code))
        report_set_number(report, LIST_CODE, json_integer_value(code));
    report_set_text(report, LIST_TYPE, text_of(delivery, "event_type"));
    report_set_text(report, LIST_CUSTOMER, text_of(delivery, "customer_id"));
    report_set_text(report, LIST_ERROR, text_of(delivery, "error"));
    report_set_text(report, LIST_URL, text_of(delivery, "url"));
}

static void print_table(const json_t *answer)
{
    const json_t *data = json_object_get(answer, "data");
    struct report *report;

    if (json_array_size(data) == 0) {
        puts(text_of(answer, "searched_until") != NULL ? "No delivery matches so far."
                                                       : "No delivery matches.");
        return;
    }
    report = report_new(columns, ARRAY_LENGTH(columns));
    for (size_t i = 0; i < json_array_size(data); i++)
        add_row(report, json_array_get(data, i));
    report_print_table(report, stdout);
    report_free(report);
}

/* The command that goes on where this one has ended. */
static void print_more(const struct list_options *o, const json_t *answer)
{
    const char *cursor = text_of(answer, "next_cursor");
    struct buffer options;

    if (cursor == NULL)
        return;
    buffer_init(&options, OPTIONS_MAX);
    for (int i = 0; i < OPTIONS_COUNT; i++) {
        char *word = o->given[i] != NULL && i != CURSOR ? hint_quoted(o->given[i]) : NULL;

        if (word != NULL)
            buffer_append_format(&options, " --%s %s", names[i], word);
        free(word);
    }
    fflush(stdout);
    fprintf(stderr, "There %s more: postrider deliveries list%s --cursor %s%s\n",
            text_of(answer, "searched_until") != NULL ? "may be" : "are", buffer_string(&options),
            cursor, hint_options());
    buffer_free(&options);
}

static void print(const struct list_options *o, json_t *answer)
{
    const char *until = text_of(answer, "searched_until");
    char text[DELIVERY_TIME_SIZE];

    if (o->json)
        report_print_json(json_incref(answer), stdout);
    else
        print_table(answer);
    fflush(stdout);
    if (until != NULL)
        fprintf(stderr, "Searched until %s.\n", delivery_time(until, text));
    print_more(o, answer);
}

static int ask(const struct database *database, const struct list_options *o,
               const struct parameter_values *values)
{
    const char *text = deliveries_api_text(o->given[STATUS], false);
    bool has_range = strcmp(text, DELIVERIES_API_RANGE) == 0;
    struct asking asking = {.text = text,
                            .has_range = has_range,
                            .count = has_range ? values->count : DELIVERIES_API_VALUES,
                            .values = (const char *const *)values->values};
    struct error error = {0};
    char *json = asking_read(database->session, &asking, &error);
    json_t *answer;

    if (json == NULL)
        return database_fail(database, &error);
    answer = json_loads(json, 0, NULL);
    free(json);
    if (answer == NULL)
        bug("deliveries that are no JSON");
    print(o, answer);
    json_decref(answer);
    return COMMAND_OK;
}

/* The API's parameters have the options' names, with underscores. */
static int read_values(const struct command *self, const struct list_options *o,
                       struct parameter_values *values)
{
    struct query_string *query = memory_new(1, sizeof(*query));
    struct error error = {0};
    bool ok;

    for (int i = 0; i < OPTIONS_COUNT; i++)
        if (o->given[i] != NULL)
            query->parameters[query->count++] =
                (struct query_parameter){deliveries_api_parameters[i].name, o->given[i]};
    ok = parameters_read(deliveries_api_parameters, query, values, &error);
    free(query);
    if (ok)
        return COMMAND_OK;
    for (char *c = error.message; *c != '\0' && *c != ' '; c++)
        if (*c == '_')
            *c = '-';
    return command_usage_error(self, "--%s", error.message);
}

static int list(const struct command *self, const struct database *database, struct list_options *o)
{
    struct parameter_values values = {.count = 0};
    int status = moment_option(self, database, "since", &o->given[SINCE], o->since);

    if (status == COMMAND_OK)
        status = moment_option(self, database, "until", &o->given[UNTIL], o->until);
    if (status == COMMAND_OK)
        status = read_values(self, o, &values);
    if (status == COMMAND_OK)
        status = ask(database, o, &values);
    parameter_values_free(&values);
    return status;
}

/* What needs no database to be seen; the times are the database's to read. */
static int check(const struct command *self, const struct list_options *o)
{
    struct parameter_values values = {.count = 0};
    struct list_options timeless = *o;
    int status;

    timeless.given[SINCE] = timeless.given[UNTIL] = NULL;
    status = read_values(self, &timeless, &values);
    parameter_values_free(&values);
    if (status == COMMAND_OK && o->given[SINCE] == NULL &&
        strcmp(deliveries_api_text(o->given[STATUS], false), DELIVERIES_API_RANGE) == 0)
        return command_usage_error(self,
                                   "these are found by their time alone: say --since, and --until "
                                   "where there are many; --status failed and --status pending "
                                   "need neither");
    return status;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct list_options o = {.json = false};
    struct argument options[OPTIONS_COUNT + 2] = {{0}};
    struct arguments arguments = {.options = options};
    struct database database;
    int status;

    for (int i = 0; i < OPTIONS_COUNT; i++)
        options[i] = (struct argument){
            .name = names[i], .letter = i == LIMIT ? 'n' : 0, .text = &o.given[i]};
    options[OPTIONS_COUNT] = (struct argument){.name = "json", .flag = &o.json};
    status = arguments_parse(self, argc, argv, &arguments);
    if (status != ARGUMENTS_OK)
        return status;
    status = check(self, &o);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = list(self, &database, &o);
    database_close(&database);
    return status;
}

static const struct command command_deliveries_list = {
    .name = "deliveries list",
    .summary = "list deliveries, by what the API can filter by",
    .help = list_help,
    .run = run_list,
};

static const struct command *const nested[] = {&command_deliveries_list, NULL};

const struct command command_deliveries = {
    .name = "deliveries",
    .summary = "list deliveries, by state, endpoint, type, time, error or text",
    .help = help_text,
    .nested = nested,
};
