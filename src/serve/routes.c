/* SPDX-License-Identifier: MIT */
#include "serve/routes.h"

#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "base/text.h"
#include "serve/api.h"
#include "serve/changes_api.h"
#include "serve/deliveries_api.h"
#include "serve/document.h"
#include "serve/events_api.h"
#include "serve/feed_api.h"
#include "serve/gate.h"
#include "serve/history_api.h"
#include "serve/metrics_api.h"
#include "serve/page.h"
#include "serve/route.h"
#include "serve/sharing.h"
#include "serve/token_api.h"

#define ID       "{id}"
#define ID_BYTES 36

static const struct parameter no_parameters[] = {{0}};

static const struct parameter events_parameters[] = {
    {.name = "customer", .read = parameter_uuid},
    {.name = "type", .read = parameter_text},
    {.name = "since", .read = parameter_time},
    {.name = "until", .read = parameter_time},
    {.name = "correlation_id", .read = parameter_uuid},
    {.name = "causation_id", .read = parameter_uuid},
    {.name = "idempotency_key", .read = parameter_text},
    {.name = "ordering_key", .read = parameter_text},
    PARAMETER_CURSOR,
    PARAMETER_LIMIT,
    {0},
};

static const struct parameter endpoints_parameters[] = {
    {.name = "customer", .read = parameter_uuid},
    {.name = "url", .read = parameter_text},
    {.name = "state", .read = parameter_endpoint_state},
    PARAMETER_CURSOR,
    PARAMETER_LIMIT,
    {0},
};

static const struct parameter activity_parameters[] = {
    {.name = "ids", .read = parameter_uuids},
    {0},
};

static const struct parameter event_types_parameters[] = {
    {.name = "customer", .read = parameter_uuid},
    {0},
};

static const struct parameter replays_parameters[] = {
    {.name = "state", .read = parameter_replay_state},
    PARAMETER_CURSOR,
    PARAMETER_LIMIT,
    {0},
};

static const struct parameter feed_parameters[] = {
    {.name = "after", .read = parameter_feed_cursor, .width = 3},
    PARAMETER_LIMIT,
    {0},
};

static const struct parameter feed_hours_parameters[] = {
    {.name = "until", .read = parameter_time},
    {.name = "limit", .read = parameter_limit, .standard = "24"},
    {0},
};

static const struct parameter history_parameters[] = {
    {.name = "since", .read = parameter_time},
    {.name = "until", .read = parameter_time},
    {.name = "step", .read = parameter_step, .standard = "60"},
    {0},
};

/* clang-format off */
const struct route routes_table[] = {
    {"GET", "/v1/events", ROUTE_READ, .parameters = events_parameters, .handle = api_ask,
     .text = "events"},
    {"POST", "/v1/events", .own_judge = events_api_judge, .own_handle = events_api_handle},
    {"GET", "/v1/events/{id}", ROUTE_READ, .handle = api_ask, .text = "event"},
    {"GET", "/v1/deliveries", ROUTE_READ, .parameters = deliveries_api_parameters,
     .handle = deliveries_api_list},
    {"GET", "/v1/deliveries/count", ROUTE_READ, .parameters = deliveries_api_count_parameters,
     .handle = deliveries_api_count},
    {"GET", "/v1/deliveries/{id}", ROUTE_READ, .handle = deliveries_api_show},
    {"POST", "/v1/deliveries/{id}/replay", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "delivery_replay", .tells_who = true, .tells_customer = true},
    {"POST", "/v1/deliveries/{id}/discard", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "delivery_discard", .tells_who = true, .is_operators = true},
    {"GET", "/v1/endpoints", ROUTE_READ, .parameters = endpoints_parameters,
     .handle = sharing_ask, .text = "endpoints"},
    {"GET", "/v1/endpoints/activity", ROUTE_READ, .parameters = activity_parameters,
     .handle = sharing_ask, .text = "endpoints_activity", .is_operators = true},
    {"GET", "/v1/endpoints/{id}", ROUTE_READ, .handle = api_ask, .text = "endpoint"},
    {"POST", "/v1/endpoints", ROUTE_OPERATE, .has_body = true,
     .handle = changes_api_write_endpoint, .text = "endpoint_make", .tells_customer = true},
    {"PUT", "/v1/endpoints/{id}", ROUTE_OPERATE, .has_body = true,
     .handle = changes_api_write_endpoint, .text = "endpoint_replace"},
    {"PATCH", "/v1/endpoints/{id}", ROUTE_OPERATE, .has_body = true,
     .handle = changes_api_patch_endpoint, .text = "endpoint_change"},
    {"POST", "/v1/endpoints/{id}/disable", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_disable", .tells_who = true},
    {"DELETE", "/v1/endpoints/{id}", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_remove", .is_operators = true},
    {"POST", "/v1/endpoints/{id}/enable", ROUTE_OPERATE, .may_have_body = true,
     .handle = changes_api_enable_endpoint, .text = "endpoint_enable", .tells_who = true,
     .tells_customer = true},
    {"POST", "/v1/endpoints/{id}/pause", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_pause"},
    {"POST", "/v1/endpoints/{id}/resume", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_resume"},
    {"POST", "/v1/endpoints/{id}/test", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_test", .tells_who = true, .tells_customer = true},
    {"POST", "/v1/endpoints/{id}/doctor", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "endpoint_doctor", .tells_who = true, .tells_customer = true},
    {"GET", "/v1/endpoints/{id}/feed", ROUTE_READ, .parameters = feed_parameters,
     .handle = feed_api_ask, .text = "feed"},
    {"GET", "/v1/endpoints/{id}/feed/hours", ROUTE_READ, .parameters = feed_hours_parameters,
     .handle = feed_api_ask, .text = "feed_hours"},
    {"GET", "/v1/endpoints/{id}/history", ROUTE_READ, .parameters = history_parameters,
     .handle = history_api_ask_endpoint},
    {"GET", "/v1/history", ROUTE_READ, .parameters = history_parameters, .handle = history_api_ask,
     .is_operators = true},
    {"GET", "/v1/event-types", ROUTE_READ, .parameters = event_types_parameters, .handle = api_ask,
     .text = "event_types"},
    {"GET", "/v1/replays", ROUTE_READ, .parameters = replays_parameters, .handle = api_ask,
     .text = "replays"},
    {"GET", "/v1/replays/{id}", ROUTE_READ, .handle = api_ask, .text = "replay"},
    {"POST", "/v1/replays", ROUTE_OPERATE, .has_body = true, .handle = changes_api_make_replay,
     .text = "replay_make", .tells_who = true, .tells_customer = true},
    {"POST", "/v1/replays/{id}/stop", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "replay_stop"},
    {"POST", "/v1/replays/{id}/resume", ROUTE_OPERATE, .handle = changes_api_ask,
     .text = "replay_resume"},
    {"GET", "/v1/workers", ROUTE_READ, .handle = sharing_ask, .text = "workers", .is_operators = true},
    {"GET", "/v1/overview", ROUTE_READ, .handle = sharing_ask, .text = "overview",
     .is_operators = true},
    {"GET", "/v1/token", ROUTE_TOKEN, .handle = token_api_show},
    {"GET", "/v1/tokens", ROUTE_READ, .handle = api_ask, .text = "tokens", .is_operators = true},
    {"GET", "/metrics", ROUTE_READ, .handle = metrics_api_show, .is_operators = true},
    {"GET", "/healthz", ROUTE_PUBLIC, .handle = metrics_api_alive, .is_health = true},
    {"GET", "/readyz", ROUTE_PUBLIC, .handle = metrics_api_ready, .is_health = true},
    {"GET", "/v1/openapi.json", ROUTE_PUBLIC, .handle = document_show},
    {0},
};
/* clang-format on */

/* Whether a path is the pattern's, with a UUID for {id}, which is written to id. */
static bool is_path(struct slice path, const char *pattern, char id[ID_BYTES + 1])
{
    const char *place = strstr(pattern, ID);
    size_t before = place == NULL ? 0 : (size_t)(place - pattern);
    size_t length = place == NULL ? 0 : before + ID_BYTES + strlen(place + strlen(ID));

    id[0] = '\0';
    if (place == NULL)
        return slice_is(path, pattern);
    if (path.length != length || memcmp(path.at, pattern, before) != 0 ||
        memcmp(path.at + before + ID_BYTES, place + strlen(ID), length - before - ID_BYTES) != 0)
        return false;
    for (size_t i = 0; i < ID_BYTES; i++)
        id[i] = (char)tolower((unsigned char)path.at[before + i]);
    id[ID_BYTES] = '\0';
    return text_is_uuid(id);
}

static bool is_method(struct slice method, const struct route *route)
{
    return slice_is(method, route->method) ||
           (slice_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

/* NULL: there is none. allowed: the methods that the path knows, "" when there is no such path. */
static const struct route *find_route(const struct served_head *head, char id[ID_BYTES + 1],
                                      struct buffer *allowed)
{
    for (const struct route *route = routes_table; route->method != NULL; route++) {
        if (!is_path(head->path, route->path, id))
            continue;
        if (is_method(head->method, route))
            return route;
        buffer_append_format(allowed, "%s%s%s", allowed->length > 0 ? ", " : "", route->method,
                             strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    return page_route(head, allowed);
}

static bool refuse_no_route(struct client *client, const struct buffer *allowed)
{
    struct buffer header;

    if (allowed->length == 0) {
        client_refuse(client, 404, "", "there is nothing at this path");
        return false;
    }
    buffer_init(&header, 256);
    buffer_append_format(&header, "Allow: %s\r\n", buffer_string(allowed));
    client_refuse(client, 405, buffer_string(&header), "this path does not know the method");
    buffer_free(&header);
    return false;
}

/* --- a request of a route of the API --- */

static bool check_token(struct call *call)
{
    switch (call->route->access) {
    case ROUTE_PUBLIC:
        return true;
    case ROUTE_READ:
        return gate_check_reader(call->serve, call->client, TOKEN_READ, &call->token);
    case ROUTE_TOKEN:
        return gate_check_reader(call->serve, call->client,
                                 TOKEN_PUBLISH | TOKEN_READ | TOKEN_OPERATE, &call->token);
    case ROUTE_OPERATE:
        return gate_check_token(call->serve, call->client, TOKEN_OPERATE, &call->token);
    }
    bug("a route of no access");
}

/* What is nobody's in particular. */
static bool check_operator(struct call *call)
{
    if (!call->route->is_operators || call->token == NULL || call->token->customer[0] == '\0')
        return true;
    client_refuse(call->client, 403, "", "this is not for a customer's token");
    return false;
}

static bool check_query(struct call *call)
{
    const struct route *route = call->route;
    struct error error;

    if (query_string_read(client_request(call->client)->head.query, &call->query, &error) &&
        parameters_read(route->parameters != NULL ? route->parameters : no_parameters, &call->query,
                        &call->values, &error))
        return true;
    client_refuse(call->client, 400, "", error.message);
    return false;
}

/* Whether it may be handled; else it was refused. The values are to be freed in any case. */
static bool judge_call(struct call *call)
{
    if (!check_token(call) || !check_operator(call))
        return false;
    if (call->id[0] != '\0')
        parameter_values_add(&call->values, call->id);
    return check_query(call) &&
           (!call->route->has_body || gate_check_body(call->serve, call->client));
}

/* By which name, and from which site. */
static bool may_ask(struct serve *serve, struct client *client, const struct route *route)
{
    if (route != NULL && route->is_health)
        return true;
    return gate_check_host(serve, client) &&
           ((route != NULL && route->is_open) || gate_check_site(client));
}

bool routes_judge(struct serve *serve, struct client *client)
{
    struct call call = {.serve = serve, .client = client};
    struct buffer allowed;
    bool is_good;

    buffer_init(&allowed, 200);
    call.route = find_route(&client_request(client)->head, call.id, &allowed);
    if (!may_ask(serve, client, call.route))
        is_good = false;
    else if (call.route == NULL)
        is_good = refuse_no_route(client, &allowed);
    else if (call.route->own_judge != NULL)
        is_good = call.route->own_judge(serve, client);
    else
        is_good = judge_call(&call);
    parameter_values_free(&call.values);
    buffer_free(&allowed);
    return is_good;
}

/* Judged once more: the token may have ended while the body came, and what was read is not kept. */
void routes_handle(struct serve *serve, struct client *client)
{
    struct call call = {.serve = serve, .client = client};
    struct buffer allowed;

    buffer_init(&allowed, 200);
    call.route = find_route(&client_request(client)->head, call.id, &allowed);
    buffer_free(&allowed);
    if (call.route == NULL)
        bug("a request without a route was let in");
    if (call.route->own_handle != NULL)
        call.route->own_handle(serve, client);
    else if (judge_call(&call))
        call.route->handle(&call);
    parameter_values_free(&call.values);
}
