/* SPDX-License-Identifier: MIT */
/*
 * serve/gate.h: the checks of a head that no route can do without (serve/routes.h).
 *
 * Each returns false when it has refused the request.
 */
#ifndef POSTRIDER_SERVE_GATE_H
#define POSTRIDER_SERVE_GATE_H

#include <stdbool.h>

#include "serve/clients.h"
#include "serve/tokens.h"

/* Host is one of our names. */
bool gate_check_host(struct serve *serve, struct client *client) MUST_USE;

/* No other site's page asks. */
bool gate_check_site(struct client *client) MUST_USE;

/* The token is valid and has a scope, or one of several as bits. *ret_token is valid in this turn. */
bool gate_check_token(struct serve *serve, struct client *client, unsigned scopes,
                      const struct token **ret_token) MUST_USE;

/* The same, but that a client of the unix socket may read without a token: *ret_token is NULL then. Not when a
 * reverse proxy has passed its request on: who reaches the proxy need not be who may open the socket. */
bool gate_check_reader(struct serve *serve, struct client *client, unsigned scopes,
                       const struct token **ret_token) MUST_USE;

/* A body of JSON, of a length that may be. */
bool gate_check_body(struct serve *serve, struct client *client) MUST_USE;

#endif
