/* SPDX-License-Identifier: MIT */
/*
 * core/health.h: what an attempt says about the server that it went to. The one place that decides
 * it; what it means for the delivery is core/outcome.h's.
 *
 * An endpoint is a customer's URL, an origin its scheme, host and port. Trouble before the request
 * could be sent (name, connection, TLS) is the origin's, trouble after that the endpoint's alone,
 * so that one customer's broken hook on a shared host doesn't stop the others.
 */
#ifndef POSTRIDER_CORE_HEALTH_H
#define POSTRIDER_CORE_HEALTH_H

#include <stdbool.h>

#include "core/outcome.h"

enum health {
    HEALTH_GOOD,        /* 2xx */
    HEALTH_ALIVE,       /* 3xx, 4xx: whatever is wrong with the request, the server works */
    HEALTH_BUSY,        /* 429: it works and wants less */
    HEALTH_DOWN,        /* the endpoint: 5xx, no answer in time, a broken one */
    HEALTH_UNREACHABLE, /* the origin: name, connection, TLS, no connection in time */
    HEALTH_UNKNOWN,     /* no request was made, or it was abandoned */
};

/*
 * was_connected: with ATTEMPT_TIMEOUT, that the connection was ready before the time was up.
 * has_certificate: the endpoint shows a client certificate, so that TLS trouble may be its alone.
 */
enum health health_of(const struct attempt *attempt, bool was_connected, bool has_certificate);

/* How long the server has asked to be left alone (Retry-After on 429 or 503), at most max_ms. */
int64_t health_hold_ms(const struct attempt *attempt, int64_t max_ms);

/* True when the server has failed: its breaker counts it. */
bool health_is_failure(enum health health);

#endif
