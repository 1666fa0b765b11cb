/* SPDX-License-Identifier: MIT */
/*
 * serve/event_request.h: what the body of POST /v1/events says, and whether that may be published.
 *
 * One object or an array of at most EVENT_REQUEST_MAX. All is checked here that can be known
 * without the database, for what the database refuses it refuses to all that share a transaction.
 * A member that is not known is refused, since it is most likely one whose name is mistyped.
 * serve/json_body.h reads it; what goes to the database are the bytes of each object as they came, so numbers
 * stay what they are.
 */
#ifndef POSTRIDER_SERVE_EVENT_REQUEST_H
#define POSTRIDER_SERVE_EVENT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/served_head.h"

#define EVENT_REQUEST_MAX 1000

struct event_request {
    bool is_array;
    bool is_ordered; /* an event has an ordering key */
    size_t count;
    struct slice *events; /* into the body; owned */
};

/*
 * only_customer: NULL = any. 0, or the status to refuse it with: 400 (it is no JSON), 403
 * (another customer's), 422; the error's message says why. Free it in any case.
 */
int event_request_read(const char *body, size_t length, const char *only_customer,
                       struct event_request *ret_request, struct error *error) MUST_USE;

void event_request_free(struct event_request *request);

#endif
