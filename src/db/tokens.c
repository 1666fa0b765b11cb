/* SPDX-License-Identifier: MIT */
#include "db/tokens.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hint.h"
#include "db/fragments.h"
#include "db/row.h"

#define HEX_SIZE (2 * TOKEN_HASH_BYTES + 1)

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_IS_VALID "(not_after IS NULL OR not_after > now())"
#define SQL_TODAY "(now() AT TIME ZONE 'UTC')::date"
#define SQL_AFTER(ms) "now() + " ms "::float8 * interval '1 millisecond'"

/* Of a name that there is already nothing is changed, and no row comes back. */
static const char sql_add[] =
    "INSERT INTO webhook_tokens (name, token_hash, scopes, customer_id, not_after, publish_rate)"
    " VALUES ($1, decode($2, 'hex'), string_to_array($3, ','), $4,"
    " CASE WHEN $5::float8 > 0 THEN " SQL_AFTER("$5") " END, nullif($6::float8, 0))"
    " ON CONFLICT (name) DO NOTHING RETURNING id";

/* One that has expired comes back only with a new end. */
static const char sql_rotate[] =
    "UPDATE webhook_tokens SET token_hash = decode($2, 'hex'),"
    " previous_hash = CASE WHEN $3::float8 > 0 AND " SQL_IS_VALID " THEN token_hash END,"
    " previous_not_after = CASE WHEN $3::float8 > 0 AND " SQL_IS_VALID
    " THEN LEAST(not_after, " SQL_AFTER("$3") ") END,"
    " not_after = CASE WHEN $4::float8 > 0 THEN " SQL_AFTER("$4") " ELSE not_after END"
    " WHERE name = $1 AND (" SQL_IS_VALID " OR $4::float8 > 0) RETURNING id";

static const char sql_revoke[] =
    "UPDATE webhook_tokens SET not_after = now(), previous_hash = NULL, previous_not_after = NULL"
    " WHERE name = $1 AND " SQL_IS_VALID " RETURNING id";

static const char sql_find[] = "SELECT id FROM webhook_tokens WHERE name = $1";

/* "created_at" alone would be the column of the answer, which is text. */
static const char sql_list[] =
    "SELECT id, name, array_to_string(scopes, ','), customer_id, " SQL_UTC("created_at") ", "
    SQL_UTC("not_after") ", " SQL_MS_SINCE("created_at") ", " SQL_MS_UNTIL("not_after")
    ", last_used_on, CASE WHEN previous_not_after > now() THEN " SQL_UTC("previous_not_after") " END, publish_rate"
    " FROM webhook_tokens WHERE $1::bool OR " SQL_IS_VALID
    " ORDER BY name";

static const char sql_valid[] =
    "SELECT id, name, array_to_string(scopes, ','), customer_id, " SQL_MS_UNTIL("not_after") ","
    " encode(token_hash, 'hex'), last_used_on IS NOT DISTINCT FROM " SQL_TODAY ", publish_rate, "
    SQL_UTC_EXACT("not_after")
    " FROM webhook_tokens WHERE " SQL_IS_VALID
    " UNION ALL"
    " SELECT id, name, array_to_string(scopes, ','), customer_id, "
    SQL_MS_UNTIL("previous_not_after") ", encode(previous_hash, 'hex'), last_used_on IS NOT DISTINCT FROM " SQL_TODAY ", publish_rate, "
    SQL_UTC_EXACT("previous_not_after")
    " FROM webhook_tokens WHERE " SQL_IS_VALID " AND previous_not_after > now()";

static const char sql_used[] =
    "UPDATE webhook_tokens SET last_used_on = " SQL_TODAY
    " WHERE id = ANY ($1::uuid[]) AND last_used_on IS DISTINCT FROM " SQL_TODAY;

/* clang-format on */

static void to_hex(const unsigned char hash[TOKEN_HASH_BYTES], char text[HEX_SIZE])
{
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

static unsigned nibble(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void from_hex(const char *text, unsigned char hash[TOKEN_HASH_BYTES])
{
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
        hash[i] = (unsigned char)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
}

/* A statement that changes one row, in a transaction of its own. False with error: it failed. */
static bool change(struct db_session *session, const char *sql, int count,
                   const char *const *values, bool *ret_found, struct error *error)
{
    PGresult *result;

    if (!db_session_begin(session, error))
        return false;
    result = db_session_query(session, sql, count, values, error);
    if (result == NULL) {
        db_session_rollback(session);
        return false;
    }
    *ret_found = PQntuples(result) == 1;
    PQclear(result);
    return db_session_commit(session, error);
}

bool tokens_add(struct db_session *session, const struct token_new *token, struct error *error)
{
    char hash[HEX_SIZE], expires[32], rate[32];
    const char *values[] = {token->name, hash, token->scopes, token->customer_id, expires, rate};
    bool is_made = false;

    to_hex(token->hash, hash);
    snprintf(expires, sizeof(expires), "%lld", (long long)token->expires_ms);
    snprintf(rate, sizeof(rate), "%lld", (long long)token->publish_rate);
    if (!change(session, sql_add, ARRAY_LENGTH(values), values, &is_made, error))
        return false;
    if (is_made)
        return true;
    error_set(error, "there is a token named \"%s\" already, valid or not", token->name);
    return error_hint(error,
                      "\"postrider token rotate %s%s\" replaces it, \"postrider token list "
                      "--all%s\" shows all",
                      token->name, hint_options(), hint_options());
}

/* Why no row was changed. */
static bool fail_unchanged(struct db_session *session, const char *name, const char *advice,
                           struct error *error)
{
    PGresult *result = db_session_read(session, sql_find, 1, &name, error);
    bool is_there = result != NULL && PQntuples(result) > 0;

    if (result == NULL)
        return false;
    PQclear(result);
    if (is_there) {
        error_set(error, "the token \"%s\" was revoked, or has expired", name);
        return error_hint(error, "%s", advice);
    }
    error_set(error, "there is no token named \"%s\"", name);
    return error_hint(error, "\"postrider token list%s\" shows their names", hint_options());
}

bool tokens_rotate(struct db_session *session, const struct token_rotation *rotation,
                   struct error *error)
{
    char hash[HEX_SIZE], grace[32], expires[32];
    const char *values[] = {rotation->name, hash, grace, expires};
    bool is_found = false;

    to_hex(rotation->hash, hash);
    snprintf(grace, sizeof(grace), "%lld", (long long)rotation->grace_ms);
    snprintf(expires, sizeof(expires), "%lld", (long long)rotation->expires_ms);
    if (!change(session, sql_rotate, 4, values, &is_found, error))
        return false;
    return is_found || fail_unchanged(session, rotation->name,
                                      "say with --expires how long the new one is to last", error);
}

bool tokens_revoke(struct db_session *session, const char *name, struct error *error)
{
    bool is_found = false;

    if (!change(session, sql_revoke, 1, &name, &is_found, error))
        return false;
    return is_found || fail_unchanged(session, name, "there is nothing to do", error);
}

PGresult *tokens_list(struct db_session *session, bool is_all, struct error *error)
{
    const char *values[] = {is_all ? "true" : "false"};

    return db_session_read(session, sql_list, 1, values, error);
}

struct token_row token_at(const PGresult *result, int row)
{
    return (struct token_row){
        .id = row_text(result, row, 0),
        .name = row_text(result, row, 1),
        .scopes = row_text(result, row, 2),
        .customer_id = row_text(result, row, 3),
        .created_at = row_text(result, row, 4),
        .not_after = row_text(result, row, 5),
        .created_ms_ago = row_integer(result, row, 6, 0),
        .valid_ms = row_integer(result, row, 7, INT64_MAX),
        .last_used_on = row_text(result, row, 8),
        .previous_until = row_text(result, row, 9),
        .publish_rate = row_number(result, row, 10, 0),
    };
}

bool tokens_send_valid(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {sql_valid, 0, {NULL}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

struct token_grant token_grant_at(const PGresult *result, int row)
{
    struct token_grant grant = {
        .id = row_text(result, row, 0),
        .name = row_text(result, row, 1),
        .scopes = token_scopes(row_text(result, row, 2)),
        .customer_id = row_text(result, row, 3),
        .valid_ms = row_integer(result, row, 4, INT64_MAX),
        .was_used_today = row_is_true(result, row, 6),
        .publish_rate = row_number(result, row, 7, 0),
        .not_after = row_text(result, row, 8),
    };

    from_hex(PQgetvalue(result, row, 5), grant.hash);
    return grant;
}

bool tokens_send_used(struct db_link *link, const char *ids, db_link_answered *on_answer,
                      void *owner)
{
    struct db_statement statement = {sql_used, 1, {ids}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}
