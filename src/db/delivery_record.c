/* SPDX-License-Identifier: MIT */
#include "db/delivery_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "db/adoption.h"
#include "db/event_body.h"
#include "db/fragments.h"
#include "db/row.h"

enum record_column {
    RECORD_ID,
    RECORD_EVENT,
    RECORD_CUSTOMER,
    RECORD_URL,
    RECORD_EVENT_TYPE,
    RECORD_STATUS,
    RECORD_ATTEMPTS,
    RECORD_LAST_ATTEMPT,
    RECORD_LAST_ATTEMPT_MS,
    RECORD_NEXT,
    RECORD_NEXT_MS,
    RECORD_CREATED,
    RECORD_CREATED_MS,
    RECORD_RESPONSE,
    RECORD_ERROR,
    RECORD_PAYLOAD_BYTES,
    RECORD_LANE,
    RECORD_OWNER,
    RECORD_LEASE_MS,
    RECORD_SEEN_MS,
    RECORD_ENDPOINT,
    RECORD_DISABLED,
    RECORD_DISABLED_MS,
    RECORD_SECRETS,
    RECORD_AHEAD,
    RECORD_FAILING,
    RECORD_FAILING_MS,
    RECORD_PROBLEMS,
    RECORD_UNTOUCHED,
    RECORD_FAILED_AT,
    RECORD_FAILED_MS,
    RECORD_OF_EVENT,
    RECORD_EVENT_THERE,
    RECORD_ELSEWHERE,
    RECORD_ORDERING_KEY,
    RECORD_ORDERING_HEAD,
    RECORD_ORDERING_DEAD,
    RECORD_ORDERING_NOTED,
    RECORD_ERASED,
    RECORD_ERASED_MS,
    RECORD_ENDPOINT_ROW, /* and those behind it */
};

/* SQL reads better by its clauses. */
/* clang-format off */

/* The endpoint's own secrets sign when one of them is valid, else the customer's (url ''). */
#define SQL_SECRETS                                                                                \
    "COALESCE((SELECT count(*) FROM webhook_secrets s WHERE s.customer_id = d.customer_id"         \
    " AND s.url IN (d.webhook_url, '') AND (s.not_after IS NULL OR s.not_after > now())"           \
    " GROUP BY s.url ORDER BY s.url = '' LIMIT 1), 0)"

#define SQL_AHEAD                                                                                  \
    "(SELECT count(*) FROM (SELECT FROM webhook_deliveries o WHERE o.status = 'pending'"           \
    " AND " SQL_ENDPOINT_HASH("o.webhook_url") " = " SQL_ENDPOINT_HASH("d.webhook_url")            \
    " AND (o.next_retry_at, o.id) < (d.next_retry_at, d.id) LIMIT 1001) earlier)"

/* Whose turn it is in the ordering key of d, which is pending. A dead letter blocks when it is the last
 * that has ended before the first that has not. */
#define SQL_ORDERING                                                                               \
    " LEFT JOIN LATERAL (SELECT d.ordering_key, h.head, CASE WHEN h.is_blocked THEN (SELECT w.id"  \
    " FROM webhook_deliveries w WHERE w.endpoint_id = d.endpoint_id"                               \
    " AND w.ordering_key = d.ordering_key AND (w.status = 'pending') IS FALSE"                     \
    " AND w.ordering_sequence < (SELECT f.ordering_sequence FROM webhook_deliveries f"             \
    " WHERE f.id = h.head) ORDER BY w.ordering_sequence DESC LIMIT 1) END AS dead,"                \
    " EXISTS (SELECT FROM webhook_promotions n WHERE n.delivery_ids @> ARRAY[d.id]"                \
    " OR (n.endpoint_id = d.endpoint_id AND n.ordering_key = d.ordering_key)) AS is_noted"         \
    " FROM webhook_ordering_head(d.endpoint_id, d.ordering_key) h) k"                              \
    " ON d.ordering_key IS NOT NULL AND d.status = 'pending'"

/* The columns of enum record_column, in its order, as in src/db/queries/delivery.sql. */
static const char sql_record[] =
    "SELECT d.id, d.event_id, d.customer_id, d.webhook_url, d.event_type, d.status, d.attempts, "
    SQL_UTC("d.last_attempt_at") ", " SQL_MS_SINCE("d.last_attempt_at") ", "
    SQL_UTC("d.next_retry_at") ", " SQL_MS_UNTIL("d.next_retry_at") ", "
    SQL_UTC("d.created_at") ", " SQL_MS_SINCE("d.created_at") ", "
    "d.response_status, d.last_error, octet_length(CASE WHEN d.payload IS NULL THEN "
    SQL_EVENT_BODY("v") " ELSE d.payload::text END), "
    SQL_LANE("d.webhook_url") ", l.owner, " SQL_MS_UNTIL("l.lease_expires_at") ", "
    SQL_MS_SINCE("w.seen_at") ", e.id, "
    SQL_UTC("e.disabled_at") ", " SQL_MS_SINCE("e.disabled_at") ", "
    SQL_SECRETS ", " SQL_AHEAD ", "
    SQL_UTC("e.failing_since") ", " SQL_MS_SINCE("e.failing_since") ", w.problems, "
    SQL_UNTOUCHED ", " SQL_UTC("d.failed_at") ", " SQL_MS_SINCE("d.failed_at") ", "
    "d.payload IS NULL, v.id IS NOT NULL, EXISTS (SELECT FROM webhook_endpoints m"
    " WHERE m.id = d.endpoint_id AND (m.customer_id, m.url) <> (d.customer_id, d.webhook_url)),"
    " k.ordering_key, k.head, k.dead, k.is_noted, "
    SQL_UTC("COALESCE(d.erased_at, v.erased_at)") ", " SQL_MS_SINCE("COALESCE(d.erased_at, v.erased_at)")
    ENDPOINT_ROW_SQL
    " FROM (SELECT *, CASE WHEN status = 'failed' THEN " SQL_FAILED_AT " END AS failed_at"
    " FROM webhook_deliveries) d"
    " LEFT JOIN webhook_endpoints e ON e.customer_id = d.customer_id"
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("d.webhook_url")
    " AND e.url = d.webhook_url"
    " LEFT JOIN webhook_events v ON d.payload IS NULL AND v.id = d.event_id"
    " LEFT JOIN webhook_lanes l ON l.lane = " SQL_LANE("d.webhook_url")
    " LEFT JOIN webhook_workers w ON w.owner = l.owner"
    SQL_ORDERING " WHERE d.id = $1";

static const char sql_attempts[] =
    "SELECT attempt, " SQL_UTC("started_at") ", " SQL_MS_SINCE("started_at")
    ", duration_ms, response_status, error, response_body, url,"
    " COALESCE(url, (SELECT webhook_url FROM webhook_deliveries WHERE id = $1))"
    " FROM (SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT 200) l"
    " ORDER BY id";

static const char sql_event[] =
    "SELECT id FROM webhook_deliveries WHERE event_id = $1"
    " ORDER BY created_at, id LIMIT $2::bigint";

/* clang-format on */

static void fill_record(const PGresult *r, int first, struct delivery_record *record)
{
    record->id = row_text(r, 0, first + RECORD_ID);
    record->event_id = row_text(r, 0, first + RECORD_EVENT);
    record->customer_id = row_text(r, 0, first + RECORD_CUSTOMER);
    record->url = row_text(r, 0, first + RECORD_URL);
    record->event_type = row_text(r, 0, first + RECORD_EVENT_TYPE);
    record->status = row_text(r, 0, first + RECORD_STATUS);
    record->attempts = row_integer(r, 0, first + RECORD_ATTEMPTS, 0);
    record->last_attempt_at = row_text(r, 0, first + RECORD_LAST_ATTEMPT);
    record->last_attempt_ms_ago = row_integer(r, 0, first + RECORD_LAST_ATTEMPT_MS, 0);
    record->next_retry_at = row_text(r, 0, first + RECORD_NEXT);
    record->due_in_ms = row_integer(r, 0, first + RECORD_NEXT_MS, 0);
    record->created_at = row_text(r, 0, first + RECORD_CREATED);
    record->created_ms_ago = row_integer(r, 0, first + RECORD_CREATED_MS, 0);
    record->response_status = row_integer(r, 0, first + RECORD_RESPONSE, 0);
    record->last_error = row_text(r, 0, first + RECORD_ERROR);
    record->payload_bytes = row_integer(r, 0, first + RECORD_PAYLOAD_BYTES, 0);
    record->lane = row_integer(r, 0, first + RECORD_LANE, 0);
    record->lane_owner = row_text(r, 0, first + RECORD_OWNER);
    record->lease_ms = row_integer(r, 0, first + RECORD_LEASE_MS, 0);
    record->worker_problems_ms_ago = row_integer(r, 0, first + RECORD_SEEN_MS, 0);
    record->endpoint_id = row_text(r, 0, first + RECORD_ENDPOINT);
    record->disabled_at = row_text(r, 0, first + RECORD_DISABLED);
    record->disabled_ms_ago = row_integer(r, 0, first + RECORD_DISABLED_MS, 0);
    record->secret_count = row_integer(r, 0, first + RECORD_SECRETS, 0);
    record->ahead = row_integer(r, 0, first + RECORD_AHEAD, 0);
    record->failing_since = row_text(r, 0, first + RECORD_FAILING);
    record->failing_ms_ago = row_integer(r, 0, first + RECORD_FAILING_MS, 0);
    record->worker_problems = row_text(r, 0, first + RECORD_PROBLEMS);
    record->is_of_before = row_is_true(r, 0, first + RECORD_UNTOUCHED);
    record->failed_at = row_text(r, 0, first + RECORD_FAILED_AT);
    record->failed_ms_ago = row_integer(r, 0, first + RECORD_FAILED_MS, 0);
    record->is_of_event = row_is_true(r, 0, first + RECORD_OF_EVENT);
    record->is_event_there = row_is_true(r, 0, first + RECORD_EVENT_THERE);
    record->is_endpoint_elsewhere = row_is_true(r, 0, first + RECORD_ELSEWHERE);
    record->ordering_key = row_text(r, 0, first + RECORD_ORDERING_KEY);
    record->ordering_head = row_text(r, 0, first + RECORD_ORDERING_HEAD);
    record->ordering_dead = row_text(r, 0, first + RECORD_ORDERING_DEAD);
    record->is_ordering_noted = row_is_true(r, 0, first + RECORD_ORDERING_NOTED);
    record->erased_at = row_text(r, 0, first + RECORD_ERASED);
    record->erased_ms_ago = row_integer(r, 0, first + RECORD_ERASED_MS, 0);
    record->endpoint = endpoint_row_at(r, 0, first + RECORD_ENDPOINT_ROW);
}

struct delivery_record delivery_record_at(const PGresult *result, int first)
{
    struct delivery_record record = {0};

    /* A text that was forgotten when a column was added would tell wrong things. */
    if (PQnfields(result) != first + RECORD_ENDPOINT_ROW + ENDPOINT_ROW_COUNT)
        bug("a record of a delivery has %d columns", PQnfields(result) - first);
    fill_record(result, first, &record);
    return record;
}

bool delivery_record_read(struct db_session *session, const char *id,
                          struct delivery_record *ret_record, bool *ret_found, struct error *error)
{
    PGresult *result = db_session_read(session, sql_record, 1, &id, error);

    if (result == NULL)
        return false;
    *ret_record = (struct delivery_record){.result = result};
    *ret_found = PQntuples(result) == 1;
    if (*ret_found)
        fill_record(result, 0, ret_record);
    return true;
}

void delivery_record_free(struct delivery_record *record)
{
    PQclear(record->result);
    *record = (struct delivery_record){0};
}

bool delivery_record_find_event(struct db_session *session, const char *event_id, int limit,
                                PGresult **ret_ids, struct error *error)
{
    char limit_text[16];
    const char *values[] = {event_id, limit_text};

    snprintf(limit_text, sizeof(limit_text), "%d", limit);
    *ret_ids = db_session_read(session, sql_event, 2, values, error);
    return *ret_ids != NULL;
}

static void fill_attempt(const PGresult *result, int row, struct delivery_attempt *attempt)
{
    *attempt = (struct delivery_attempt){
        .attempt = row_integer(result, row, 0, 0),
        .started_at = row_text(result, row, 1),
        .started_ms_ago = row_integer(result, row, 2, 0),
        .duration_ms = row_integer(result, row, 3, 0),
        .response_status = row_integer(result, row, 4, 0),
        .error = row_text(result, row, 5),
        .response_body = row_text(result, row, 6),
        .is_elsewhere = row_text(result, row, 7) != NULL,
        .url = row_text(result, row, 8),
    };
}

bool delivery_attempts_read(struct db_session *session, const char *id,
                            struct delivery_attempts *ret_attempts, struct error *error)
{
    PGresult *result = db_session_read(session, sql_attempts, 1, &id, error);

    if (result == NULL)
        return false;
    *ret_attempts = (struct delivery_attempts){result, (size_t)PQntuples(result), NULL};
    ret_attempts->rows = memory_new(ret_attempts->count + 1, sizeof(*ret_attempts->rows));
    for (size_t i = 0; i < ret_attempts->count; i++)
        fill_attempt(result, (int)i, &ret_attempts->rows[i]);
    return true;
}

void delivery_attempts_free(struct delivery_attempts *attempts)
{
    PQclear(attempts->result);
    free(attempts->rows);
    *attempts = (struct delivery_attempts){0};
}
