/* SPDX-License-Identifier: MIT */
/*
 * serve/replay_request.h: what the body of POST /v1/replays asks for, and whether a worker can carry
 * it out. The checks of webhook_replays are said here once more, so that the mistake can be named.
 */
#ifndef POSTRIDER_SERVE_REPLAY_REQUEST_H
#define POSTRIDER_SERVE_REPLAY_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* Whether it deletes, which is not for everybody. */
bool replay_request_is_discard(const json_t *body);

/* 0, or the status to refuse it with. */
int replay_request_check(const json_t *body, struct error *error) MUST_USE;

#endif
