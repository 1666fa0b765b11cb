/* SPDX-License-Identifier: MIT */
/*
 * send_payload.h: the body of the request that "postrider send" makes.
 *
 * Sent, and signed, byte for byte as it was given, without line ends at its end. It must be JSON,
 * as a delivery's is, of at most max_bytes.
 */
#ifndef POSTRIDER_COMMAND_SEND_PAYLOAD_H
#define POSTRIDER_COMMAND_SEND_PAYLOAD_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* data is JSON text, "@FILE", or "-" for standard input. */
bool send_payload_read(const char *data, size_t max_bytes, struct buffer *ret_payload,
                       struct error *error) MUST_USE;

#endif
