/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/delivery_report.h"
#include "command/event.h"
#include "command/event_report.h"
#include "command/report.h"
#include "command/terminal.h"
#include "core/event_tree.h"
#include "db/event_trace.h"

#define DELIVERIES_MAX 20 /* shown of each event; JSON has as many */
#define INDENT_MAX     40 /* deeper ones stand below each other */
#define ID_LENGTH      36

static const char help_text[] =
    "usage: postrider event trace [OPTION]... ID\n"
    "\n"
    "Shows the events that belong together with one, each below the event that caused it\n"
    "(causation_id), with the state of their deliveries: what it followed from, what followed\n"
    "from it, and what has the same correlation_id. At most 500 events, and 20 deliveries of\n"
    "each; it says when there are more.\n"
    "\n"
    "      --json              for programs: one object, whose \"events\" are in the same order\n"
    "                          and have their \"depth\"\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

/* All that is shown; nodes are the events of the list, order their places in it. */
struct trace {
    const char *id; /* the one that was asked for */
    bool is_cut;
    struct event_list events;
    struct event_tree_node *nodes;
    size_t *order;
    struct event_delivery_list deliveries;
};

static void trace_free(struct trace *trace)
{
    event_delivery_list_free(&trace->deliveries);
    event_list_free(&trace->events);
    free(trace->nodes);
    free(trace->order);
}

static void arrange(struct trace *trace)
{
    size_t count = trace->events.count;

    trace->nodes = memory_new(count + 1, sizeof(*trace->nodes));
    trace->order = memory_new(count + 1, sizeof(*trace->order));
    for (size_t i = 0; i < count; i++)
        trace->nodes[i] = (struct event_tree_node){.id = trace->events.rows[i].id,
                                                   .cause = trace->events.rows[i].causation_id};
    event_tree_arrange(trace->nodes, count, trace->order);
}

/* One more of each than is shown, so that it is known whether there are more. */
static bool read_deliveries(struct db_session *session, struct trace *trace, struct error *error)
{
    struct buffer ids;
    bool ok;

    buffer_init(&ids, (ID_LENGTH + 1) * (size_t)(EVENT_TRACE_MAX + 1));
    buffer_append_string(&ids, "{");
    for (size_t i = 0; i < trace->events.count; i++)
        buffer_append_format(&ids, "%s%s", i > 0 ? "," : "",
                             trace->events.rows[trace->order[i]].id);
    buffer_append_string(&ids, "}");
    ok = event_deliveries_list(session, buffer_string(&ids), DELIVERIES_MAX + 1, &trace->deliveries,
                               error);
    buffer_free(&ids);
    return ok;
}

static bool read_trace(struct db_session *session, struct trace *trace, struct error *error)
{
    if (!event_trace_read(session, trace->id, &trace->events, &trace->is_cut, error))
        return false;
    if (trace->events.count == 0) {
        error_set(error, "there is no event %s", trace->id);
        return error_hint(error,
                          "it was never committed, or retention has removed it; "
                          "\"postrider event show %s%s\" says whether it has deliveries",
                          trace->id, hint_options());
    }
    arrange(trace);
    return read_deliveries(session, trace, error);
}

/* Why an event that has a cause stands at the top. NULL: it does not. */
static const char *cause_problem(const struct event *event, const struct event_tree_node *node)
{
    if (node->is_in_circle)
        return "followed from it, in a circle";
    if (event->causation_id == NULL || node->has_cause)
        return NULL;
    return event->is_cause_there ? "is not shown" : "is not there";
}

static void print_line(size_t indent, const char *text)
{
    char *clean = terminal_clean(text);

    printf("%*s%s\n", (int)indent, "", clean);
    free(clean);
}

static void print_delivery(size_t indent, const struct event_delivery *delivery)
{
    bool has_error = delivery->last_error != NULL && strcmp(delivery->status, "delivered") != 0;
    char *line =
        memory_format("→ %s: %s%s%s%s", delivery->url, delivery->state, has_error ? " (" : "",
                      has_error ? delivery->last_error : "", has_error ? ")" : "");

    print_line(indent, line);
    free(line);
}

/* first: the place of the event's first delivery. Returns how many it has in the list. */
static size_t print_deliveries(size_t indent, const struct event_delivery_list *list, size_t first,
                               const struct event *event)
{
    bool has_any = first < list->count && strcmp(list->rows[first].event_id, event->id) == 0;
    size_t count = has_any ? event_report_same_event(list, first) : 0;

    for (size_t i = 0; i < count && i < DELIVERIES_MAX; i++)
        print_delivery(indent, &list->rows[first + i]);
    if (count > DELIVERIES_MAX) {
        char counts[EVENT_COUNTS_SIZE];

        printf("%*s… in all %s\n", (int)indent, "", event_report_counts(event, counts));
    }
    return count;
}

static void print_event(const struct trace *trace, size_t place, size_t indent)
{
    const struct event *event = &trace->events.rows[place];
    const char *problem = cause_problem(event, &trace->nodes[place]);
    char time[DELIVERY_TIME_SIZE];

    if (problem != NULL)
        printf("%*s(cause %s %s)\n", (int)indent, "", event->causation_id, problem);
    printf("%*s%s %s, %s%s\n", (int)indent, "", event->event_type, event->id,
           delivery_time(event->created_at, time),
           strcasecmp(event->id, trace->id) == 0 ? "  ← this one" : "");
}

static void print_text(const struct trace *trace)
{
    size_t seen = 0;

    for (size_t i = 0; i < trace->events.count; i++) {
        size_t place = trace->order[i];
        size_t indent = 2 * trace->nodes[place].depth;

        indent = indent < INDENT_MAX ? indent : INDENT_MAX;
        print_event(trace, place, indent);
        seen += print_deliveries(indent + 4, &trace->deliveries, seen, &trace->events.rows[place]);
    }
    if (trace->is_cut) {
        fflush(stdout);
        fprintf(stderr,
                "There are more than %d events that belong together; these are the nearest.\n",
                EVENT_TRACE_MAX);
    }
}

static json_t *event_json(const struct trace *trace, size_t place, size_t *seen)
{
    const struct event *event = &trace->events.rows[place];
    const struct event_tree_node *node = &trace->nodes[place];
    const struct event_delivery_list *list = &trace->deliveries;
    bool has_any = *seen < list->count && strcmp(list->rows[*seen].event_id, event->id) == 0;
    size_t count = has_any ? event_report_same_event(list, *seen) : 0;
    json_t *object = event_report_json(event);

    json_object_set_new(object, "depth", json_integer((json_int_t)node->depth));
    json_object_set_new(object, "is_cause_there", json_boolean(event->is_cause_there));
    json_object_set_new(object, "is_cause_shown", json_boolean(node->has_cause));
    json_object_set_new(object, "is_in_circle", json_boolean(node->is_in_circle));
    json_object_set_new(
        object, "deliveries",
        event_report_deliveries_json(list, *seen, count < DELIVERIES_MAX ? count : DELIVERIES_MAX));
    json_object_set_new(object, "is_deliveries_cut", json_boolean(count > DELIVERIES_MAX));
    *seen += count;
    return object;
}

static void print_json(const struct trace *trace)
{
    json_t *events = json_array();
    size_t seen = 0;

    for (size_t i = 0; i < trace->events.count; i++)
        json_array_append_new(events, event_json(trace, trace->order[i], &seen));
    report_print_json(json_pack("{s:s, s:b, s:o}", "id", trace->id, "is_cut", (int)trace->is_cut,
                                "events", events),
                      stdout);
}

static int run_trace_on(const struct database *database, const char *id, bool json)
{
    struct trace trace = {.id = id};
    struct error error = {0};
    int status = COMMAND_OK;

    if (!read_trace(database->session, &trace, &error))
        status = database_fail(database, &error);
    else if (json)
        print_json(&trace);
    else
        print_text(&trace);
    trace_free(&trace);
    return status;
}

static int run_trace(const struct command *self, int argc, char **argv)
{
    struct database database;
    bool json = false;
    const struct argument options[] = {{.name = "json", .flag = &json}, {0}};
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
    status = run_trace_on(&database, arguments.values[0], json);
    database_close(&database);
    return status;
}

const struct command command_event_trace = {
    .name = "event trace",
    .summary = "show what an event followed from, and what followed from it",
    .help = help_text,
    .run = run_trace,
};
