/* SPDX-License-Identifier: MIT */
/*
 * serve/tokens.h: who a bearer token stands for.
 *
 * All valid tokens are read every second and kept in memory, so that a request costs no question,
 * and one that was revoked is taken for at most two seconds more. What is older than 10 s, since
 * the database is away, is not believed any more. Uses are noted once a day.
 */
#ifndef POSTRIDER_SERVE_TOKENS_H
#define POSTRIDER_SERVE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/token.h"
#include "serve/context.h"

/* Valid until the next loop turn. */
struct token {
    char id[37];
    char name[TOKEN_NAME_MAX + 1];
    char customer[37];  /* "": of every customer */
    char not_after[32]; /* RFC 3339, "": until it is revoked */
    unsigned scopes;
    double publish_rate; /* events a second; 0 = as many as it likes */
    bool was_used_today;
    int64_t valid_until_us;
    unsigned char hash[TOKEN_HASH_BYTES];
};

void tokens_init(struct serve *serve);
void tokens_free(struct serve *serve);

/* False: nobody knows at present which tokens are valid. */
bool tokens_are_known(const struct serve *serve);

/* NULL: it is none, or not valid. text is the token alone. */
const struct token *tokens_find(struct serve *serve, const char *text, size_t length);

void tokens_step(struct serve *serve);
int64_t tokens_next_us(const struct serve *serve);

#endif
