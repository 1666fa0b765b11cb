/* SPDX-License-Identifier: MIT */
#include "serve/endpoint_request.h"

#include <math.h>
#include <string.h>

#include "core/event_type.h"
#include "core/rfc3339.h"
#include "http/url.h"
#include "serve/json_body.h"

#define HOUR_MS        3600000.0
#define YEAR_MS        31536000000.0
#define SCHEDULE_MAX   64
#define PATTERNS_MAX   256
#define OPERATORS      "can't be set here: it is for the operator's role alone"
#define ANOTHER_WAY(x) "can't be set here: POST to /v1/endpoints/ID/" x
#define NOT_SET        "can't be set"

static bool is_between(const json_t *value, double minimum, double maximum)
{
    return json_is_number(value) && json_number_value(value) >= minimum &&
           json_number_value(value) <= maximum;
}

static bool is_whole_between(const json_t *value, double minimum, double maximum)
{
    return is_between(value, minimum, maximum) &&
           fmod(json_number_value(value), 1.0) == 0.0; /* exact */
}

static const char *check_text(const json_t *value)
{
    return json_is_string(value) ? NULL : "is not a text";
}

static const char *check_timeout(const json_t *value)
{
    return is_between(value, 1, HOUR_MS) ? NULL : "is not a number from 1 to 3600000 (an hour)";
}

static const char *check_delay(const json_t *value)
{
    return is_between(value, 1, YEAR_MS) ? NULL
                                         : "is not a number from 1 to 31536000000 (365 days)";
}

static const char *check_schedule(const json_t *value)
{
    static const char wrong[] =
        "is not an array of 1 to 64 numbers from 1 to 31536000000 (365 days)";

    if (!json_is_array(value) || json_array_size(value) < 1 ||
        json_array_size(value) > SCHEDULE_MAX)
        return wrong;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (check_delay(json_array_get(value, i)) != NULL)
            return wrong;
    return NULL;
}

static const char *check_attempts(const json_t *value)
{
    return is_whole_between(value, 1, 1000) ? NULL : "is not a whole number from 1 to 1000";
}

static const char *check_multiplier(const json_t *value)
{
    return is_between(value, 1, 1000) ? NULL : "is not a number from 1 to 1000";
}

static const char *check_jitter(const json_t *value)
{
    return is_between(value, 0, 1) ? NULL : "is not a number from 0 to 1";
}

static const char *check_in_flight(const json_t *value)
{
    return is_whole_between(value, 1, 65536) ? NULL : "is not a whole number from 1 to 65536";
}

static const char *check_rate(const json_t *value)
{
    return is_between(value, 0, 0) || is_between(value, 0.001, 1000000)
               ? NULL
               : "is neither 0 nor a number from 0.001 to 1000000";
}

static const char *check_event_types(const json_t *value)
{
    static const char wrong[] =
        "is not an array of 1 to 256 patterns like order.paid, order.* or *";
    struct error ignored;

    if (!json_is_array(value) || json_array_size(value) < 1 ||
        json_array_size(value) > PATTERNS_MAX)
        return wrong;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *pattern = json_string_value(json_array_get(value, i));

        if (pattern == NULL || !event_type_check_pattern(pattern, &ignored))
            return wrong;
    }
    return NULL;
}

static const char *check_filter(const json_t *value)
{
    return json_is_object(value) ? NULL : "is not an object";
}

static const char *check_ordering(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL && (strcmp(text, "skip") == 0 || strcmp(text, "block") == 0)
               ? NULL
               : "is neither skip nor block";
}

static const struct json_member members[] = {
    {.name = "url", .check = check_text},
    {.name = "customer_id", .check = json_body_check_uuid},
    {.name = "event_types", .check = check_event_types},
    {.name = "filter", .check = check_filter},
    {.name = "ordering", .check = check_ordering},
    {.name = "timeout_ms", .check = check_timeout},
    {.name = "retry_max_attempts", .check = check_attempts},
    {.name = "retry_initial_delay_ms", .check = check_delay},
    {.name = "retry_multiplier", .check = check_multiplier},
    {.name = "retry_max_delay_ms", .check = check_delay},
    {.name = "retry_jitter", .check = check_jitter},
    {.name = "retry_schedule_ms", .check = check_schedule},
    {.name = "max_in_flight", .check = check_in_flight},
    {.name = "rate_limit", .check = check_rate},
    {.name = "headers", .forbidden = OPERATORS},
    {.name = "allow", .forbidden = OPERATORS},
    {.name = "client_certificate", .forbidden = OPERATORS},
    {.name = "all_customers", .forbidden = OPERATORS},
    {.name = "secret", .forbidden = OPERATORS},
    {.name = "secrets", .forbidden = OPERATORS},
    {.name = "disabled_at", .forbidden = ANOTHER_WAY("disable or /enable")},
    {.name = "disabled_reason", .forbidden = ANOTHER_WAY("disable")},
    {.name = "paused_at", .forbidden = ANOTHER_WAY("pause or /resume")},
    {.name = "state", .forbidden = NOT_SET},
    {.name = "failing_since", .forbidden = NOT_SET},
    {.name = "is_noted", .forbidden = NOT_SET},
    {.name = "created_at", .forbidden = NOT_SET},
    {.name = "id", .forbidden = NOT_SET},
    {0},
};

static int refuse(struct error *error, const char *text)
{
    error_set(error, "%s", text);
    return 422;
}

int endpoint_request_check(const json_t *body, bool is_whole, bool https_only, struct error *error)
{
    int status = json_body_check_members(body, members, error);
    const json_t *url = json_object_get(body, "url");

    if (status != 0)
        return status;
    if (url == NULL && is_whole)
        return refuse(error, "url is missing");
    if (json_is_null(url) || json_is_null(json_object_get(body, "customer_id")))
        return refuse(error, json_is_null(url) ? "url is null" : "customer_id is null");
    /* Without a URL it is pull-only (docs/feed.md). */
    if (url != NULL && json_string_length(url) > 0 &&
        !url_check(json_string_value(url), https_only, error))
        return 422;
    return 0;
}

static const char *check_moment(const json_t *value)
{
    return json_is_string(value) && rfc3339_is_moment(json_string_value(value))
               ? NULL
               : "is not a time like 2031-05-17T12:03:04Z (RFC 3339)";
}

int endpoint_request_check_enable(const json_t *body, struct error *error)
{
    static const struct json_member known[] = {{.name = "recover_since", .check = check_moment},
                                               {0}};

    return json_body_check_members(body, known, error);
}
