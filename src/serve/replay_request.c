/* SPDX-License-Identifier: MIT */
#include "serve/replay_request.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "core/rfc3339.h"
#include "serve/json_body.h"

#define IDS_MAX 1000

static const char *check_kind(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL && (strcmp(text, "replay") == 0 || strcmp(text, "recover") == 0 ||
                            strcmp(text, "discard") == 0)
               ? NULL
               : "is none of replay, recover and discard";
}

static const char *check_rate(const json_t *value)
{
    double rate = json_is_number(value) ? json_number_value(value) : 0;

    return rate >= 1 && rate <= 1000000 && fmod(rate, 1.0) == 0.0
               ? NULL
               : "is not a whole number from 1 to 1000000";
}

static const char *check_filter(const json_t *value)
{
    return json_is_object(value) ? NULL : "is not an object";
}

static const char *check_text(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0 ? NULL : "is not a text";
}

static const char *check_time(const json_t *value)
{
    return json_is_string(value) && rfc3339_is_moment(json_string_value(value))
               ? NULL
               : "is not a time like 2031-05-17T12:03:04Z (RFC 3339)";
}

static const char *check_ids(const json_t *value)
{
    static const char wrong[] = "is not an array of 1 to 1000 ids of deliveries (UUIDs)";

    if (!json_is_array(value) || json_array_size(value) < 1 || json_array_size(value) > IDS_MAX)
        return wrong;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_body_check_uuid(json_array_get(value, i)) != NULL)
            return wrong;
    return NULL;
}

static const char *check_all(const json_t *value)
{
    return json_is_true(value) ? NULL : "can be nothing but true";
}

static const struct json_member body_members[] = {
    {.name = "kind", .check = check_kind},
    {.name = "filter", .check = check_filter, .is_required = true},
    {.name = "rate", .check = check_rate},
    {0},
};

/* A filter's null would be another one than that of a key that is not there. */
static const struct json_member replay_members[] = {
    {.name = "endpoint", .check = check_text},
    {.name = "customer", .check = json_body_check_uuid},
    {.name = "event_type", .check = check_text},
    {.name = "since", .check = check_time},
    {.name = "until", .check = check_time},
    {.name = "error", .check = check_text},
    {.name = "ids", .check = check_ids},
    {.name = "all", .check = check_all},
    {0},
};

static const struct json_member recover_members[] = {
    {.name = "endpoint", .check = check_text, .is_required = true},
    {.name = "since", .check = check_time, .is_required = true},
    {.name = "customer", .check = json_body_check_uuid},
    {0},
};

static int refuse(struct error *error, const char *text)
{
    error_set(error, "%s", text);
    return 422;
}

static bool has_null(const json_t *filter)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)filter, name, value) /* changes nothing */
        if (json_is_null(value)) return true;
    return false;
}

bool replay_request_is_discard(const json_t *body)
{
    const char *kind = json_string_value(json_object_get(body, "kind"));

    return kind != NULL && strcmp(kind, "discard") == 0;
}

int replay_request_check(const json_t *body, struct error *error)
{
    int status = json_body_check_members(body, body_members, error);
    const json_t *filter = json_object_get(body, "filter");
    const char *kind = json_string_value(json_object_get(body, "kind"));
    bool is_recovery = kind != NULL && strcmp(kind, "recover") == 0;
    const char *endpoint;

    if (status != 0)
        return status;
    if (has_null(filter))
        return refuse(error, "the filter has a null: leave out what it is not to go by");
    if (json_object_size(filter) == 0)
        return refuse(error,
                      "the filter is empty: who means all dead letters says {\"all\": true}");
    status = json_body_check_members(filter, is_recovery ? recover_members : replay_members, error);
    if (status != 0) {
        error_prefix(error, "filter");
        return status;
    }
    if (json_object_get(filter, "all") != NULL && json_object_size(filter) > 1)
        return refuse(error, "the filter has all and other members: it is one or the others");
    endpoint = json_string_value(json_object_get(filter, "endpoint"));
    if (is_recovery && endpoint[strlen(endpoint) - 1] == '*')
        return refuse(error,
                      "filter: endpoint is a URL with * here, of which kind recover does not know");
    return 0;
}
