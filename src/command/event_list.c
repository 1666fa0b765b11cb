/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hint.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/event.h"
#include "command/event_report.h"
#include "command/moment_option.h"
#include "command/report.h"
#include "core/event_type.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     10000
#define OPTIONS_MAX   4096

static const char help_text[] =
    "usage: postrider event list [OPTION]...\n"
    "\n"
    "Lists events, the newest first, with what has become of their deliveries (up to 100 of each\n"
    "are counted).\n"
    "\n"
    "      --customer UUID     of this customer\n"
    "      --type TYPE         of this type; 'order.*' for all that begin with \"order.\"\n"
    "      --since TIME        published in the last 2h, or since \"2031-05-17 12:00\"\n"
    "      --until TIME        published before this time\n"
    "      --before ID         only what comes behind this event in the list\n"
    "  -n, --limit N           at most so many (50)\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct list_options {
    struct event_filter filter;
    char since[MOMENT_SIZE];
    char until[MOMENT_SIZE];
    int64_t limit;
    bool json;
};

enum list_column {
    LIST_ID,
    LIST_AGO,
    LIST_TYPE,
    LIST_CUSTOMER,
    LIST_DELIVERIES,
};

static const struct report_column columns[] = {
    [LIST_ID] = {.title = "ID"},
    [LIST_AGO] = {.title = "PUBLISHED", .is_number = true},
    [LIST_TYPE] = {.title = "TYPE"},
    [LIST_CUSTOMER] = {.title = "CUSTOMER", .is_optional = true},
    [LIST_DELIVERIES] = {.title = "DELIVERIES", .cut = REPORT_CUT_END},
};

static void print_table(const struct event_list *list, size_t count)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < count; i++) {
        const struct event *event = &list->rows[i];
        char counts[EVENT_COUNTS_SIZE];
        char ago[UNITS_TEXT_SIZE];

        report_add_row(report);
        report_set(report, LIST_ID, event->id, NULL);
        report_set(report, LIST_AGO, units_format_about_ms(event->created_ms_ago, ago), NULL);
        report_set(report, LIST_TYPE, event->event_type, NULL);
        report_set(report, LIST_CUSTOMER, event->customer_id, NULL);
        report_set(report, LIST_DELIVERIES, event_report_counts(event, counts), NULL);
    }
    report_print_table(report, stdout);
    report_free(report);
}

static void print_json(const struct event_list *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, event_report_json(&list->rows[i]));
    report_print_json(array, stdout);
}

static void add_option(struct buffer *out, const char *name, const char *value)
{
    char *word = value != NULL ? hint_quoted(value) : NULL;

    if (word != NULL)
        buffer_append_format(out, " --%s %s", name, word);
    free(word);
}

/* The command that goes on where this one has ended. */
static void print_more(const struct list_options *o, const struct event *last)
{
    struct buffer options;

    buffer_init(&options, OPTIONS_MAX);
    add_option(&options, "customer", o->filter.customer);
    add_option(&options, "type", o->filter.type);
    add_option(&options, "since", o->filter.since);
    add_option(&options, "until", o->filter.until);
    fflush(stdout);
    fprintf(stderr, "There are more: postrider event list --limit %lld --before %s%s%s\n",
            (long long)o->limit, last->id, buffer_string(&options), hint_options());
    buffer_free(&options);
}

/* --before must be an event that is there, else the list would be empty without a reason. */
static int check_before(const struct database *database, const char *id)
{
    struct event_list found = {0};
    struct error error = {0};
    int status = COMMAND_OK;

    if (id == NULL)
        return COMMAND_OK;
    if (!event_read(database->session, id, &found, &error))
        return database_fail(database, &error);
    if (found.count == 0) {
        error_set(&error, "there is no event %s, so nothing can be listed behind it", id);
        status = command_fail(COMMAND_FAILED, &error);
    }
    event_list_free(&found);
    return status;
}

static int list(const struct command *self, const struct database *database, struct list_options *o)
{
    struct event_filter *f = &o->filter;
    struct event_list events;
    struct error error = {0};
    size_t count;
    int status = moment_option(self, database, "since", &f->since, o->since);

    if (status == COMMAND_OK)
        status = moment_option(self, database, "until", &f->until, o->until);
    if (status == COMMAND_OK)
        status = check_before(database, f->before);
    if (status != COMMAND_OK)
        return status;
    if (!events_list(database->session, f, o->limit + 1, &events, &error))
        return database_fail(database, &error);
    count = events.count > (size_t)o->limit ? (size_t)o->limit : events.count;
    if (o->json)
        print_json(&events, count);
    else if (count == 0)
        puts("No event matches.");
    else
        print_table(&events, count);
    if (count < events.count)
        print_more(o, &events.rows[count - 1]);
    event_list_free(&events);
    return COMMAND_OK;
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct list_options o = {.limit = LIMIT_DEFAULT};
    struct database database;
    struct error error;
    const struct argument options[] = {
        {.name = "customer", .uuid = &o.filter.customer},
        {.name = "type", .text = &o.filter.type},
        {.name = "since", .text = &o.filter.since},
        {.name = "until", .text = &o.filter.until},
        {.name = "before", .uuid = &o.filter.before},
        {.name = "limit", .letter = 'n', .integer = &o.limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &o.json},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (o.filter.type != NULL && !event_type_check_pattern(o.filter.type, &error))
        return command_usage_error(self, "--type: %s", error.message);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = list(self, &database, &o);
    database_close(&database);
    return status;
}

const struct command command_event_list = {
    .name = "event list",
    .summary = "list events, the newest first",
    .help = help_text,
    .run = run_list,
};
