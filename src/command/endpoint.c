/* SPDX-License-Identifier: MIT */
#include "command/endpoint.h"

#include "base/buffer.h"

#define TYPES_MAX 1048576

static const char help_text[] =
    "usage: postrider endpoint list|show|preview|add|set|disable|enable|pause|resume|test|doctor|"
    "remove\n"
    "                          [OPTION]...\n"
    "\n"
    "Works on endpoints that have a row in webhook_endpoints: what they subscribe to, who would\n"
    "get an event, their own settings, and whether they are sent to.\n"
    "\n"
    "  postrider endpoint list --customer UUID    those of a customer\n"
    "  postrider endpoint show ID                 one of them, and whether it lacks events\n"
    "  postrider endpoint preview --customer UUID --type order.paid\n"
    "                                             who would get it, who not, and why\n"
    "  postrider endpoint add --customer UUID --url URL --event-types 'order.*'\n"
    "  postrider endpoint set ID --timeout 10s    changes it\n"
    "  postrider endpoint pause ID                lets its deliveries wait; resume ID\n"
    "  postrider endpoint disable ID              lets them fail; enable ID --recover-since 2h\n"
    "  postrider endpoint test ID                 sends it a signed test event\n"
    "  postrider endpoint doctor ID               says what is wrong with it\n"
    "  postrider endpoint remove ID\n"
    "\n"
    "\"postrider endpoint list --help\" and so on show the options.\n";

const char *endpoint_state(const struct subscription *endpoint)
{
    if (endpoint->disabled_at != NULL)
        return "disabled";
    if (endpoint->paused_at != NULL)
        return "paused";
    return endpoint->failing_since != NULL ? "failing" : "enabled";
}

static json_t *read_json(const char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

    /* A number that C can't hold makes no JSON here. */
    if (value == NULL && text != NULL)
        return json_string(text);
    return value != NULL ? value : json_null();
}

char *endpoint_types(const struct subscription *endpoint)
{
    json_t *types = read_json(endpoint->event_types);
    struct buffer out;

    buffer_init(&out, TYPES_MAX);
    for (size_t i = 0; i < json_array_size(types); i++)
        buffer_append_format(&out, "%s%s", i > 0 ? ", " : "",
                             json_string_value(json_array_get(types, i)));
    if (out.length == 0)
        buffer_append_string(&out, "-");
    json_decref(types);
    return buffer_take(&out);
}

json_t *endpoint_json(const struct subscription *e)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "id", e->id,
                  "customer_id", e->customer_id, "url", e->url, "event_types",
                  read_json(e->event_types), "filter", read_json(e->filter), "all_customers",
                  (int)e->all_customers, "state", endpoint_state(e), "created_at", e->created_at,
                  "disabled_at", e->disabled_at, "disabled_reason", e->disabled_reason, "paused_at",
                  e->paused_at, "failing_since", e->failing_since);

    if (object == NULL)
        bug("an endpoint that is no JSON");
    return object;
}

static const struct command *const nested[] = {
    &command_endpoint_list,
    &command_endpoint_show,
    &command_endpoint_preview,
    &command_endpoint_add,
    &command_endpoint_set,
    &command_endpoint_disable,
    &command_endpoint_enable,
    &command_endpoint_pause,
    &command_endpoint_resume,
    &command_endpoint_test,
    &command_endpoint_doctor,
    &command_endpoint_remove,
    NULL,
};

const struct command command_endpoint = {
    .name = "endpoint",
    .summary = "list, make and change endpoints, and say who would get an event",
    .help = help_text,
    .nested = nested,
};
