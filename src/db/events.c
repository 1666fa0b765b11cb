/* SPDX-License-Identifier: MIT */
#include "db/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "db/event_body.h"
#include "db/event_columns.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

/* $1 … $7 of both are the draft; $8 and $9 are deliver_after, as milliseconds or as a time. */
static const char sql_insert[] =
    "INSERT INTO webhook_events AS n (customer_id, event_type, payload, idempotency_key,"
    " correlation_id, causation_id, traceparent, deliver_after)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7,"
    " COALESCE(now() + $8::float8 * interval '1 millisecond', $9::timestamptz))"
    " ON CONFLICT (customer_id, idempotency_key) DO NOTHING"
    " RETURNING n.id, octet_length(" SQL_EVENT_BODY("n") ")";

/* A statement of its own: only its snapshot sees what another transaction has committed while the
 * INSERT waited for it. */
static const char sql_first[] =
    "SELECT n.id, n.event_type = $2 AND (n.payload = $3::jsonb OR n.erased_at IS NOT NULL)"
    " AND n.correlation_id IS NOT DISTINCT FROM $5::uuid"
    " AND n.causation_id IS NOT DISTINCT FROM $6::uuid"
    " AND n.traceparent IS NOT DISTINCT FROM $7"
    " FROM webhook_events n WHERE n.customer_id = $1 AND n.idempotency_key = $4";

/* starts_with() and = say what a subscription's pattern means. */
static const char sql_list[] =
    "SELECT " SQL_EVENT_COLUMNS("NULL::bigint", "100") " FROM webhook_events n"
    SQL_EVENT_COUNTS("100")
    " WHERE ($1::uuid IS NULL OR n.customer_id = $1)"
    " AND ($2::text IS NULL OR n.event_type = $2)"
    " AND ($3::text IS NULL OR starts_with(n.event_type, $3))"
    " AND ($4::timestamptz IS NULL OR n.created_at >= $4)"
    " AND ($5::timestamptz IS NULL OR n.created_at < $5)"
    " AND ($6::uuid IS NULL OR (n.created_at, n.id) <"
    " ((SELECT b.created_at FROM webhook_events b WHERE b.id = $6), $6))"
    " ORDER BY n.created_at DESC, n.id DESC LIMIT $7::bigint";

static const char sql_read[] =
    "SELECT " SQL_EVENT_COLUMNS("octet_length(" SQL_EVENT_BODY("n") ")", "10000")
    " FROM webhook_events n" SQL_EVENT_COUNTS("10000") " WHERE n.id = $1";

static const char sql_payload[] = "SELECT payload::text FROM webhook_events WHERE id = $1";

static const char sql_ids[] =
    "SELECT id FROM webhook_deliveries WHERE event_id = $1 AND endpoint_id IS NOT NULL"
    " ORDER BY endpoint_id LIMIT $2::bigint";

/* In the order of the index, so that no event's deliveries are all read to be sorted. */
static const char sql_deliveries[] =
    "SELECT d.event_id, d.id, d.endpoint_id, d.customer_id, d.webhook_url, d.status, "
    SQL_EVENT_DELIVERY_STATE ", d.attempts, d.response_status, d.last_error,"
    " CASE WHEN d.status = 'pending' THEN " SQL_UTC("d.next_retry_at") " END"
    " FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, place)"
    " CROSS JOIN LATERAL (SELECT * FROM webhook_deliveries w WHERE w.event_id = u.id"
    " AND w.endpoint_id IS NOT NULL ORDER BY w.endpoint_id LIMIT $2::bigint) d"
    " LEFT JOIN webhook_endpoints e ON e.id = d.endpoint_id"
    " ORDER BY u.place, d.endpoint_id";

/* clang-format on */

_Static_assert(EVENT_COUNT_MAX == 10000, "sql_read counts so many");

#define DRAFT_VALUES 7

struct draft_values {
    const char *values[DRAFT_VALUES + 2];
    char delay_ms[32];
};

static void draft_values(const struct event_draft *draft, struct draft_values *v)
{
    struct error ignored;
    int64_t ms;
    const char *after = draft->deliver_after;
    bool is_delay = after != NULL && units_parse_duration_ms(after, &ms, &ignored);

    if (is_delay)
        snprintf(v->delay_ms, sizeof(v->delay_ms), "%lld", (long long)ms);
    v->values[0] = draft->customer_id;
    v->values[1] = draft->event_type;
    v->values[2] = draft->payload;
    v->values[3] = draft->idempotency_key;
    v->values[4] = draft->correlation_id;
    v->values[5] = draft->causation_id;
    v->values[6] = draft->traceparent;
    v->values[7] = is_delay ? v->delay_ms : NULL;
    v->values[8] = is_delay ? NULL : after;
}

/* The event that has the draft's key already. */
static bool find_first(struct db_session *session, const struct event_draft *draft,
                       const struct draft_values *v, struct event_published *published,
                       struct error *error)
{
    PGresult *result = db_session_query(session, sql_first, DRAFT_VALUES, v->values, error);
    bool is_same;

    if (result == NULL)
        return false;
    if (PQntuples(result) == 0) {
        PQclear(result);
        error_set(error, "the event with the idempotency key \"%.100s\" was removed just now",
                  draft->idempotency_key);
        return error_hint(error, "publish it again");
    }
    text_copy(published->id, sizeof(published->id), PQgetvalue(result, 0, 0));
    is_same = row_is_true(result, 0, 1);
    PQclear(result);
    if (is_same)
        return true;
    error_set(error, "the idempotency key \"%.100s\" belongs to event %s, with other content",
              draft->idempotency_key, published->id);
    return error_hint(error, "nothing was published; another event needs another key");
}

static bool check_size(int64_t bytes, int64_t max_bytes, struct error *error)
{
    char size[UNITS_TEXT_SIZE];

    if (bytes <= max_bytes)
        return true;
    error_set(error, "the body that is sent for it has %lld bytes, over delivery.max_payload (%s)",
              (long long)bytes, units_format_size_bytes(max_bytes, size));
    return error_hint(error, "nothing was published: no worker would send it");
}

static bool insert(struct db_session *session, const struct event_draft *draft,
                   struct event_published *published, struct error *error)
{
    struct draft_values v;
    PGresult *result;
    bool ok;

    draft_values(draft, &v);
    result = db_session_query(session, sql_insert, DRAFT_VALUES + 2, v.values, error);
    if (result == NULL)
        return false;
    published->is_new = PQntuples(result) == 1;
    if (published->is_new) {
        text_copy(published->id, sizeof(published->id), PQgetvalue(result, 0, 0));
        ok = check_size(row_integer(result, 0, 1, 0), draft->max_bytes, error);
    } else
        ok = find_first(session, draft, &v, published, error);
    PQclear(result);
    return ok;
}

bool event_publish(struct db_session *session, const struct event_draft *draft,
                   struct event_published *ret_published, struct error *error)
{
    if (!db_session_begin(session, error))
        return false;
    if (insert(session, draft, ret_published, error))
        return db_session_commit(session, error);
    db_session_rollback(session);
    return false;
}

/* The columns of SQL_EVENT_COLUMNS. */
static struct event event_at(const PGresult *r, int row)
{
    return (struct event){
        .id = row_text(r, row, 0),
        .customer_id = row_text(r, row, 1),
        .event_type = row_text(r, row, 2),
        .created_at = row_text(r, row, 3),
        .created_ms_ago = row_integer(r, row, 4, 0),
        .idempotency_key = row_text(r, row, 5),
        .correlation_id = row_text(r, row, 6),
        .causation_id = row_text(r, row, 7),
        .traceparent = row_text(r, row, 8),
        .deliver_after = row_text(r, row, 9),
        .erased_at = row_text(r, row, 10),
        .is_cause_there = row_is_true(r, row, 11),
        .body_bytes = row_integer(r, row, 12, -1),
        .pending = row_integer(r, row, 13, 0),
        .delivered = row_integer(r, row, 14, 0),
        .dead = row_integer(r, row, 15, 0),
        .is_count_cut = row_is_true(r, row, 16),
    };
}

void event_list_of(PGresult *result, struct event_list *ret_list)
{
    *ret_list = (struct event_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        ret_list->rows[i] = event_at(result, (int)i);
}

void event_list_free(struct event_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct event_list){0};
}

static bool read_list(struct db_session *session, const char *sql, int count,
                      const char *const *values, struct event_list *ret_list, struct error *error)
{
    PGresult *result = db_session_read(session, sql, count, values, error);

    if (result == NULL)
        return false;
    event_list_of(result, ret_list);
    return true;
}

bool events_list(struct db_session *session, const struct event_filter *filter, int64_t limit,
                 struct event_list *ret_list, struct error *error)
{
    size_t length = filter->type != NULL ? strlen(filter->type) : 0;
    bool is_pattern = length > 0 && filter->type[length - 1] == '*';
    char *beginning = is_pattern ? memory_copy(filter->type, length - 1) : NULL;
    char limit_text[32];
    const char *values[] = {filter->customer, is_pattern ? NULL : filter->type,
                            beginning,        filter->since,
                            filter->until,    filter->before,
                            limit_text};
    bool ok;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    ok = read_list(session, sql_list, ARRAY_LENGTH(values), values, ret_list, error);
    free(beginning);
    return ok;
}

bool event_read(struct db_session *session, const char *id, struct event_list *ret_list,
                struct error *error)
{
    return read_list(session, sql_read, 1, &id, ret_list, error);
}

char *event_payload(struct db_session *session, const char *id, struct error *error)
{
    PGresult *result = db_session_read(session, sql_payload, 1, &id, error);
    char *payload = NULL;

    if (result == NULL)
        return NULL;
    if (PQntuples(result) == 1)
        payload = memory_copy_string(PQgetvalue(result, 0, 0));
    else
        error_set(error, "event %s was removed just now", id);
    PQclear(result);
    return payload;
}

PGresult *event_delivery_ids(struct db_session *session, const char *id, int limit,
                             struct error *error)
{
    char limit_text[16];
    const char *values[] = {id, limit_text};

    snprintf(limit_text, sizeof(limit_text), "%d", limit);
    return db_session_read(session, sql_ids, ARRAY_LENGTH(values), values, error);
}

static struct event_delivery delivery_at(const PGresult *r, int row)
{
    return (struct event_delivery){
        .event_id = row_text(r, row, 0),
        .id = row_text(r, row, 1),
        .endpoint_id = row_text(r, row, 2),
        .customer_id = row_text(r, row, 3),
        .url = row_text(r, row, 4),
        .status = row_text(r, row, 5),
        .state = row_text(r, row, 6),
        .attempts = row_integer(r, row, 7, 0),
        .response_status = row_integer(r, row, 8, 0),
        .last_error = row_text(r, row, 9),
        .next_retry_at = row_text(r, row, 10),
    };
}

bool event_deliveries_list(struct db_session *session, const char *event_ids, int64_t limit,
                           struct event_delivery_list *ret_list, struct error *error)
{
    char limit_text[32];
    const char *values[] = {event_ids, limit_text};
    PGresult *result;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    result = db_session_read(session, sql_deliveries, ARRAY_LENGTH(values), values, error);
    if (result == NULL)
        return false;
    *ret_list = (struct event_delivery_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        ret_list->rows[i] = delivery_at(result, (int)i);
    return true;
}

void event_delivery_list_free(struct event_delivery_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct event_delivery_list){0};
}
