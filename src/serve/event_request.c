/* SPDX-License-Identifier: MIT */
#include "serve/event_request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "core/alerts.h"
#include "core/event_type.h"
#include "core/rfc3339.h"
#include "serve/json_body.h"

#define ORDERING_KEY_MAX 255

static int refuse(struct error *error, int status, const char *text)
{
    error_set(error, "%s", text);
    return status;
}

/* --- members --- */

static const char *check_type(const json_t *value)
{
    const char *type = json_string_value(value);
    struct error ignored;

    if (type == NULL || !event_type_check(type, &ignored))
        return "is not an event type: letters, digits, _ and - in parts joined by full stops, at "
               "most 255 bytes";
    /* Receivers of alerts take it for one, and that it dies raises none. */
    if (strncmp(type, ALERT_TYPE_PREFIX, strlen(ALERT_TYPE_PREFIX)) == 0)
        return "begins with " ALERT_TYPE_PREFIX ", as Postrider's own alerts do: choose another";
    return NULL;
}

static const char *check_anything(const json_t *value)
{
    (void)value;
    return NULL;
}

static const char *check_ordering_key(const json_t *value)
{
    size_t length = json_string_length(value);

    return json_is_string(value) && length > 0 && length <= ORDERING_KEY_MAX
               ? NULL
               : "is not a text of 1 to 255 bytes";
}

/* Whether there is such a day, PostgreSQL says. */
static const char *check_time(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL && rfc3339_has_shape(text)
               ? NULL
               : "is not a time like 2031-05-17T12:03:04Z (RFC 3339)";
}

static const struct member {
    const char *name;
    bool is_required;
    json_body_check *check;
} members[] = {
    {"customer_id", true, json_body_check_uuid},
    {"type", true, check_type},
    {"data", true, check_anything},
    {"ordering_key", false, check_ordering_key},
    {"correlation_id", false, json_body_check_uuid},
    {"causation_id", false, json_body_check_uuid},
    {"deliver_after", false, check_time},
};

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

/* --- events --- */

/* "event 3: data is missing"; of a single one without its number. */
static int refuse_event(struct error *error, const struct event_request *request, size_t i,
                        const char *name, const char *problem)
{
    if (request->is_array)
        error_set(error, "event %zu: %.100s %s", i, name, problem);
    else
        error_set(error, "%.100s %s", name, problem);
    return 422;
}

static int check_known(const json_t *event, const struct event_request *request, size_t i,
                       struct error *error)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)event, name, value) /* changes nothing */
        if (find_member(name) == NULL) return refuse_event(
            error, request, i, name, "is no member of an event; put what is to be sent into data");
    return 0;
}

static int check_member(const json_t *event, const struct member *member,
                        const struct event_request *request, size_t i, struct error *error)
{
    const json_t *value = json_object_get(event, member->name);
    const char *problem;

    if (value == NULL && member->is_required)
        return refuse_event(error, request, i, member->name, "is missing");
    if (value == NULL || (!member->is_required && json_is_null(value)))
        return 0;
    problem = member->check(value);
    return problem == NULL ? 0 : refuse_event(error, request, i, member->name, problem);
}

static bool is_ordered(const json_t *event)
{
    return json_is_string(json_object_get(event, "ordering_key"));
}

static int check_event(const json_t *event, const char *only_customer,
                       struct event_request *request, size_t i, struct error *error)
{
    const char *customer;
    int status;

    if (!json_is_object(event))
        return refuse_event(error, request, i, "the event", "is not an object");
    status = check_known(event, request, i, error);
    for (size_t m = 0; status == 0 && m < ARRAY_LENGTH(members); m++)
        status = check_member(event, &members[m], request, i, error);
    if (status != 0)
        return status;
    request->is_ordered = request->is_ordered || is_ordered(event);
    customer = json_string_value(json_object_get(event, "customer_id"));
    if (only_customer == NULL || strcasecmp(customer, only_customer) == 0)
        return 0;
    refuse_event(error, request, i, "customer_id", "is another customer than the token's");
    return 403;
}

static int check_all(const json_t *root, const char *only_customer, struct event_request *request,
                     struct error *error)
{
    int status = 0;

    if (!request->is_array)
        return check_event(root, only_customer, request, 0, error);
    if (request->count == 0)
        return refuse(error, 422, "the array is empty");
    if (request->count > EVENT_REQUEST_MAX)
        return refuse(error, 422, "the array has more than 1,000 events");
    for (size_t i = 0; status == 0 && i < request->count; i++)
        status = check_event(json_array_get(root, i), only_customer, request, i, error);
    return status;
}

/* --- the text --- */

/* Behind the string whose opening quote is at text[i], which has an end: it was read before. */
static size_t skip_string(const char *text, size_t i)
{
    for (i++; text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i + 1;
}

/* The objects at a depth, each from its { to its }, of a text that is good JSON. */
static void find_objects(const char *text, size_t length, size_t at_depth, struct slice *events,
                         size_t count)
{
    size_t depth = 0, found = 0;

    for (size_t i = 0; i < length;) {
        char letter = text[i];

        if (letter == '"') {
            i = skip_string(text, i);
            continue;
        }
        if ((letter == '{' || letter == '[') && depth++ == at_depth && found < count)
            events[found].at = text + i;
        if (letter == '}' || letter == ']')
            depth--;
        i++;
        if (letter == '}' && depth == at_depth && found < count) {
            events[found].length = (size_t)(text + i - events[found].at);
            found++;
        }
    }
}

int event_request_read(const char *body, size_t length, const char *only_customer,
                       struct event_request *ret_request, struct error *error)
{
    json_t *root;
    int status;

    *ret_request = (struct event_request){0};
    status = json_body_read(body, length, &root, error);
    if (status != 0)
        return status;
    ret_request->is_array = json_is_array(root);
    ret_request->count = ret_request->is_array ? json_array_size(root) : 1;
    status = check_all(root, only_customer, ret_request, error);
    json_decref(root);
    if (status != 0)
        return status;
    ret_request->events = memory_new(ret_request->count, sizeof(*ret_request->events));
    find_objects(body, length, ret_request->is_array ? 1 : 0, ret_request->events,
                 ret_request->count);
    return 0;
}

void event_request_free(struct event_request *request)
{
    free(request->events);
    request->events = NULL;
}
