/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/report.h"
#include "command/send_payload.h"
#include "core/event_type.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000

static const char help_text[] =
    "usage: postrider endpoint preview [OPTION]... --customer UUID --type TYPE\n"
    "\n"
    "Says who would get an event that is published now, and who not and why: by the same rule as\n"
    "when one is published. Nothing is published.\n"
    "\n"
    "      --customer UUID     whose event it would be\n"
    "      --type TYPE         as order.paid\n"
    "      --data JSON         its payload, for the filters; @FILE, - for standard input\n"
    "  -n, --limit N           at most so many endpoints (100)\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct preview_options {
    const char *customer;
    const char *type;
    const char *data;
    int64_t limit;
    bool json;
};

enum preview_column {
    PREVIEW_ID,
    PREVIEW_URL,
    PREVIEW_VERDICT,
};

static const struct report_column columns[] = {
    [PREVIEW_ID] = {.title = "ENDPOINT ID"},
    [PREVIEW_URL] = {.title = "ENDPOINT", .cut = REPORT_CUT_URL},
    [PREVIEW_VERDICT] = {.title = "GETS IT", .cut = REPORT_CUT_END},
};

/* The verdict in words; the caller frees it. */
static char *explain(const struct subscription *e)
{
    char *types = endpoint_types(e);
    char *text;

    if (strcmp(e->verdict, "gets") == 0)
        text = memory_format("yes%s", e->all_customers ? ", as those of all customers" : "");
    else if (strcmp(e->verdict, "paused") == 0)
        text = memory_format("yes, and waits: paused since %s", e->paused_at);
    else if (strcmp(e->verdict, "disabled") == 0)
        text = memory_format("fails at once: disabled since %s%s%s", e->disabled_at,
                             e->disabled_reason != NULL ? ", " : "",
                             e->disabled_reason != NULL ? e->disabled_reason : "");
    else if (strcmp(e->verdict, "maybe") == 0)
        text = memory_format("if the payload contains %s", e->filter);
    else if (strcmp(e->verdict, "filter") == 0)
        text = memory_format("no: the payload does not contain %s", e->filter);
    else if (strcmp(e->verdict, "type") == 0)
        text = memory_format("no: it subscribes to %s", types);
    else
        text = memory_copy_string("no: it subscribes to nothing");
    free(types);
    return text;
}

static void print_table(const struct subscription_list *list, size_t count)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < count; i++) {
        char *text = explain(&list->rows[i]);

        report_add_row(report);
        report_set(report, PREVIEW_ID, list->rows[i].id, NULL);
        report_set(report, PREVIEW_URL, list->rows[i].url, NULL);
        report_set(report, PREVIEW_VERDICT, text, NULL);
        free(text);
    }
    report_print_table(report, stdout);
    report_free(report);
}

static void print_text(const struct subscription_list *list, size_t count, int64_t deliveries,
                       const struct preview_options *o)
{
    printf("%s%lld deliver%s would be made.\n", o->data == NULL ? "At least " : "",
           (long long)deliveries, text_plural(deliveries, "y", "ies"));
    if (count == 0)
        puts("The customer has no endpoint in webhook_endpoints, and none is for all customers.");
    else
        print_table(list, count);
    if (list->count > count) {
        fflush(stdout);
        fprintf(stderr, "There are more endpoints; --limit shows more of them.\n");
    }
}

static void print_json(const struct subscription_list *list, size_t count, int64_t deliveries)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *object = endpoint_json(&list->rows[i]);

        json_object_set_new(object, "verdict", json_string(list->rows[i].verdict));
        json_array_append_new(array, object);
    }
    report_print_json(json_pack("{s:I, s:b, s:o}", "deliveries", (json_int_t)deliveries, "is_more",
                                (int)(list->count > count), "endpoints", array),
                      stdout);
}

static int preview(const struct database *database, const struct preview_options *o,
                   const char *payload)
{
    struct subscription_list found;
    struct error error = {0};
    int64_t deliveries;
    size_t count;

    if (!subscriptions_preview(database->session, o->customer, o->type, payload, o->limit + 1,
                               &found, &deliveries, &error))
        return database_fail(database, &error);
    count = found.count > (size_t)o->limit ? (size_t)o->limit : found.count;
    if (o->json)
        print_json(&found, count, deliveries);
    else
        print_text(&found, count, deliveries, o);
    subscription_list_free(&found);
    return COMMAND_OK;
}

static int read_and_preview(const struct command *self, const struct database *database,
                            const struct preview_options *o)
{
    size_t max_bytes = (size_t)database->config->delivery.max_payload_bytes;
    struct buffer payload = {0};
    struct error error;
    int status;

    if (o->data != NULL && !send_payload_read(o->data, max_bytes, &payload, &error))
        status = command_usage_error(self, "%s", error.message);
    else
        status = preview(database, o, o->data != NULL ? buffer_string(&payload) : NULL);
    buffer_free(&payload);
    return status;
}

static int check_options(const struct command *self, const struct preview_options *o)
{
    struct error error;

    if (o->customer == NULL)
        return command_usage_error(self, "--customer is missing");
    if (o->type == NULL)
        return command_usage_error(self, "--type is missing");
    if (!event_type_check(o->type, &error))
        return command_usage_error(self, "--type: %s", error.message);
    return COMMAND_OK;
}

static int run_preview(const struct command *self, int argc, char **argv)
{
    struct preview_options o = {.limit = LIMIT_DEFAULT};
    struct database database;
    const struct argument options[] = {
        {.name = "customer", .uuid = &o.customer},
        {.name = "type", .text = &o.type},
        {.name = "data", .text = &o.data},
        {.name = "limit", .letter = 'n', .integer = &o.limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &o.json},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_options(self, &o);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = read_and_preview(self, &database, &o);
    database_close(&database);
    return status;
}

const struct command command_endpoint_preview = {
    .name = "endpoint preview",
    .summary = "say who would get an event, and who not",
    .help = help_text,
    .run = run_preview,
};
