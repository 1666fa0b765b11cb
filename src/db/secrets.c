/* SPDX-License-Identifier: MIT */
#include "db/secrets.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "core/secret.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_IS_VALID "(not_after IS NULL OR not_after > now())"
#define SQL_IN_SCOPE                                                                               \
    "customer_id = $1 AND " SQL_ENDPOINT_HASH("url") " = " SQL_ENDPOINT_HASH("$2::text")           \
    " AND url = $2"

/* A hash, since what is compared goes to the server, and from there perhaps into its log. */
#define SQL_DIGEST "encode(sha256(convert_to(secret, 'UTF8')), 'hex')"

#define SQL_ROW                                                                                    \
    "SELECT id, customer_id, url, secret, " SQL_UTC("created_at") ", " SQL_MS_SINCE("created_at")  \
    ", " SQL_UTC("not_after") ", " SQL_MS_UNTIL("not_after") ", " SQL_DIGEST                       \
    " FROM webhook_secrets"

/* "created_at" alone would be the column of the answer, which is text in milliseconds. */
static const char sql_list[] =
    SQL_ROW " WHERE ($1::uuid IS NULL OR customer_id = $1)"
    " AND ($2::text IS NULL OR url = $2) AND ($3::bool OR " SQL_IS_VALID ")"
    " ORDER BY customer_id, url, webhook_secrets.created_at DESC, id";

static const char sql_walk[] =
    SQL_ROW " WHERE ($1::uuid IS NULL OR id > $1) AND ($2::bool OR " SQL_IS_VALID ")"
    " ORDER BY id LIMIT $3::bigint";

static const char sql_count_after[] =
    "SELECT count(*) FROM webhook_secrets WHERE $1::uuid IS NULL OR id > $1";

static const char sql_change[] =
    "UPDATE webhook_secrets SET secret = $2"
    " WHERE id = $1 AND customer_id = $3 AND url = $4 AND " SQL_DIGEST " = $5";

static const char sql_add[] =
    "INSERT INTO webhook_secrets (customer_id, url, secret) VALUES ($1, $2, $3) RETURNING id";

static const char sql_count_valid[] =
    "SELECT count(*) FROM webhook_secrets WHERE " SQL_IN_SCOPE " AND " SQL_IS_VALID;

static const char sql_retire[] =
    "WITH retired AS (UPDATE webhook_secrets"
    " SET not_after = LEAST(not_after, now() + $3::float8 * interval '1 millisecond')"
    " WHERE " SQL_IN_SCOPE " AND " SQL_IS_VALID " RETURNING 1)"
    " SELECT (SELECT count(*) FROM retired), "
    SQL_UTC("now() + $3::float8 * interval '1 millisecond'");

static const char sql_revoke[] =
    "UPDATE webhook_secrets SET not_after = now() WHERE id = $1 AND " SQL_IS_VALID
    " RETURNING customer_id, url";

/* clang-format on */

static bool read_list(struct db_session *session, const char *sql, const char *const values[3],
                      struct secret_list *ret_list, struct error *error)
{
    PGresult *result = db_session_read(session, sql, 3, values, error);

    if (result == NULL)
        return false;
    *ret_list = (struct secret_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (int i = 0; i < PQntuples(result); i++)
        ret_list->rows[i] = (struct secret_row){
            row_text(result, i, 0), row_text(result, i, 1),       row_text(result, i, 2),
            row_text(result, i, 3), row_text(result, i, 4),       row_integer(result, i, 5, 0),
            row_text(result, i, 6), row_integer(result, i, 7, 0), row_text(result, i, 8),
        };
    return true;
}

bool secrets_list(struct db_session *session, const char *customer, const char *url, bool is_all,
                  struct secret_list *ret_list, struct error *error)
{
    const char *values[] = {customer, url, is_all ? "true" : "false"};

    return read_list(session, sql_list, values, ret_list, error);
}

bool secrets_walk(struct db_session *session, const char *after_id, bool is_all,
                  struct secret_list *ret_list, struct error *error)
{
    char limit[16];
    const char *values[] = {after_id, is_all ? "true" : "false", limit};

    snprintf(limit, sizeof(limit), "%d", SECRETS_BATCH);
    return read_list(session, sql_walk, values, ret_list, error);
}

bool secrets_count_after(struct db_session *session, const char *after_id, int64_t *ret_count,
                         struct error *error)
{
    PGresult *result = db_session_read(session, sql_count_after, 1, &after_id, error);

    if (result == NULL)
        return false;
    *ret_count = row_integer(result, 0, 0, 0);
    PQclear(result);
    return true;
}

void secrets_list_free(struct secret_list *list)
{
    for (int i = 0; list->result != NULL && i < PQntuples(list->result); i++)
        OPENSSL_cleanse(PQgetvalue(list->result, i, 3), (size_t)PQgetlength(list->result, i, 3));
    PQclear(list->result);
    free(list->rows);
    *list = (struct secret_list){0};
}

/* A missing customer in words; the rest as it came. */
static bool add_failed(struct db_session *session, const struct secret_scope *scope,
                       struct error *error)
{
    if (strcmp(db_session_sqlstate(session), "23503") != 0)
        return false;
    error_set(error, "there is no customer %s", scope->customer);
    return error_hint(error, "its row in customers must be committed first");
}

static bool add_row(struct db_session *session, const struct secret_scope *scope,
                    const char *secret, char *ret_id, struct error *error)
{
    const char *values[] = {scope->customer, scope->url, secret};
    PGresult *result = db_session_query(session, sql_add, 3, values, error);

    if (result == NULL)
        return add_failed(session, scope, error);
    snprintf(ret_id, SECRET_ID_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static bool count_valid(struct db_session *session, const struct secret_scope *scope,
                        int64_t *ret_valid, struct error *error)
{
    const char *values[] = {scope->customer, scope->url};
    PGresult *result = db_session_query(session, sql_count_valid, 2, values, error);

    if (result == NULL)
        return false;
    *ret_valid = row_integer(result, 0, 0, 0);
    PQclear(result);
    return true;
}

/* With more, nothing could be signed at all. */
static bool check_room(int64_t valid, struct error *error)
{
    if (valid <= SECRET_SET_MAX)
        return true;
    error_set(error, "at most %d secrets can be valid at one time", SECRET_SET_MAX);
    return error_hint(error,
                      "\"postrider secret list%s\" shows them, \"postrider secret revoke ID%s\" "
                      "ends one",
                      hint_options(), hint_options());
}

char *secrets_scope_options(const struct secret_scope *scope)
{
    char *url = hint_quoted(scope->url);
    char *options = scope->url[0] == '\0'
                        ? memory_format("--customer %s", scope->customer)
                        : memory_format("--customer %s --url %s", scope->customer, url);

    free(url);
    return options;
}

/* The end of a transaction whose statements succeeded or not. */
static bool finish(struct db_session *session, bool ok, struct error *error)
{
    if (ok)
        return db_session_commit(session, error);
    db_session_rollback(session);
    return false;
}

static bool change_row(struct db_session *session, struct secret_change *change,
                       struct error *error)
{
    const struct secret_row *row = change->row;
    const char *values[] = {row->id, change->secret, row->customer_id, row->url, row->digest};
    PGresult *result = db_session_query(session, sql_change, 5, values, error);

    if (result == NULL)
        return false;
    change->is_done = strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    return true;
}

bool secrets_change(struct db_session *session, struct secret_change *changes, size_t count,
                    struct error *error)
{
    bool ok = true;

    if (!db_session_begin(session, error))
        return false;
    for (size_t i = 0; ok && i < count; i++)
        ok = change_row(session, &changes[i], error);
    return finish(session, ok, error);
}

bool secrets_add_within(struct db_session *session, const struct secret_scope *scope,
                        const char *secret, char ret_id[SECRET_ID_SIZE], int64_t *ret_valid,
                        struct error *error)
{
    return add_row(session, scope, secret, ret_id, error) &&
           count_valid(session, scope, ret_valid, error) && check_room(*ret_valid, error);
}

bool secrets_add(struct db_session *session, const struct secret_scope *scope, const char *secret,
                 char ret_id[SECRET_ID_SIZE], int64_t *ret_valid, struct error *error)
{
    bool ok;

    if (!db_session_begin(session, error))
        return false;
    ok = secrets_add_within(session, scope, secret, ret_id, ret_valid, error);
    return finish(session, ok, error);
}

static bool retire(struct db_session *session, const struct secret_scope *scope, int64_t overlap_ms,
                   struct secret_rotation *rotation, struct error *error)
{
    char overlap[32];
    const char *values[] = {scope->customer, scope->url, overlap};
    PGresult *result;
    char *options;

    snprintf(overlap, sizeof(overlap), "%lld", (long long)overlap_ms);
    result = db_session_query(session, sql_retire, 3, values, error);
    if (result == NULL)
        return false;
    rotation->retired = row_integer(result, 0, 0, 0);
    snprintf(rotation->until, sizeof(rotation->until), "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
    if (rotation->retired > 0)
        return true;
    error_set(error, "customer %s has no valid secret %s%s to rotate", scope->customer,
              scope->url[0] != '\0' ? "for " : "of its own", scope->url);
    options = secrets_scope_options(scope);
    error_hint(error,
               "\"postrider secret new %s%s\" makes the first one, \"postrider secret list%s\" "
               "shows them",
               options, hint_options(), hint_options());
    free(options);
    return false;
}

bool secrets_rotate(struct db_session *session, const struct secret_scope *scope,
                    const char *secret, int64_t overlap_ms, struct secret_rotation *ret_rotation,
                    struct error *error)
{
    int64_t valid;
    bool ok;

    if (!db_session_begin(session, error))
        return false;
    /* Two of these at once keep both new ones: both have been given to somebody. */
    ok = retire(session, scope, overlap_ms, ret_rotation, error) &&
         add_row(session, scope, secret, ret_rotation->id, error) &&
         count_valid(session, scope, &valid, error) && check_room(valid, error);
    return finish(session, ok, error);
}

bool secrets_revoke(struct db_session *session, const char *id, bool *ret_found, int64_t *ret_left,
                    struct error *error)
{
    PGresult *result;
    bool ok;

    if (!db_session_begin(session, error))
        return false;
    result = db_session_query(session, sql_revoke, 1, &id, error);
    ok = result != NULL;
    *ret_found = ok && PQntuples(result) == 1;
    if (*ret_found) {
        struct secret_scope scope = {row_text(result, 0, 0), row_text(result, 0, 1)};

        ok = count_valid(session, &scope, ret_left, error);
    }
    PQclear(result);
    return finish(session, ok, error);
}
