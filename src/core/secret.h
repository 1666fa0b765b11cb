/* SPDX-License-Identifier: MIT */
/*
 * secret.h: signing secrets in their Standard Webhooks text forms.
 *
 *   whsec_ + base64 of 24 … 64 bytes    symmetric: HMAC-SHA256, signature "v1,"
 *   whsk_  + base64 of 32 or 64 bytes   ed25519 private key (seed, or seed and public key), "v1a,"
 *   whpk_  + base64 of 32 bytes         its public key, for receivers; no secret
 *
 * Base64 is written in the standard alphabet with padding, and read also in that for URLs and
 * without padding (RFC 4648, 4 and 5). Pure: random bytes are arguments.
 * Source: the Standard Webhooks specification, "Signature scheme".
 */
#ifndef POSTRIDER_CORE_SECRET_H
#define POSTRIDER_CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SECRET_BYTES_MAX         64
#define SECRET_TEXT_SIZE         128 /* any secret as text, with its NUL */
#define SECRET_NEW_BYTES         32  /* random bytes that secret_format() takes for a new one */
#define SECRET_SET_MAX           16  /* valid secrets of one endpoint at one time */
#define SECRET_ED25519_SEED_SIZE 32

enum secret_kind { SECRET_HMAC, SECRET_ED25519 };

struct secret {
    enum secret_kind kind;
    size_t length; /* bytes used of key: the HMAC key, or the 32 bytes of an ed25519 seed */
    unsigned char key[SECRET_BYTES_MAX];
};

struct secret_set {
    size_t count;
    struct secret secrets[SECRET_SET_MAX];
};

/*
 * Reads one secret. The error names what is wrong with it (prefix, base64, length, a 64-byte key
 * whose public half does not belong to its seed) and never quotes it.
 */
bool secret_parse(const char *text, struct secret *ret_secret, struct error *error) MUST_USE;

/*
 * Reads the secrets in text, one a line; blank lines and lines that begin with # are skipped,
 * blanks and a carriage return around a secret are dropped. Errors name the line; a text without
 * any secret is one.
 */
bool secret_set_parse(const char *text, struct secret_set *ret_set, struct error *error) MUST_USE;

/*
 * The pieces of it. Copies the line at text into line[], without the blanks around it, "" for a
 * comment, and returns where the next one begins; *ret_fits is false when it is longer than size.
 */
const char *secret_next_line(const char *text, char *line, size_t size, bool *ret_fits);
/* Adds one secret; false with error, and the set as it was, when it is none or there is no room. */
bool secret_set_add(struct secret_set *set, const char *text, struct error *error) MUST_USE;

/*
 * Writes a new secret made of SECRET_NEW_BYTES random bytes, in the form that secret_parse() reads;
 * a private key as 64 bytes, since that is what the specification's libraries take.
 */
bool secret_format(enum secret_kind kind, const unsigned char *random_bytes,
                   char text[SECRET_TEXT_SIZE], struct error *error) MUST_USE;

/* Writes the whpk_ text that belongs to an ed25519 secret. */
bool secret_format_public(const struct secret *secret, char text[SECRET_TEXT_SIZE],
                          struct error *error) MUST_USE;

/* Overwrites the keys; the compiler may not drop it. */
void secret_wipe(struct secret *secret);
void secret_set_wipe(struct secret_set *set);

#endif
