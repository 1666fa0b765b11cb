/* SPDX-License-Identifier: MIT */
/*
 * serve/route.h: what stands in the table of routes (serve/routes.c), and a request that has found
 * its place there.
 */
#ifndef POSTRIDER_SERVE_ROUTE_H
#define POSTRIDER_SERVE_ROUTE_H

#include "core/query_string.h"
#include "serve/clients.h"
#include "serve/parameters.h"
#include "serve/tokens.h"

/* Valid until its handler returns. */
struct call {
    struct serve *serve;
    struct client *client;
    const struct route *route;
    const struct token *token; /* NULL: over the unix socket, or where none is needed */
    char id[37];               /* what stands for {id} in the path, in lower case; "" without one */
    struct query_string query;
    struct parameter_values values; /* the id, if the path has one, and the route's parameters */
};

/* Answers the client, now or later. */
typedef void route_handle(struct call *call);

enum route_access {
    ROUTE_PUBLIC,  /* without a token: it holds nothing */
    ROUTE_TOKEN,   /* with any token, whatever its scopes; over a unix socket without one, too */
    ROUTE_READ,    /* GET; over a unix socket without a token, too */
    ROUTE_OPERATE, /* changes something */
};

struct route {
    const char *method; /* a GET also answers HEAD */
    const char *path;   /* {id} is a UUID */
    enum route_access access;
    bool has_body;      /* of JSON */
    bool may_have_body; /* the same, if there is one: its handler looks */
    const struct parameter *parameters;
    route_handle *handle;
    const char *text;               /* of src/db/queries, for api_ask() */
    bool has_range;                 /* as in struct question */
    bool is_health;                 /* for whoever asks, by whatever name in Host */
    bool is_operators;              /* not for a customer's token */
    bool is_open;                   /* also asked by who follows a link on another site */
    bool tells_who, tells_customer; /* what a change's text gets (serve/changes_api.h) */
    /* Instead of all these: a route that judges its head itself. */
    client_judge *own_judge;
    client_handle *own_handle;
};

/* All there are; a method of NULL ends them. */
extern const struct route routes_table[];

#endif
