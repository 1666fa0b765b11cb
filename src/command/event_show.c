/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/delivery_report.h"
#include "command/event.h"
#include "command/event_report.h"
#include "command/report.h"
#include "command/terminal.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000

static const char help_text[] =
    "usage: postrider event show [OPTION]... ID\n"
    "\n"
    "Shows all of one event: its row, the deliveries that were made for it, and its payload.\n"
    "Deliveries that retention has removed are no longer among them.\n"
    "\n"
    "  -n, --limit N           at most so many deliveries (100)\n"
    "      --json              for programs: one object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* All that is shown. */
struct shown {
    struct event_list events;
    struct event_delivery_list deliveries;
    char *payload;
};

/* Never silent: its deliveries may be there without it, and then wait. Always false. */
static bool explain_absence(const char *id, const struct event_delivery_list *deliveries,
                            struct error *error)
{
    error_set(error, "there is no event %s", id);
    if (deliveries->count > 0)
        return error_hint(error,
                          "but there are deliveries of it: without their event those that are "
                          "pending wait; \"postrider explain --event %s%s\" says more",
                          id, hint_options());
    return error_hint(error,
                      "it was never committed, or retention has removed it; of rows that were "
                      "inserted into webhook_deliveries tells \"postrider explain --event %s%s\"",
                      id, hint_options());
}

static bool read_shown(struct db_session *session, const char *id, int64_t limit,
                       struct shown *shown, struct error *error)
{
    char *ids = memory_format("{%s}", id);
    bool ok = event_read(session, id, &shown->events, error) &&
              event_deliveries_list(session, ids, limit, &shown->deliveries, error);

    free(ids);
    if (!ok)
        return false;
    if (shown->events.count == 0)
        return explain_absence(id, &shown->deliveries, error);
    shown->payload = event_payload(session, id, error);
    return shown->payload != NULL;
}

static void print_json(const struct shown *shown)
{
    const struct event *event = &shown->events.rows[0];
    json_t *object = event_report_json(event);
    json_t *payload = json_loads(shown->payload, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    json_object_set_new(object, "body_bytes",
                        event->erased_at != NULL ? json_null() : json_integer(event->body_bytes));
    /* A number that C can't hold makes no JSON here, but the text is what is sent. */
    json_object_set_new(object, "payload", payload != NULL ? payload : json_string(shown->payload));
    json_object_set_new(
        object, "deliveries",
        event_report_deliveries_json(&shown->deliveries, 0, shown->deliveries.count));
    report_print_json(object, stdout);
}

static void print_line(const char *name, const char *text)
{
    char *clean;

    if (text == NULL)
        return;
    clean = terminal_clean(text);
    printf("%-12s %s\n", name, clean);
    free(clean);
}

static void print_event(const struct event *event)
{
    char time[DELIVERY_TIME_SIZE];
    char ago[UNITS_TEXT_SIZE];

    print_line("event", event->id);
    print_line("type", event->event_type);
    print_line("customer", event->customer_id);
    printf("%-12s %s (%s ago)\n", "published", delivery_time(event->created_at, time),
           units_format_about_ms(event->created_ms_ago, ago));
    print_line("not before", event->deliver_after);
    print_line("erased", event->erased_at);
    print_line("key", event->idempotency_key);
    print_line("correlation", event->correlation_id);
    if (event->causation_id != NULL)
        printf("%-12s %s%s\n", "cause", event->causation_id,
               event->is_cause_there ? "" : " (is not there)");
    print_line("traceparent", event->traceparent);
    if (event->erased_at == NULL)
        printf("%-12s %lld byte%s, as it is sent\n", "body", (long long)event->body_bytes,
               text_plural(event->body_bytes, "", "s"));
}

static void print_deliveries(const struct shown *shown)
{
    const struct event *event = &shown->events.rows[0];
    int64_t total = event->pending + event->delivered + event->dead;
    char counts[EVENT_COUNTS_SIZE];

    if (shown->deliveries.count == 0) {
        printf("\nNo delivery of it is there: nobody subscribed to it, or retention has removed "
               "them.\n\"postrider endpoint preview --customer %s --type %s%s\" says who would "
               "get it today.\n",
               event->customer_id, event->event_type, hint_options());
        return;
    }
    printf("%-12s %s\n\n", "deliveries", event_report_counts(event, counts));
    event_report_print_deliveries(&shown->deliveries, 0, shown->deliveries.count, stdout);
    if (total > (int64_t)shown->deliveries.count)
        printf("… and %lld%s more\n", (long long)(total - (int64_t)shown->deliveries.count),
               event->is_count_cut ? "+" : "");
}

static void print_text(const struct shown *shown)
{
    char *clean;

    print_event(&shown->events.rows[0]);
    print_deliveries(shown);
    putchar('\n');
    if (shown->events.rows[0].erased_at != NULL) {
        puts("Its payload is erased.");
        return;
    }
    if (terminal_width(stdout) == 0) {
        puts(shown->payload);
        return;
    }
    clean = terminal_clean(shown->payload);
    puts(clean);
    free(clean);
}

static int show(const struct database *database, const char *id, int64_t limit, bool json)
{
    struct shown shown = {0};
    struct error error = {0};
    int status = COMMAND_OK;

    if (!read_shown(database->session, id, limit, &shown, &error))
        status = database_fail(database, &error);
    else if (json)
        print_json(&shown);
    else
        print_text(&shown);
    free(shown.payload);
    event_delivery_list_free(&shown.deliveries);
    event_list_free(&shown.events);
    return status;
}

static int run_show(const struct command *self, int argc, char **argv)
{
    struct database database;
    int64_t limit = LIMIT_DEFAULT;
    bool json = false;
    const struct argument options[] = {
        {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &json},
        {0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    if (!text_is_uuid(arguments.values[0]))
        return command_usage_error(self, "\"%s\" is not the id of an event (a UUID)",
                                   arguments.values[0]);
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = show(&database, arguments.values[0], limit, json);
    database_close(&database);
    return status;
}

const struct command command_event_show = {
    .name = "event show",
    .summary = "show one event, and who got it",
    .help = help_text,
    .run = run_show,
};
