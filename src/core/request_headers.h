/* SPDX-License-Identifier: MIT */
/*
 * request_headers.h: the headers of one request, as lines "Name: value" for the HTTP engine.
 *
 * The one place that knows what Postrider says about a delivery (Content-Type, User-Agent,
 * X-Event-ID, X-Delivery-Attempt, the three of Standard Webhooks, and what an event has besides);
 * the worker and "postrider send" both build their requests with it. Extra headers, from the
 * configuration and then from the endpoint's row, must have passed header_check(), which keeps them
 * from replacing any of ours. Those that are an event's to say (header_is_of_events()) go out with
 * a delivery that is of no event, as they always have; with an event's, what the event says goes
 * out, or nothing: a receiver need not ask who has set them. A traceparent of the attempt itself
 * takes the place of any other.
 *
 * The object owns the lines and can be used again for another request; what was returned by
 * request_headers_build() is valid until the next call for the same object.
 */
#ifndef POSTRIDER_CORE_REQUEST_HEADERS_H
#define POSTRIDER_CORE_REQUEST_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/header.h"

#define REQUEST_HEADERS_OWN   7
#define REQUEST_HEADERS_EVENT 6 /* more, of an event */
#define REQUEST_HEADERS_MAX   (REQUEST_HEADERS_OWN + REQUEST_HEADERS_EVENT + HEADERS_MAX)

struct request_headers {
    struct buffer text; /* the lines, a NUL after each */
    size_t count;
    size_t starts[REQUEST_HEADERS_MAX]; /* in text, which moves as it grows */
    size_t name_lengths[REQUEST_HEADERS_MAX];
    const char *lines[REQUEST_HEADERS_MAX];
};

/* What an event says of itself; NULL: nothing. */
struct request_event {
    const char *customer_id; /* whose event it is */
    const char *correlation_id;
    const char *causation_id;
    const char *traceparent;
    const char *ordering_key;
    const char *ordering_previous; /* the event before it in its key */
};

/* What differs from one request to the next; all of it borrowed for the call. */
struct request_facts {
    const char *event_id;              /* the receiver's idempotency key, equal on every retry */
    int attempt;                       /* 1 for the first request */
    int64_t timestamp_s;               /* of this attempt, as signed */
    const char *signature;             /* the value that signer_sign() made */
    const struct request_event *event; /* NULL: the delivery was made for none */
    const char *traceparent;           /* of this attempt, over all others; NULL: it has none */
};

void request_headers_init(struct request_headers *headers);
void request_headers_free(struct request_headers *headers);

/* Forgets all lines, keeps the memory. */
void request_headers_clear(struct request_headers *headers);

/*
 * Adds an extra header. One of the same name (in any case) that was added before gives way, so an
 * endpoint's headers win over the configuration's. False when there are HEADERS_MAX already.
 */
bool request_headers_add(struct request_headers *headers, const char *name,
                         const char *value) MUST_USE;

/* Adds Postrider's own headers to the extra ones and returns all lines; once between two clears. */
const char *const *request_headers_build(struct request_headers *headers,
                                         const struct request_facts *facts, size_t *ret_count);

#endif
