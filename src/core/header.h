/* SPDX-License-Identifier: MIT */
/*
 * header.h: which extra headers a configuration or an endpoint may add to a request.
 *
 * A name is an RFC 9110 token, a value has no control character but tab (RFC 9110, 5.5: so no
 * header can be injected), and neither may replace what Postrider itself says: content-type,
 * content-length, transfer-encoding, connection, host, expect, user-agent, x-event-id,
 * x-delivery-attempt, webhook-*, cookie, proxy-*, te, trailer, upgrade, keep-alive.
 *
 * Some names are an event's to say: x-correlation-id, x-causation-id, traceparent, x-customer-id,
 * x-ordering-key, x-ordering-previous. Endpoints may have had them of their own before there were
 * events, so they are not refused: core/request_headers.h says when such a header goes out.
 */
#ifndef POSTRIDER_CORE_HEADER_H
#define POSTRIDER_CORE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define HEADER_NAME_MAX_BYTES  256
#define HEADER_VALUE_MAX_BYTES 4096
#define HEADERS_MAX            64 /* extra headers of one request */

bool header_check(const char *name, const char *value, struct error *error) MUST_USE;

/* True when an event alone says what a header of this name, of so many bytes, has. */
bool header_is_of_events(const char *name, size_t length);

/*
 * True when a header's name of so many bytes says that its value is a password, token or the like,
 * to be shown to nobody: Authorization, Proxy-Authorization, X-Api-Key …; rather too often.
 */
bool header_is_credential(const char *name, size_t length);

#endif
