/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/event.h"
#include "command/event_report.h"
#include "command/report.h"
#include "command/send_payload.h"
#include "core/event_type.h"

#define SHOWN_MAX 20   /* deliveries, to people */
#define JSON_MAX  1000 /* to programs */

static const char help_text[] =
    "usage: postrider event publish [OPTION]... --customer UUID --type TYPE [-]\n"
    "\n"
    "Publishes an event, as an INSERT into webhook_events does, and says who gets it: each\n"
    "endpoint that subscribes to the type and whose filter the data contains.\n"
    "\n"
    "      --customer UUID         whose event it is\n"
    "      --type TYPE             as order.paid\n"
    "      --data JSON             the payload ({}); @FILE reads it from a file, - from standard\n"
    "                              input, as a - without an option does\n"
    "      --data-file FILE        the payload is in FILE\n"
    "      --idempotency-key KEY   publish it once: the same key with the same content gives the\n"
    "                              id of the first event, with other content it is refused\n"
    "      --correlation-id UUID   what it belongs to\n"
    "      --causation-id UUID     the event that it follows from\n"
    "      --traceparent TEXT      of W3C Trace Context\n"
    "      --deliver-after TIME    not before 2h from now, or \"2031-05-17 12:00\"\n"
    "      --json                  for programs: one object\n"
    "  -c, --config FILE           the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct publish_options {
    struct event_draft draft;
    const char *data;
    const char *data_file;
    bool json;
};

/* The constraints of the table, in words. */
static const struct {
    const char *constraint;
    const char *message;
} refusals[] = {
    {"webhook_events_event_type_check", "--type: it is no event type"},
    {"webhook_events_idempotency_key_check", "--idempotency-key: it must have 1 to 255 characters"},
    {"webhook_events_traceparent_check",
     "--traceparent: it must look like 00-<32 hexadecimal digits>-<16 of them>-01"},
    {"webhook_events_deliver_after_check", "--deliver-after: it must be a time that comes"},
};

/* What the database says of the draft itself is a mistake of the command line. */
static int fail(const struct command *self, const struct database *database,
                const struct publish_options *o, struct error *error)
{
    const char *state = db_session_sqlstate(database->session);

    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
        if (strcmp(state, "23514") == 0 && strstr(error->message, refusals[i].constraint) != NULL)
            return command_usage_error(self, "%s", refusals[i].message);
    if (strcmp(state, "22007") == 0 || strcmp(state, "22008") == 0)
        return command_usage_error(self,
                                   "--deliver-after: \"%s\" is no time; write how long from now, "
                                   "as in 2h, or \"2031-05-17 12:00\"",
                                   o->draft.deliver_after);
    return database_fail(database, error);
}

static json_t *result_json(const struct event *event, bool is_new,
                           const struct event_delivery_list *deliveries)
{
    json_t *object = event_report_json(event);

    json_object_set_new(object, "is_new", json_boolean(is_new));
    json_object_set_new(object, "deliveries",
                        event_report_deliveries_json(deliveries, 0, deliveries->count));
    return object;
}

static void print_result(const struct event *event, bool is_new,
                         const struct event_delivery_list *deliveries)
{
    int64_t total = event->pending + event->delivered + event->dead;

    if (is_new)
        printf("published %s\n", event->id);
    else
        printf("%s was published before, with this idempotency key and content\n", event->id);
    if (total == 0) {
        printf("Nobody subscribes to it. \"postrider endpoint preview --customer %s --type %s%s\" "
               "says why.\n",
               event->customer_id, event->event_type, hint_options());
        return;
    }
    printf("It goes to %lld%s endpoint%s:\n", (long long)total, event->is_count_cut ? "+" : "",
           text_plural(total, "", "s"));
    event_report_print_deliveries(
        deliveries, 0, deliveries->count < SHOWN_MAX ? deliveries->count : SHOWN_MAX, stdout);
    if (total > SHOWN_MAX)
        printf("… and %lld%s more\n", (long long)(total - SHOWN_MAX),
               event->is_count_cut ? "+" : "");
}

/* It is committed: that what came of it can't be read is said, and is no failure to publish. */
static int show(const struct database *database, const struct publish_options *o,
                const struct event_published *published)
{
    char *ids = memory_format("{%s}", published->id);
    struct event_list events = {0};
    struct event_delivery_list deliveries = {0};
    struct error error = {0};
    int status = COMMAND_OK;

    if (!event_read(database->session, published->id, &events, &error) ||
        !event_deliveries_list(database->session, ids, JSON_MAX, &deliveries, &error)) {
        error_prefix(&error, "%s is published, but what came of it can't be read", published->id);
        status = database_fail(database, &error);
    } else if (events.count == 0) {
        error_set(&error, "%s is published, and was removed just now", published->id);
        status = command_fail(COMMAND_FAILED, &error);
    } else if (o->json)
        report_print_json(result_json(&events.rows[0], published->is_new, &deliveries), stdout);
    else
        print_result(&events.rows[0], published->is_new, &deliveries);
    event_delivery_list_free(&deliveries);
    event_list_free(&events);
    free(ids);
    return status;
}

static bool read_payload(const struct publish_options *o, const struct config *config,
                         struct buffer *payload, struct error *error)
{
    char *file = o->data_file != NULL ? memory_format("@%s", o->data_file) : NULL;
    const char *data = file != NULL ? file : o->data != NULL ? o->data : "{}";
    bool ok = send_payload_read(data, (size_t)config->delivery.max_payload_bytes, payload, error);

    free(file);
    return ok;
}

static int publish(const struct command *self, const struct database *database,
                   struct publish_options *o)
{
    struct event_published published;
    struct error error = {0};
    struct buffer payload;
    int status;

    if (!read_payload(o, database->config, &payload, &error))
        status = command_usage_error(self, "%s", error.message);
    else {
        o->draft.payload = buffer_string(&payload);
        o->draft.max_bytes = database->config->delivery.max_payload_bytes;
        status = event_publish(database->session, &o->draft, &published, &error)
                     ? show(database, o, &published)
                     : fail(self, database, o, &error);
    }
    buffer_free(&payload);
    return status;
}

static int check_options(const struct command *self, struct publish_options *o,
                         const struct arguments *arguments)
{
    struct error error;
    int given = (o->data != NULL) + (o->data_file != NULL) + arguments->count;

    if (o->draft.customer_id == NULL)
        return command_usage_error(self, "--customer is missing");
    if (o->draft.event_type == NULL)
        return command_usage_error(self, "--type is missing");
    if (!event_type_check(o->draft.event_type, &error))
        return command_usage_error(self, "--type: %s", error.message);
    if (arguments->count > 0 && strcmp(arguments->values[0], "-") != 0)
        return command_usage_error(self, "unexpected argument \"%s\"", arguments->values[0]);
    if (given > 1)
        return command_usage_error(self, "choose one of --data, --data-file and -");
    if (arguments->count > 0)
        o->data = "-";
    return COMMAND_OK;
}

static int run_publish(const struct command *self, int argc, char **argv)
{
    struct publish_options o = {0};
    struct database database;
    const struct argument options[] = {
        {.name = "customer", .uuid = &o.draft.customer_id},
        {.name = "type", .text = &o.draft.event_type},
        {.name = "data", .text = &o.data},
        {.name = "data-file", .text = &o.data_file},
        {.name = "idempotency-key", .text = &o.draft.idempotency_key},
        {.name = "correlation-id", .uuid = &o.draft.correlation_id},
        {.name = "causation-id", .uuid = &o.draft.causation_id},
        {.name = "traceparent", .text = &o.draft.traceparent},
        {.name = "deliver-after", .text = &o.draft.deliver_after},
        {.name = "json", .flag = &o.json},
        {0}};
    struct arguments arguments = {.options = options, .values_name = "-", .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_options(self, &o, &arguments);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = publish(self, &database, &o);
    database_close(&database);
    return status;
}

const struct command command_event_publish = {
    .name = "event publish",
    .summary = "publish an event",
    .help = help_text,
    .run = run_publish,
};
