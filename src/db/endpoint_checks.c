/* SPDX-License-Identifier: MIT */
#include "db/endpoint_checks.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

#define EVENTS_LOOKED_AT "1000"
#define PENDING_MAX      "1000"

_Static_assert(ENDPOINT_CHECK_PENDING_MAX == 1000 && ENDPOINT_CHECK_PASSES == 3 &&
                   ENDPOINT_CHECK_WAIT_S == 120,
               "the statements say so too");

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_IS_CHECK "r.kind = ANY ('{test,doctor}'::text[])"
/* What the table's check says of other kinds, nobody knows. */
#define SQL_ENDPOINT_ID "CASE WHEN " SQL_IS_CHECK " THEN (r.filter ->> 'endpoint_id')::uuid END"
/* As webhook_customer_endpoints shows them. */
#define SQL_MAY_BE_ASKED                                                                           \
    "(r.customer_id IS NULL OR (e.customer_id = r.customer_id AND e.allow IS NULL"                 \
    " AND e.client_certificate IS NULL AND NOT e.all_customers))"

/* $1 lanes, $2 limit, $3 the milliseconds that it is taken for. */
static const char sql_take[] =
    "WITH due AS MATERIALIZED (SELECT r.id, e.id AS endpoint_id FROM webhook_replays r"
    " JOIN webhook_endpoints e ON e.id = " SQL_ENDPOINT_ID
    " WHERE r.finished_at IS NULL AND r.stopped_at IS NULL AND " SQL_IS_CHECK
    " AND r.due_at <= clock_timestamp() AND (r.started_at IS NULL OR r.pass < 3)"
    " AND " SQL_MAY_BE_ASKED " AND (($1::int8 >> " SQL_LANE("e.url") ") & 1) = 1"
    " ORDER BY r.due_at, r.id LIMIT $2::bigint FOR UPDATE OF r SKIP LOCKED),"
    " taken AS (UPDATE webhook_replays r SET started_at = COALESCE(r.started_at, clock_timestamp()),"
    " pass = CASE WHEN r.started_at IS NULL THEN 1 ELSE r.pass + 1 END,"
    " due_at = clock_timestamp() + $3::int8 * interval '1 millisecond'"
    " FROM due WHERE r.id = due.id"
    " RETURNING r.id, r.kind, r.customer_id, r.requested_by, r.pass, due.endpoint_id)"
    " SELECT 0, o.secrets, CASE WHEN o.secrets IS NULL THEN " SQL_SECRETS_OF("e.customer_id", "''") " END"
    ENDPOINT_ROW_SQL
    ", t.id, t.kind, t.customer_id, t.requested_by, t.pass,"
    " round(extract(epoch FROM clock_timestamp()) * 1000)::bigint, e.id, e.customer_id, e.url, e.ordering, "
    SQL_UTC("e.disabled_at") ", " SQL_UTC("e.failing_since") ", cardinality(e.event_types),"
    " (SELECT count(*) FROM webhook_secrets s WHERE s.customer_id = e.customer_id AND s.url IN ('', e.url)"
    " AND hashtextextended(s.url, 0) IN (hashtextextended('', 0), hashtextextended(e.url, 0))"
    " AND s.not_after <= now()),"
    " (SELECT CASE WHEN bool_and(s.not_after IS NOT NULL) THEN " SQL_MS_UNTIL("max(s.not_after)") " END"
    " FROM webhook_secrets s WHERE s.customer_id = e.customer_id"
    " AND s.url = CASE WHEN o.secrets IS NULL THEN '' ELSE e.url END"
    " AND hashtextextended(s.url, 0) = hashtextextended(CASE WHEN o.secrets IS NULL THEN '' ELSE e.url END, 0)"
    " AND (s.not_after IS NULL OR s.not_after > now())),"
    " (SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.status = 'pending'"
    " AND " SQL_ENDPOINT_HASH("d.webhook_url") " = " SQL_ENDPOINT_HASH("e.url")
    " AND d.webhook_url = e.url AND d.customer_id = e.customer_id LIMIT " PENDING_MAX ") p),"
    " v.looked_at, v.matching"
    " FROM taken t JOIN webhook_endpoints e ON e.id = t.endpoint_id"
    " CROSS JOIN LATERAL (SELECT " SQL_SECRETS_OF("e.customer_id", "e.url") ") AS o (secrets)"
    " CROSS JOIN LATERAL (SELECT count(*) AS looked_at, count(*) FILTER (WHERE"
    " webhook_event_patterns(n.event_type::text) && e.event_types::text[]) AS matching FROM ("
    "(SELECT event_type FROM webhook_events WHERE NOT e.all_customers AND e.event_types IS NOT NULL"
    " AND customer_id = e.customer_id ORDER BY created_at DESC, id DESC LIMIT " EVENTS_LOOKED_AT ") UNION ALL"
    " (SELECT event_type FROM webhook_events WHERE e.all_customers AND e.event_types IS NOT NULL"
    " ORDER BY created_at DESC, id DESC LIMIT " EVENTS_LOOKED_AT ")) n) v";

enum {
    TAKEN_ID = ENDPOINT_COLUMNS, TAKEN_KIND, TAKEN_CUSTOMER, TAKEN_REQUESTED_BY, TAKEN_PASS,
    TAKEN_DATABASE_MS, TAKEN_ENDPOINT, TAKEN_ENDPOINT_CUSTOMER, TAKEN_URL, TAKEN_ORDERING,
    TAKEN_DISABLED, TAKEN_FAILING, TAKEN_TYPES, TAKEN_EXPIRED_SECRETS, TAKEN_SECRET_ENDS,
    TAKEN_PENDING, TAKEN_LOOKED_AT, TAKEN_MATCHING
};

/* $1: whether it is to be done. */
static const char sql_end[] =
    "WITH lost AS MATERIALIZED (SELECT r.id, CASE"
    " WHEN r.stopped_at IS NOT NULL THEN 'it was stopped before it was done'"
    " WHEN e.id IS NULL OR NOT " SQL_MAY_BE_ASKED " THEN 'there is no such endpoint'"
    " WHEN r.started_at IS NULL AND r.requested_at < now() - interval '120 seconds'"
    " THEN 'no worker that owns the lane of its URL has taken it up within 2 minutes: is one running, of this version?'"
    " WHEN r.pass >= 3 AND r.due_at < clock_timestamp()"
    " THEN 'three workers have begun it, and none of them has come to its end' END AS error"
    " FROM webhook_replays r LEFT JOIN webhook_endpoints e ON e.id = " SQL_ENDPOINT_ID
    " WHERE $1::boolean AND r.finished_at IS NULL AND " SQL_IS_CHECK " FOR UPDATE OF r SKIP LOCKED)"
    " UPDATE webhook_replays r SET finished_at = clock_timestamp(), error = lost.error"
    " FROM lost WHERE r.id = lost.id AND lost.error IS NOT NULL RETURNING r.id, r.error";

static const char sql_result[] =
    "UPDATE webhook_replays SET result = $3::jsonb, done = 1, finished_at = clock_timestamp()"
    " WHERE id = $1::uuid AND pass = $2::integer AND finished_at IS NULL RETURNING 1";

/* A role that may not write a result can say so. */
static const char sql_error[] =
    "UPDATE webhook_replays SET error = $3, finished_at = clock_timestamp()"
    " WHERE id = $1::uuid AND pass = $2::integer AND finished_at IS NULL RETURNING 1";

static const char sql_return[] =
    "UPDATE webhook_replays SET due_at = clock_timestamp()"
    " WHERE id = $1::uuid AND pass = $2::integer AND finished_at IS NULL";

static const char sql_outlook[] =
    "SELECT EXISTS (SELECT FROM webhook_workers WHERE lease_expires_at > now()),"
    " COALESCE(l.lease_expires_at > now(), false), l.lane FROM webhook_endpoints e"
    " LEFT JOIN webhook_lanes l ON l.lane = " SQL_LANE("e.url") " WHERE e.id = $1::uuid";

/* clang-format on */

/* What a policy could hide is refused, and never taken for something that isn't there. */
static struct db_statement guard(const char *schema)
{
    return (struct db_statement){
        row_security_guard(), ROW_SECURITY_PARAMETERS, {schema, ROW_SECURITY_WRITING}};
}

/* The statements of endpoint_checks_send_take(). */
enum { TAKE_GUARD, TAKE_END, TAKE_ITSELF };

bool endpoint_checks_send_take(struct db_link *link, const char *schema, uint64_t lanes, int limit,
                               int64_t lease_ms, bool ends_others, db_link_answered *on_answer,
                               void *owner)
{
    char bits[TEXT_INTEGER_SIZE], count[TEXT_INTEGER_SIZE], lease[TEXT_INTEGER_SIZE];
    const struct db_statement statements[] = {
        [TAKE_GUARD] = guard(schema),
        [TAKE_END] = {sql_end, 1, {ends_others ? "true" : "false"}},
        [TAKE_ITSELF] = {sql_take,
                         3,
                         {text_integer((int64_t)lanes, bits), text_integer(limit, count),
                          text_integer(lease_ms, lease)}},
    };

    return db_link_send_often(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

int endpoint_checks_taken_count(const struct db_answer *answer)
{
    return PQntuples(answer->results[TAKE_ITSELF]);
}

struct endpoint_check_taken endpoint_checks_taken(const struct db_answer *answer, int row)
{
    const PGresult *result = answer->results[TAKE_ITSELF];
    struct endpoint_check_taken taken = {
        .id = row_text(result, row, TAKEN_ID),
        .kind = row_text(result, row, TAKEN_KIND),
        .customer_id = row_text(result, row, TAKEN_CUSTOMER),
        .requested_by = row_text(result, row, TAKEN_REQUESTED_BY),
        .pass = (int)row_integer(result, row, TAKEN_PASS, 0),
        .database_ms = row_integer(result, row, TAKEN_DATABASE_MS, 0),
        .endpoint_id = row_text(result, row, TAKEN_ENDPOINT),
        .endpoint_customer_id = row_text(result, row, TAKEN_ENDPOINT_CUSTOMER),
        .url = row_text(result, row, TAKEN_URL),
        .ordering = row_text(result, row, TAKEN_ORDERING),
        .disabled_at = row_text(result, row, TAKEN_DISABLED),
        .failing_since = row_text(result, row, TAKEN_FAILING),
        .types_count = row_integer(result, row, TAKEN_TYPES, -1),
        .expired_secrets = row_integer(result, row, TAKEN_EXPIRED_SECRETS, 0),
        .secrets_end_ms = row_integer(result, row, TAKEN_SECRET_ENDS, -1),
        .pending = row_integer(result, row, TAKEN_PENDING, 0),
        .events_looked_at = row_integer(result, row, TAKEN_LOOKED_AT, 0),
        .events_matching = row_integer(result, row, TAKEN_MATCHING, 0),
        .found = endpoint_found_at(result, row),
    };

    taken.paused_at = taken.found.row.paused_at;
    return taken;
}

void endpoint_checks_wipe(const struct db_answer *answer)
{
    endpoint_rows_wipe(answer->results[TAKE_ITSELF]);
}

int endpoint_checks_ended_count(const struct db_answer *answer)
{
    return PQntuples(answer->results[TAKE_END]);
}

struct endpoint_check_ended endpoint_checks_ended(const struct db_answer *answer, int row)
{
    const PGresult *result = answer->results[TAKE_END];

    return (struct endpoint_check_ended){row_text(result, row, 0), row_text(result, row, 1)};
}

/* The statements of those that write one row. */
enum { WRITE_GUARD, WRITE_ITSELF };

static bool send_write(struct db_link *link, const char *schema, const struct db_statement *write,
                       db_link_answered *on_answer, void *owner)
{
    const struct db_statement statements[] = {
        [WRITE_GUARD] = guard(schema), [WRITE_ITSELF] = *write};

    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool endpoint_checks_send_result(struct db_link *link, const char *schema, const char *id, int pass,
                                 const char *result, const char *error, db_link_answered *on_answer,
                                 void *owner)
{
    char number[TEXT_INTEGER_SIZE];
    const struct db_statement write = {
        result != NULL ? sql_result : sql_error,
        3,
        {id, text_integer(pass, number), result != NULL ? result : error}};

    return send_write(link, schema, &write, on_answer, owner);
}

bool endpoint_checks_was_written(const struct db_answer *answer)
{
    return PQntuples(answer->results[WRITE_ITSELF]) > 0;
}

bool endpoint_checks_send_return(struct db_link *link, const char *schema, const char *id, int pass,
                                 db_link_answered *on_answer, void *owner)
{
    char number[TEXT_INTEGER_SIZE];
    const struct db_statement write = {sql_return, 2, {id, text_integer(pass, number)}};

    return send_write(link, schema, &write, on_answer, owner);
}

bool endpoint_checks_outlook(struct db_session *session, const char *endpoint_id,
                             struct endpoint_check_outlook *ret_outlook, struct error *error)
{
    PGresult *result = db_session_read(session, sql_outlook, 1, &endpoint_id, error);

    if (result == NULL)
        return false;
    *ret_outlook = (struct endpoint_check_outlook){.lane = -1};
    if (PQntuples(result) > 0)
        *ret_outlook = (struct endpoint_check_outlook){
            .has_workers = row_is_true(result, 0, 0),
            .is_lane_owned = row_is_true(result, 0, 1),
            .lane = (int)row_integer(result, 0, 2, -1),
        };
    PQclear(result);
    return true;
}
