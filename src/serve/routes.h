/* SPDX-License-Identifier: MIT */
/*
 * serve/routes.h: who may ask what, and who answers it.
 *
 * What a head says is judged before a byte of the body is read, in this order: whether it is meant
 * for this service at all (Host: DNS rebinding reaches loopback; Sec-Fetch-Site: a page of somebody
 * else's; not of the page's first file, which people reach by links), path and method, the token and its scope, and what the route wants of the head. Over TCP
 * a token is always needed, since a reverse proxy makes every stranger a client from loopback.
 */
#ifndef POSTRIDER_SERVE_ROUTES_H
#define POSTRIDER_SERVE_ROUTES_H

#include <stdbool.h>

#include "serve/clients.h"

/* These are clients_init()'s. */
bool routes_judge(struct serve *serve, struct client *client);
void routes_handle(struct serve *serve, struct client *client);

#endif
