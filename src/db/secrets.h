/* SPDX-License-Identifier: MIT */
/*
 * db/secrets.h: the rows of webhook_secrets: adding, rotating, listing and revoking.
 *
 * A secret is valid until not_after, for ever when that is NULL. url '' is for all endpoints of a
 * customer; the secrets of an endpoint's own URL go before those. Each function begins and ends its
 * transaction.
 */
#ifndef POSTRIDER_DB_SECRETS_H
#define POSTRIDER_DB_SECRETS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/sealed_secret.h"
#include "db/session.h"

#define SECRET_ID_SIZE 40

/* So many rows are read, and changed in one transaction, where all are walked through. */
#define SECRETS_BATCH 100

/* Text belongs to the list; secrets_list_free() wipes it. */
struct secret_row {
    const char *id;
    const char *customer_id;
    const char *url;
    const char *secret;
    const char *created_at;
    int64_t created_ms_ago;
    const char *not_after; /* NULL: valid for ever */
    int64_t valid_ms;      /* of not_after: negative when it is past */
    const char *digest;    /* of secret, as the database has it: tells whether it was changed */
};

struct secret_list {
    PGresult *result;
    size_t count;
    struct secret_row *rows;
};

/* "--customer UUID --url URL" as a command of Postrider takes it, quoted for a shell. The caller
 * frees it. */
char *secrets_scope_options(const struct secret_scope *scope) MUST_USE;

/* NULL for a customer or url: of any. Without expired ones unless is_all. The newest first. */
bool secrets_list(struct db_session *session, const char *customer, const char *url, bool is_all,
                  struct secret_list *ret_list, struct error *error) MUST_USE;
void secrets_list_free(struct secret_list *list);

/* A batch of all that there are, in the order of their ids: those after that id, NULL = the first
 * ones. An empty list ends the walk. */
bool secrets_walk(struct db_session *session, const char *after_id, bool is_all,
                  struct secret_list *ret_list, struct error *error) MUST_USE;

/* How many are left of such a walk, expired ones too. */
bool secrets_count_after(struct db_session *session, const char *after_id, int64_t *ret_count,
                         struct error *error) MUST_USE;

/* What a row's secret becomes. */
struct secret_change {
    const struct secret_row *row;
    char secret[SEALED_TEXT_SIZE];
    bool
        is_done; /* set by secrets_change(); false: somebody else changed or deleted it meanwhile */
};

/* Makes all of them in one transaction, each only if the row is still as it was read. */
bool secrets_change(struct db_session *session, struct secret_change *changes, size_t count,
                    struct error *error) MUST_USE;

/* Adds one that is valid for ever. *ret_valid is how many of the scope are valid now. */
bool secrets_add(struct db_session *session, const struct secret_scope *scope, const char *secret,
                 char ret_id[SECRET_ID_SIZE], int64_t *ret_valid, struct error *error) MUST_USE;

/* The same in the caller's transaction. */
bool secrets_add_within(struct db_session *session, const struct secret_scope *scope,
                        const char *secret, char ret_id[SECRET_ID_SIZE], int64_t *ret_valid,
                        struct error *error) MUST_USE;

struct secret_rotation {
    char id[SECRET_ID_SIZE]; /* of the new one */
    int64_t retired;         /* older ones that are valid until the overlap ends */
    char until[64];          /* when that is, in UTC */
};

/*
 * Adds secret and lets the scope's older valid ones end overlap_ms from now, unless they end sooner
 * anyway. False with error, and nothing changed, when there is no older one.
 */
bool secrets_rotate(struct db_session *session, const struct secret_scope *scope,
                    const char *secret, int64_t overlap_ms, struct secret_rotation *ret_rotation,
                    struct error *error) MUST_USE;

/*
 * Ends a secret now. *ret_found is false when there is none with this id that is still valid;
 * *ret_left is how many valid ones its scope has left.
 */
bool secrets_revoke(struct db_session *session, const char *id, bool *ret_found, int64_t *ret_left,
                    struct error *error) MUST_USE;

#endif
