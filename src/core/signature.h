/* SPDX-License-Identifier: MIT */
/*
 * signature.h: the webhook-signature header (Standard Webhooks).
 *
 * For each secret of the set one signature of "id.timestamp.body", separated by a space, in the
 * set's order: "v1," + base64(HMAC-SHA256) or "v1a," + base64(ed25519). A signer holds OpenSSL
 * contexts that are keyed once and re-initialised for each message; it belongs to whoever made it
 * and is used by one thread. The key material is wiped when it is freed.
 */
#ifndef POSTRIDER_CORE_SIGNATURE_H
#define POSTRIDER_CORE_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "core/secret.h"

/* Bytes that are enough for the value of the header, with any set. */
#define SIGNATURE_MAX (128 * (size_t)SECRET_SET_MAX)

struct signer;

/* NULL with an error when a key is refused by OpenSSL. The set is copied. */
struct signer *signer_new(const struct secret_set *set, struct error *error) MUST_USE;
void signer_free(struct signer *signer);

/*
 * Appends the header's value. id is the event id, timestamp_s the webhook-timestamp. False when
 * out overflows (SIGNATURE_MAX is enough) or OpenSSL fails, with out as it was.
 */
bool signer_sign(struct signer *signer, const char *id, int64_t timestamp_s, const void *body,
                 size_t body_length, struct buffer *out, struct error *error) MUST_USE;

#endif
