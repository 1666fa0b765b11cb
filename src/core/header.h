/* SPDX-License-Identifier: MIT */
/*
 * header.h: which extra headers a configuration or an endpoint may add to a request.
 *
 * A name is an RFC 9110 token, a value has no control character but tab (RFC 9110, 5.5: so no
 * header can be injected), and neither may replace what Postrider itself says: content-type,
 * content-length, transfer-encoding, connection, host, expect, user-agent, x-event-id,
 * x-delivery-attempt, webhook-*, cookie, proxy-*, te, trailer, upgrade, keep-alive.
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

/*
 * True when a header's name of so many bytes says that its value is a password, token or the like,
 * to be shown to nobody: Authorization, Proxy-Authorization, X-Api-Key …; rather too often.
 */
bool header_is_credential(const char *name, size_t length);

#endif
