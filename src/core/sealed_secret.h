/* SPDX-License-Identifier: MIT */
/*
 * core/sealed_secret.h: signing secrets as they may stand in the database, encrypted.
 *
 *   enc1:NAME:BASE64    AES-256-GCM by the key NAME: nonce (12 bytes), ciphertext, tag (16 bytes)
 *
 * Customer and URL of the row are authenticated with it, and the key's name: a sealed secret that
 * is copied to another customer's or another URL's row does not open there. What does not begin
 * with "enc" and a digit is plain text, as an application's own SQL writes it. Keys are
 *
 *   NAME BASE64         32 random bytes; NAME of at most 32 letters, digits, "-", "_" and "."
 *
 * one a line; the first one seals, all of them open. A nonce must be random and must not be used
 * twice; with 12 random bytes a key is good for 2^32 secrets (NIST SP 800-38D, 8.3). What this
 * does not protect against: somebody who can write to the table can put a secret of his own there.
 *
 * Pure: random bytes are arguments. No error quotes a secret, sealed or not, or a key.
 */
#ifndef POSTRIDER_CORE_SEALED_SECRET_H
#define POSTRIDER_CORE_SEALED_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/secret.h"

#define SEALING_KEYS_MAX     16
#define SEALING_KEY_NAME_MAX 32
#define SEALING_KEY_BYTES    32
#define SEALING_NONCE_BYTES  12
#define SEALED_TEXT_SIZE     256 /* any sealed secret, with its NUL */

struct sealing_key {
    char name[SEALING_KEY_NAME_MAX + 1];
    unsigned char bytes[SEALING_KEY_BYTES];
};

struct sealing_keys {
    size_t count; /* 0: none were given, nothing is sealed or opened */
    struct sealing_key keys[SEALING_KEYS_MAX];
};

/* Whose a secret is: a customer's, for one URL or, with "", for all. */
struct secret_scope {
    const char *customer; /* uuid */
    const char *url;
};

/*
 * Reads the keys in text; blank lines and lines that begin with # are skipped. Errors name the
 * line. A text without a key, and a name or a key that comes twice, are errors.
 */
bool sealing_keys_parse(const char *text, struct sealing_keys *ret_keys,
                        struct error *error) MUST_USE;
void sealing_keys_wipe(struct sealing_keys *keys);

/* Seals a secret with the first key. False with error when OpenSSL fails or the secret is too long.
 */
bool sealed_secret_seal(const struct sealing_keys *keys, const struct secret_scope *scope,
                        const char *secret, const unsigned char nonce[SEALING_NONCE_BYTES],
                        char text[SEALED_TEXT_SIZE], struct error *error) MUST_USE;

enum sealed_state {
    SEALED_PLAIN,      /* it is not sealed */
    SEALED_CURRENT,    /* with the first key */
    SEALED_OLD,        /* with another one */
    SEALED_UNREADABLE, /* it can't be opened, or is no secret */
};

/*
 * Opens what a row's secret column holds, or copies it when it is plain; without blanks around it.
 * SEALED_UNREADABLE with error, and ret_secret emptied, unless it is exactly one valid secret.
 */
enum sealed_state sealed_secret_open(const struct sealing_keys *keys,
                                     const struct secret_scope *scope, const char *text,
                                     char ret_secret[SECRET_TEXT_SIZE],
                                     struct error *error) MUST_USE;

enum sealed_set_result {
    SEALED_SET_OK,
    SEALED_SET_CLOSED,  /* one is sealed and can't be opened: by another key it might be */
    SEALED_SET_INVALID, /* there is no valid secret, or too many of them */
};

/* The secrets of a set that no key makes readable, beside others that can be read. */
struct sealed_set_skipped {
    int count;
    int line;           /* of the first one, from 1 */
    struct error error; /* what is wrong with it */
};

/*
 * Reads the secrets of one scope, one a line, plain or sealed. Those that can't be read by any key
 * are left out and told of in ret_skipped, as long as there is another. One that another key may
 * open closes the set: what it would sign, its receiver waits for. ret_set is only written with
 * SEALED_SET_OK, error only without.
 */
enum sealed_set_result sealed_set_parse(const struct sealing_keys *keys,
                                        const struct secret_scope *scope, const char *text,
                                        struct secret_set *ret_set,
                                        struct sealed_set_skipped *ret_skipped,
                                        struct error *error) MUST_USE;

/* The name of the key that a sealed secret wants, as text says; "" for a plain one or nonsense. */
void sealed_secret_key_name(const char *text, char name[SEALING_KEY_NAME_MAX + 1]);

#endif
