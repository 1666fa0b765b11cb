/* SPDX-License-Identifier: MIT */
/*
 * serve/events_api.h: POST /v1/events.
 */
#ifndef POSTRIDER_SERVE_EVENTS_API_H
#define POSTRIDER_SERVE_EVENTS_API_H

#include "serve/clients.h"

/* As serve/gate.h: false when it has refused the request. */
bool events_api_judge(struct serve *serve, struct client *client) MUST_USE;

void events_api_handle(struct serve *serve, struct client *client);

#endif
