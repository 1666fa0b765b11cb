/* SPDX-License-Identifier: MIT */
/*
 * core/token.h: bearer tokens: how they look, and what of them is kept.
 *
 * "prt_" and 32 random bytes in base64url, so that a scanner for leaked secrets knows one when it
 * sees it. Kept is its SHA-256 alone: of 256 random bits nothing can be guessed, so no slow hash is
 * needed. Pure: random bytes come from the caller.
 */
#ifndef POSTRIDER_CORE_TOKEN_H
#define POSTRIDER_CORE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define TOKEN_PREFIX     "prt_"
#define TOKEN_BYTES      32
#define TOKEN_SIZE       (sizeof(TOKEN_PREFIX) + 43) /* the text with its NUL */
#define TOKEN_HASH_BYTES 32
#define TOKEN_NAME_MAX   64

enum token_scope { TOKEN_PUBLISH = 1, TOKEN_READ = 2, TOKEN_OPERATE = 4 };

/* The token of some random bytes. */
void token_format(const unsigned char random[TOKEN_BYTES], char text[TOKEN_SIZE]);

/* False when this can be no token; the hash is of the whole text. */
bool token_hash(const char *text, size_t length, unsigned char hash[TOKEN_HASH_BYTES]) MUST_USE;

/* In a time that tells nothing of where they differ. */
bool token_hash_is_same(const unsigned char a[TOKEN_HASH_BYTES],
                        const unsigned char b[TOKEN_HASH_BYTES]);

/* "publish,read" as bits; 0 when a word is none of the scopes, or there is none. */
unsigned token_scopes(const char *text);

/* Letters, digits, full stops, - and _, not a full stop or - first, at most TOKEN_NAME_MAX. */
bool token_name_is_good(const char *name);

#endif
