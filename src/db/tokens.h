/* SPDX-License-Identifier: MIT */
/*
 * db/tokens.h: the bearer tokens of "postrider serve" (webhook_tokens).
 *
 * Tokens themselves never come here, only their hashes (core/token.h). The commands make and end
 * them over a session; serve reads all that are valid over a link, and notes the day of a use.
 * Names are unique, whatever has become of the token: a rotation keeps the name, and with it the
 * scope of its idempotency keys, and nobody else gets the answers that were kept for it.
 */
#ifndef POSTRIDER_DB_TOKENS_H
#define POSTRIDER_DB_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/token.h"
#include "db/link.h"
#include "db/session.h"

#define TOKENS_MAX 10000 /* serve takes no more at one time */

struct token_row {
    const char *id;
    const char *name;
    const char *scopes;      /* "publish,read" */
    const char *customer_id; /* NULL: of every customer */
    const char *created_at;
    const char *not_after; /* NULL: until it is revoked */
    int64_t created_ms_ago;
    int64_t valid_ms;           /* until not_after; negative when it is past */
    double publish_rate;        /* events a second; 0: as many as it likes */
    const char *last_used_on;   /* "2031-05-17"; NULL: never */
    const char *previous_until; /* the token before is taken until then; NULL: it is not */
};

struct token_new {
    const char *name;
    const char *scopes;      /* "publish,read" */
    const char *customer_id; /* NULL: of every customer */
    int64_t expires_ms;      /* 0: never */
    int64_t publish_rate;    /* events a second; 0: as many as it likes */
    unsigned char hash[TOKEN_HASH_BYTES];
};

struct token_rotation {
    const char *name;
    int64_t grace_ms;   /* how long the token before is still taken */
    int64_t expires_ms; /* 0: as it was */
    unsigned char hash[TOKEN_HASH_BYTES];
};

bool tokens_add(struct db_session *session, const struct token_new *token,
                struct error *error) MUST_USE;
bool tokens_rotate(struct db_session *session, const struct token_rotation *rotation,
                   struct error *error) MUST_USE;

/* Ends it now; false with an error when there is none of that name that is valid. */
bool tokens_revoke(struct db_session *session, const char *name, struct error *error) MUST_USE;

/* The caller clears it; rows by token_at(). NULL with error. */
PGresult *tokens_list(struct db_session *session, bool is_all, struct error *error) MUST_USE;
struct token_row token_at(const PGresult *result, int row);

/* What serve keeps of one. Texts belong to the result. */
struct token_grant {
    const char *id;
    const char *name;
    unsigned scopes;         /* of enum token_scope */
    const char *customer_id; /* NULL: of every customer */
    int64_t valid_ms;        /* INT64_MAX: until it is revoked */
    const char *not_after;   /* RFC 3339; NULL: until it is revoked */
    double publish_rate;     /* events a second; 0: as many as it likes */
    bool was_used_today;
    unsigned char hash[TOKEN_HASH_BYTES];
};

/* All that are valid, the ones before a rotation as rows of their own. */
bool tokens_send_valid(struct db_link *link, db_link_answered *on_answer, void *owner) MUST_USE;
struct token_grant token_grant_at(const PGresult *result, int row);

/* ids: an array of the tokens that were used today. */
bool tokens_send_used(struct db_link *link, const char *ids, db_link_answered *on_answer,
                      void *owner) MUST_USE;

#endif
