/* SPDX-License-Identifier: MIT */
/*
 * core/idempotency_key.h: what a client says in Idempotency-Key.
 *
 * draft-ietf-httpapi-idempotency-key-header wants a string in quotes (RFC 8941), most clients send
 * it bare; both are the same key. In quotes stands any visible ASCII and blanks, with \" and \\;
 * bare, neither quotes nor \, nor what would begin a list or a parameter (a comma, a semicolon),
 * nor blanks.
 */
#ifndef POSTRIDER_CORE_IDEMPOTENCY_KEY_H
#define POSTRIDER_CORE_IDEMPOTENCY_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define IDEMPOTENCY_KEY_MAX 255

/* False with *ret_reason: a sentence without its full stop, a constant. */
bool idempotency_key_read(const char *value, size_t length, char ret_key[IDEMPOTENCY_KEY_MAX + 1],
                          const char **ret_reason) MUST_USE;

#endif
