/* SPDX-License-Identifier: MIT */
#include "db/erasure.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/text.h"
#include "core/outcome.h"
#include "db/array.h"
#include "db/fragments.h"
#include "db/row.h"

#define BATCH_ROWS    1000
#define PAGE_EVENTS   500
#define PART_BLOCKS   4096 /* 32 MiB */
#define IDS_MAX_BYTES ((size_t)64 * 1024)
/* Of the role's: who asks for this waits for it. */
#define NO_TIME_LIMIT "SET LOCAL statement_timeout = 0"
#define HAS_TID_RANGE_SCAN \
    140000 /* version; before, each part would be a scan of the whole table */
#define LAST_BLOCK INT64_C(4294967295)

/* SQL reads better by its clauses. */
/* clang-format off */

/* $1 event, $2 customer */
#define SQL_EVENTS                                                                                 \
    "FROM webhook_events e WHERE ($1::uuid IS NULL OR e.id = $1) AND ($2::uuid IS NULL OR e.customer_id = $2)"
#define SQL_IS_PLAIN                                                                               \
    "d.endpoint_id IS NULL AND ($1::uuid IS NULL OR d.event_id = $1)"                              \
    " AND ($2::uuid IS NULL OR d.customer_id = $2)"

static const char sql_count[] =
    "WITH e AS MATERIALIZED (SELECT e.id, e.erased_at " SQL_EVENTS "),"
    " d AS MATERIALIZED (SELECT d.status, d.erased_at, true AS is_of_event FROM e"
    " JOIN webhook_deliveries d ON d.event_id = e.id AND d.endpoint_id IS NOT NULL"
    " UNION ALL SELECT d.status, d.erased_at, false FROM webhook_deliveries d WHERE " SQL_IS_PLAIN ")"
    " SELECT (SELECT count(*) FROM e WHERE erased_at IS NULL),"
    " count(*) FILTER (WHERE erased_at IS NULL AND is_of_event),"
    " count(*) FILTER (WHERE erased_at IS NULL AND NOT is_of_event),"
    " count(*) FILTER (WHERE erased_at IS NULL AND status = 'pending'),"
    " count(erased_at) + (SELECT count(erased_at) FROM e),"
    " (SELECT count(*) FROM webhook_endpoints WHERE customer_id = $2),"
    " (SELECT count(*) FROM webhook_secrets WHERE customer_id = $2) FROM d";

static const char sql_begin[] =
    "INSERT INTO webhook_erasures (event_id, customer_id) VALUES ($1, $2) RETURNING id";

static const char sql_finish[] =
    "UPDATE webhook_erasures SET finished_at = clock_timestamp(), changed_at = clock_timestamp()"
    " WHERE id = $1";

/* $3, $4: the event behind which the page begins; $5, row: the one in webhook_erasures. */
#define SQL_PAGE(condition)                                                                        \
    "WITH page AS MATERIALIZED (SELECT e.id, e.created_at " SQL_EVENTS condition                   \
    " AND (e.created_at, e.id) > ($3::timestamptz, $4::uuid)"                                      \
    " ORDER BY e.created_at, e.id LIMIT " TEXT_OF(PAGE_EVENTS) "), "

/* Counts what was done where workers see that something was. */
#define SQL_NOTED(row, events, deliveries)                                                         \
    ", noted AS (UPDATE webhook_erasures SET changed_at = clock_timestamp(),"                      \
    " events = events + " events ", deliveries = deliveries + " deliveries " WHERE id = " row "::uuid)"
#define SQL_LAST                                                                                   \
    " LEFT JOIN (SELECT " SQL_UTC_EXACT("created_at") " AS created_at, id FROM page"               \
    " ORDER BY page.created_at DESC, id DESC LIMIT 1) l ON true"

/* FOR UPDATE: a backfill that makes a delivery of one of them comes before or sees that it is erased. In
 * the order of their ids, so that two of these do not lock each other out. */
static const char sql_events[] =
    SQL_PAGE(" AND e.erased_at IS NULL")
    "locked AS MATERIALIZED (SELECT e.id FROM webhook_events e WHERE e.id IN (SELECT id FROM page)"
    " ORDER BY e.id FOR UPDATE),"
    " erased AS (UPDATE webhook_events e SET payload = 'null', erased_at = now() FROM locked"
    " WHERE e.id = locked.id AND e.erased_at IS NULL RETURNING 1)"
    SQL_NOTED("$5", "(SELECT count(*) FROM erased)", "0")
    " SELECT n.number, l.created_at, l.id FROM (SELECT count(*) AS number FROM erased) n" SQL_LAST;

/* What becomes of the deliveries of the list found (id). A worker that has one in flight writes nothing
 * but a success any more, which it may: see SUCCESS_WINS in db/outcomes.c. */
#define SQL_ERASED(row)                                                                            \
    "locked AS MATERIALIZED (SELECT d.id FROM webhook_deliveries d WHERE d.id IN (SELECT id FROM found)"\
    " AND d.erased_at IS NULL ORDER BY d.id FOR UPDATE),"                                          \
    " erased AS (UPDATE webhook_deliveries d SET erased_at = now(),"                               \
    " payload = CASE WHEN d.payload IS NOT NULL THEN 'null'::jsonb END,"                           \
    " last_error = CASE WHEN d.status = 'pending' THEN '" OUTCOME_UNSENT_MARK "erased' END,"       \
    " status = CASE WHEN d.status = 'pending' THEN 'failed' ELSE d.status END"                     \
    " FROM locked WHERE " SQL_HAS_ID("d.id", "locked.id") " AND d.erased_at IS NULL RETURNING d.id)," \
    " attempts AS (UPDATE webhook_attempts a SET error = NULL, response_body = NULL FROM erased"   \
    " WHERE a.delivery_id = erased.id AND (a.error IS NOT NULL OR a.response_body IS NOT NULL))"   \
    SQL_NOTED(row, "0", "(SELECT count(*) FROM erased)")

/* The answer that was kept for a request was written in its events' transaction, so it has their time, of
 * which there is an index. A repeat is told that it is gone (src/serve/publishing.c). */
static const char sql_of_events[] =
    SQL_PAGE("")
    "found AS MATERIALIZED (SELECT d.id FROM page p CROSS JOIN LATERAL (SELECT w.id"
    " FROM webhook_deliveries w WHERE w.event_id = p.id AND w.endpoint_id IS NOT NULL"
    " AND w.erased_at IS NULL) d LIMIT " TEXT_OF(BATCH_ROWS) "), " SQL_ERASED("$5") ","
    " answers AS (UPDATE idempotency_keys k SET status = 410, body = '' FROM page p"
    " WHERE k.created_at = p.created_at AND p.id = ANY (k.ids) AND k.body <> '')"
    " SELECT n.number, l.created_at, l.id, (SELECT count(*) FROM found) FROM"
    " (SELECT count(*) AS number FROM erased) n" SQL_LAST;

static const char sql_blocks[] =
    "SELECT pg_relation_size('webhook_deliveries') / current_setting('block_size')::bigint";

static const char sql_find_plain[] =
    "SELECT d.id FROM webhook_deliveries d WHERE d.ctid >= $3::tid AND d.ctid < $4::tid"
    " AND d.erased_at IS NULL AND " SQL_IS_PLAIN;

static const char sql_plain[] =
    "WITH found AS MATERIALIZED (SELECT unnest($1::uuid[]) AS id), " SQL_ERASED("$2")
    " SELECT count(*) FROM erased";
/* clang-format on */

enum { ERASED_ROWS, ERASED_CREATED_AT, ERASED_ID, ERASED_FOUND };

static PGresult *read_once(struct db_session *session, const char *sql, int count,
                           const char *const *values, struct error *error)
{
    PGresult *result = NULL;

    if (!db_session_begin_reading(session, error))
        return NULL;
    if (db_session_execute(session, NO_TIME_LIMIT, error))
        result = db_session_query(session, sql, count, values, error);
    db_session_rollback(session);
    return result;
}

/* The result of the committed statement, or NULL. */
static PGresult *change(struct db_session *session, const char *sql, int count,
                        const char *const *values, struct error *error)
{
    return db_session_change(session, NO_TIME_LIMIT, sql, count, values, error);
}

bool erasure_count(struct db_session *session, const struct erasure_subject *subject,
                   struct erasure_counts *ret_counts, struct error *error)
{
    const char *values[] = {subject->event_id, subject->customer_id};
    PGresult *result = read_once(session, sql_count, ARRAY_LENGTH(values), values, error);

    if (result == NULL)
        return false;
    *ret_counts = (struct erasure_counts){
        .events = row_integer(result, 0, 0, 0),
        .of_events = row_integer(result, 0, 1, 0),
        .plain = row_integer(result, 0, 2, 0),
        .pending = row_integer(result, 0, 3, 0),
        .erased = row_integer(result, 0, 4, 0),
        .endpoints = row_integer(result, 0, 5, 0),
        .secrets = row_integer(result, 0, 6, 0),
    };
    PQclear(result);
    return true;
}

bool erasure_begin(struct db_session *session, const struct erasure_subject *subject,
                   struct erasure *ret_erasure, struct error *error)
{
    const char *values[] = {subject->event_id, subject->customer_id};
    PGresult *result = change(session, sql_begin, ARRAY_LENGTH(values), values, error);

    if (result == NULL)
        return false;
    *ret_erasure = (struct erasure){.subject = *subject};
    text_copy(ret_erasure->id, sizeof(ret_erasure->id), PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static PGresult *change_page(struct db_session *session, const struct erasure *erasure,
                             const char *sql, struct error *error)
{
    bool is_start = erasure->event_id[0] == '\0';
    const char *values[] = {
        erasure->subject.event_id,
        erasure->subject.customer_id,
        is_start ? "-infinity" : erasure->created_at,
        is_start ? "00000000-0000-0000-0000-000000000000" : erasure->event_id,
        erasure->id,
    };

    return change(session, sql, ARRAY_LENGTH(values), values, error);
}

/* The next page begins behind this one, or the phase is over. */
static void turn_page(struct erasure *erasure, const PGresult *result)
{
    const char *id = row_text(result, 0, ERASED_ID);

    if (id == NULL)
        erasure->phase++;
    text_copy(erasure->created_at, sizeof(erasure->created_at),
              id != NULL ? row_text(result, 0, ERASED_CREATED_AT) : "");
    text_copy(erasure->event_id, sizeof(erasure->event_id), id != NULL ? id : "");
}

static bool erase_events(struct db_session *session, struct erasure *erasure, struct error *error)
{
    PGresult *result = change_page(session, erasure, sql_events, error);

    if (result == NULL)
        return false;
    erasure->events += row_integer(result, 0, ERASED_ROWS, 0);
    turn_page(erasure, result);
    PQclear(result);
    return true;
}

/* A page whose events have more deliveries than a batch is taken again. */
static bool erase_of_events(struct db_session *session, struct erasure *erasure,
                            struct error *error)
{
    PGresult *result = change_page(session, erasure, sql_of_events, error);

    if (result == NULL)
        return false;
    erasure->deliveries += row_integer(result, 0, ERASED_ROWS, 0);
    if (row_integer(result, 0, ERASED_FOUND, 0) < BATCH_ROWS)
        turn_page(erasure, result);
    PQclear(result);
    return true;
}

static bool count_blocks(struct db_session *session, int64_t *ret_blocks, struct error *error)
{
    PGresult *result = read_once(session, sql_blocks, 0, NULL, error);

    if (result == NULL)
        return false;
    *ret_blocks = row_integer(result, 0, 0, 0);
    PQclear(result);
    return true;
}

static bool finish(struct db_session *session, struct erasure *erasure, struct error *error)
{
    const char *values[] = {erasure->id};
    PGresult *result = change(session, sql_finish, ARRAY_LENGTH(values), values, error);

    if (result == NULL)
        return false;
    PQclear(result);
    erasure->phase = ERASURE_DONE;
    return true;
}

/* An outcome moves its row to where the pass may have been already: the last pass is one that finds
 * nothing. */
static bool end_pass(struct db_session *session, struct erasure *erasure, struct error *error)
{
    if (erasure->found == 0)
        return finish(session, erasure, error);
    erasure->found = erasure->block = 0;
    return true;
}

static bool find_plain(struct db_session *session, struct erasure *erasure, struct error *error)
{
    bool has_parts = PQserverVersion(db_session_connection(session)) >= HAS_TID_RANGE_SCAN;
    int64_t end = has_parts ? erasure->block + PART_BLOCKS : LAST_BLOCK;
    char from[32], to[32];
    const char *values[] = {erasure->subject.event_id, erasure->subject.customer_id, from, to};
    int64_t blocks;

    if (!count_blocks(session, &blocks, error))
        return false;
    if (erasure->block >= blocks)
        return end_pass(session, erasure, error);
    snprintf(from, sizeof(from), "(%lld,0)", (long long)erasure->block);
    snprintf(to, sizeof(to), "(%lld,0)", (long long)end);
    erasure->plain = read_once(session, sql_find_plain, ARRAY_LENGTH(values), values, error);
    if (erasure->plain == NULL)
        return false;
    erasure->at = 0;
    erasure->block = end;
    erasure->found += PQntuples(erasure->plain);
    return true;
}

static bool erase_found(struct db_session *session, struct erasure *erasure, int until,
                        struct error *error)
{
    const char *values[] = {NULL, erasure->id};
    struct array ids;
    PGresult *result;

    array_init(&ids, IDS_MAX_BYTES);
    array_begin(&ids);
    for (int i = erasure->at; i < until; i++)
        array_add_plain(&ids, PQgetvalue(erasure->plain, i, 0));
    values[0] = array_end(&ids);
    result = change(session, sql_plain, ARRAY_LENGTH(values), values, error);
    array_free(&ids);
    if (result == NULL)
        return false;
    erasure->deliveries += row_integer(result, 0, 0, 0);
    PQclear(result);
    return true;
}

static bool erase_plain(struct db_session *session, struct erasure *erasure, struct error *error)
{
    int count = erasure->plain != NULL ? PQntuples(erasure->plain) : 0;
    int until = count - erasure->at < BATCH_ROWS ? count : erasure->at + BATCH_ROWS;

    if (erasure->at < count) {
        if (!erase_found(session, erasure, until, error))
            return false;
        erasure->at = until;
        return true;
    }
    PQclear(erasure->plain);
    erasure->plain = NULL;
    erasure->at = 0;
    return find_plain(session, erasure, error);
}

bool erasure_step(struct db_session *session, struct erasure *erasure, struct error *error)
{
    switch (erasure->phase) {
    case ERASURE_EVENTS:
        return erase_events(session, erasure, error);
    case ERASURE_OF_EVENTS:
        return erase_of_events(session, erasure, error);
    case ERASURE_PLAIN:
        return erase_plain(session, erasure, error);
    case ERASURE_DONE:
        break;
    }
    bug("an erasure that is over was to go on");
}

void erasure_free(struct erasure *erasure)
{
    PQclear(erasure->plain);
    erasure->plain = NULL;
}
