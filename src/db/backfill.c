/* SPDX-License-Identifier: MIT */
#include "db/backfill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

/* What decides which events an endpoint gets, and where to; a worker's notes on it change nothing. */
#define SQL_SUBSCRIPTION                                                                           \
    "md5(jsonb_build_array(e.event_types, e.filter, e.all_customers, e.customer_id, e.url)::text)"

/* By its id, or by its URL with the index that customer and URL have. */
#define SQL_TARGET                                                                                 \
    "SELECT e.id, e.customer_id, e.url, CASE WHEN e.event_types IS NOT NULL THEN " SQL_SUBSCRIPTION\
    " END, e.all_customers, e.disabled_at IS NOT NULL, e.paused_at IS NOT NULL"                    \
    " FROM webhook_endpoints e WHERE "
static const char sql_by_id[] = SQL_TARGET "e.id = $1 AND ($2::uuid IS NULL OR e.all_customers"
    " OR e.customer_id = $2)";
static const char sql_by_url[] = SQL_TARGET "e.url = $1 AND ($2::uuid IS NULL OR e.all_customers"
    " OR e.customer_id = $2) ORDER BY e.id LIMIT 11";

/* $1, $2: the endpoint and its subscription; $3 customer, $4 since, $5 until, $6 kept_since. */
#define SCOPE_VALUES 6
#define SQL_SCOPE                                                                                  \
    "n.created_at >= $4::timestamptz AND ($5::timestamptz IS NULL OR n.created_at < $5)"           \
    " AND ($3::uuid IS NULL OR n.customer_id = $3)"
#define SQL_ENDPOINT                                                                               \
    "WITH endpoint AS MATERIALIZED (SELECT * FROM webhook_endpoints e WHERE e.id = $1"             \
    " AND e.event_types IS NOT NULL AND " SQL_SUBSCRIPTION " = $2), "

/* The function decides; the patterns before it, asked once for each type, spare it the events of other
 * types. */
#define SQL_MISSING                                                                                \
    "types AS MATERIALIZED (SELECT t.event_type FROM (SELECT DISTINCT event_type FROM page) t"     \
    " CROSS JOIN endpoint e WHERE webhook_event_patterns(t.event_type::text) && e.event_types), "  \
    "missing AS MATERIALIZED (SELECT p.id, p.created_at, $6::timestamptz IS NOT NULL"              \
    " AND p.created_at >= e.created_at AND p.created_at < $6 AS is_unsure"                         \
    " FROM page p CROSS JOIN endpoint e WHERE p.erased_at IS NULL"                                 \
    " AND p.event_type IN (SELECT event_type FROM types)"                                          \
    " AND NOT EXISTS (SELECT FROM webhook_deliveries d"                                            \
    " WHERE d.event_id = p.id AND d.endpoint_id = $1)"                                             \
    " AND EXISTS (SELECT FROM webhook_event_subscribers(p.customer_id, p.event_type::text,"        \
    " p.payload) s WHERE s.endpoint_id = $1))"

/* $7, $8: the place behind which the page begins; $9: its size. */
#define SQL_PAGE                                                                                   \
    SQL_ENDPOINT "page AS MATERIALIZED (SELECT n.* FROM webhook_events n WHERE " SQL_SCOPE         \
    " AND (n.created_at, n.id) > ($7::timestamptz, $8::uuid)"                                      \
    " ORDER BY n.created_at, n.id LIMIT $9::bigint), " SQL_MISSING
#define SQL_RESULT(number)                                                                         \
    " SELECT " SQL_UTC_EXACT("l.created_at") ", l.id, (SELECT count(*) FROM page), " number        \
    ", (SELECT count(*) FROM missing WHERE is_unsure), (SELECT count(*) FROM endpoint)"            \
    " FROM (VALUES (1)) AS v LEFT JOIN"                                                            \
    " (SELECT created_at, id FROM page ORDER BY created_at DESC, id DESC LIMIT 1) l ON true"

static const char sql_count[] =
    SQL_PAGE SQL_RESULT("(SELECT count(*) FROM missing WHERE NOT is_unsure)");

/* Locked in the order of their ids, so that two of these do not lock each other out. */
static const char sql_make[] =
    SQL_PAGE ", locked AS MATERIALIZED (SELECT n.id, n.event_type, n.deliver_after"
    " FROM webhook_events n WHERE n.id IN (SELECT id FROM missing WHERE NOT is_unsure)"
    " AND n.erased_at IS NULL ORDER BY n.id FOR KEY SHARE),"
    " made AS (INSERT INTO webhook_deliveries"
    " (event_id, endpoint_id, customer_id, webhook_url, event_type, next_retry_at)"
    " SELECT k.id, e.id, e.customer_id, e.url, k.event_type,"
    " GREATEST(k.deliver_after, clock_timestamp()) FROM locked k CROSS JOIN endpoint e"
    " ON CONFLICT (event_id, endpoint_id) WHERE endpoint_id IS NOT NULL DO NOTHING RETURNING 1)"
    SQL_RESULT("(SELECT count(*) FROM made)");

static const char sql_look[] =
    SQL_ENDPOINT "page AS MATERIALIZED (SELECT n.* FROM webhook_events n WHERE " SQL_SCOPE
    " ORDER BY n.created_at DESC, n.id DESC LIMIT $7::bigint), " SQL_MISSING
    " SELECT count(*), " SQL_UTC_EXACT("min(created_at)") " FROM missing WHERE NOT is_unsure";

/* clang-format on */

_Static_assert(BACKFILL_TARGETS_MAX == 10, "sql_by_url reads one more");

#define PAGE_VALUES (SCOPE_VALUES + 3)

static struct backfill_target target_at(const PGresult *result, int row)
{
    return (struct backfill_target){
        .id = row_text(result, row, 0),
        .customer_id = row_text(result, row, 1),
        .url = row_text(result, row, 2),
        .subscription = row_text(result, row, 3),
        .all_customers = row_is_true(result, row, 4),
        .is_disabled = row_is_true(result, row, 5),
        .is_paused = row_is_true(result, row, 6),
    };
}

bool backfill_find(struct db_session *session, const char *endpoint, const char *customer,
                   struct backfill_targets *ret_targets, struct error *error)
{
    const char *values[] = {endpoint, customer};
    PGresult *result = db_session_read(session, text_is_uuid(endpoint) ? sql_by_id : sql_by_url,
                                       ARRAY_LENGTH(values), values, error);

    if (result == NULL)
        return false;
    *ret_targets = (struct backfill_targets){result, (size_t)PQntuples(result), NULL};
    ret_targets->rows = memory_new(ret_targets->count + 1, sizeof(*ret_targets->rows));
    for (size_t i = 0; i < ret_targets->count; i++)
        ret_targets->rows[i] = target_at(result, (int)i);
    return true;
}

void backfill_targets_free(struct backfill_targets *targets)
{
    PQclear(targets->result);
    free(targets->rows);
    *targets = (struct backfill_targets){0};
}

static void scope_values(const struct backfill_scope *scope, const char **values)
{
    values[0] = scope->target->id;
    values[1] = scope->target->subscription;
    values[2] = scope->customer;
    values[3] = scope->since;
    values[4] = scope->until;
    values[5] = scope->kept_since;
}

static bool note_page(const PGresult *result, struct backfill_progress *progress,
                      struct error *error)
{
    if (row_integer(result, 0, 5, 0) == 0) {
        error_set(error, "the endpoint was removed, or its subscription was changed, meanwhile");
        return error_hint(error, "run the same command again: it goes by what is there now");
    }
    progress->is_done = row_text(result, 0, 1) == NULL;
    if (!progress->is_done) {
        text_copy(progress->created_at, sizeof(progress->created_at), row_text(result, 0, 0));
        text_copy(progress->id, sizeof(progress->id), row_text(result, 0, 1));
    }
    progress->events += row_integer(result, 0, 2, 0);
    progress->missing += row_integer(result, 0, 3, 0);
    progress->unsure += row_integer(result, 0, 4, 0);
    return true;
}

static void page_values(const struct backfill_scope *scope,
                        const struct backfill_progress *progress, const char *limit,
                        const char **values)
{
    bool is_start = progress->id[0] == '\0';

    scope_values(scope, values);
    values[SCOPE_VALUES] = is_start ? "-infinity" : progress->created_at;
    values[SCOPE_VALUES + 1] = is_start ? "00000000-0000-0000-0000-000000000000" : progress->id;
    values[SCOPE_VALUES + 2] = limit;
}

bool backfill_count(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                    struct backfill_progress *progress, struct error *error)
{
    const char *values[PAGE_VALUES];
    char limit_text[32];
    PGresult *result;
    bool ok;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    page_values(scope, progress, limit_text, values);
    result = db_session_read(session, sql_count, PAGE_VALUES, values, error);
    ok = result != NULL && note_page(result, progress, error);
    PQclear(result);
    return ok;
}

bool backfill_make(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                   struct backfill_progress *progress, struct error *error)
{
    struct backfill_progress next = *progress;
    const char *values[PAGE_VALUES];
    char limit_text[32];
    PGresult *result;
    bool ok;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    page_values(scope, progress, limit_text, values);
    if (!db_session_begin(session, error))
        return false;
    result = db_session_query(session, sql_make, PAGE_VALUES, values, error);
    ok = result != NULL && note_page(result, &next, error) && db_session_commit(session, error);
    if (ok)
        *progress = next;
    else
        db_session_rollback(session);
    PQclear(result);
    return ok;
}

bool backfill_look(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                   int64_t *ret_missing, char ret_since[MOMENT_SIZE], struct error *error)
{
    const char *values[SCOPE_VALUES + 1];
    const char *since;
    char limit_text[32];
    PGresult *result;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    scope_values(scope, values);
    values[SCOPE_VALUES] = limit_text;
    result = db_session_read(session, sql_look, SCOPE_VALUES + 1, values, error);
    if (result == NULL)
        return false;
    *ret_missing = row_integer(result, 0, 0, 0);
    since = row_text(result, 0, 1);
    text_copy(ret_since, MOMENT_SIZE, since != NULL ? since : "");
    PQclear(result);
    return true;
}
