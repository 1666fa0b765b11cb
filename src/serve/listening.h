/* SPDX-License-Identifier: MIT */
/*
 * serve/listening.h: the socket that clients connect to (http.listen).
 *
 * listen/socket.h opens it. While there is no room for a client, none is accepted.
 */
#ifndef POSTRIDER_SERVE_LISTENING_H
#define POSTRIDER_SERVE_LISTENING_H

#include <stdbool.h>

#include "base/error.h"
#include "serve/context.h"

/* False with error: it can't listen there. */
bool listening_init(struct serve *serve, struct error *error) MUST_USE;
void listening_free(struct serve *serve);

/* Where it listens, with the port that the system has chosen. */
const char *listening_address(const struct serve *serve);

/* Nobody new is let in from now on. */
void listening_stop(struct serve *serve);

/* Accepts again when there is room. */
void listening_step(struct serve *serve);

#endif
