/* SPDX-License-Identifier: MIT */
#include "serve/routes.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "serve/events_api.h"
#include "serve/gate.h"

static const struct route {
    const char *path;
    const char *method;
    client_judge *judge; /* what else it wants of the head */
    client_handle *handle;
} routes[] = {
    {"/v1/events", "POST", events_api_judge, events_api_handle},
};

static const struct route *find_route(const struct served_head *head, const char **ret_allowed)
{
    *ret_allowed = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (!slice_is(head->path, routes[i].path))
            continue;
        if (slice_is(head->method, routes[i].method))
            return &routes[i];
        *ret_allowed = routes[i].method;
    }
    return NULL;
}

bool routes_judge(struct serve *serve, struct client *client)
{
    const char *allowed;
    const struct route *route = find_route(&client_request(client)->head, &allowed);
    char header[64];

    if (!gate_check_origin(serve, client))
        return false;
    if (route != NULL)
        return route->judge(serve, client);
    if (allowed == NULL) {
        client_refuse(client, 404, "", "there is nothing at this path");
        return false;
    }
    snprintf(header, sizeof(header), "Allow: %s\r\n", allowed);
    client_refuse(client, 405, header, "this path does not know the method");
    return false;
}

void routes_handle(struct serve *serve, struct client *client)
{
    const char *allowed;
    const struct route *route = find_route(&client_request(client)->head, &allowed);

    if (route == NULL)
        bug("a request without a route was let in");
    route->handle(serve, client);
}
