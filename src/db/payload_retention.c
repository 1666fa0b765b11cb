/* SPDX-License-Identifier: MIT */
#include "db/payload_retention.h"

#include <stdio.h>

#include "base/compiler.h"
#include "base/text.h"
#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

#define RANGE_BLOCKS       256
#define LISTED_BLOCKS      32 /* each place in them is named */
#define HAS_TID_RANGE_SCAN 140000
#define LOOKED_AT_EVENTS   "10000"

/* SQL reads better by its clauses. */
/* clang-format off */

/* A hostile setting of the role's would make each of these a scan of the whole table. */
static const char settings_sql[] =
    "SELECT set_config('enable_tidscan', 'on', true), set_config('enable_indexscan', 'on', true)";

/* A delivery that is hidden would be one that an event is not needed for. */
static const char hold_sql[] = ROW_SECURITY_HOLD("webhook_deliveries, webhook_events");

/* $1 age, $2 the caller's clock, as in db/retention.c; $3 rows. */
#define SQL_ENDED_BEFORE                                                                           \
    "(least(now(), to_timestamp($2::float8 + 1)) - make_interval(secs => $1::float8))"

/* $4, $5: the first block, and the one behind the last. */
#define SQL_DELIVERIES(is_part)                                                                    \
    "WITH seen AS MATERIALIZED (SELECT d.id, (d.ctid::text::point)[0]::bigint AS block"            \
    " FROM webhook_deliveries d WHERE " is_part " AND d.status <> 'pending' AND d.erased_at IS NULL"\
    " AND d.created_at < " SQL_ENDED_BEFORE " AND " SQL_FINISHED_AT " < " SQL_ENDED_BEFORE         \
    " ORDER BY d.ctid LIMIT $3::int)"                                                              \
    " SELECT x.emptied_deliveries, x.emptied_events, (SELECT count(*) FROM seen),"                 \
    " (SELECT max(block) FROM seen), $5::bigint,"                                                  \
    " pg_relation_size('webhook_deliveries') / current_setting('block_size')::bigint,"             \
    " current_setting('server_version_num')"                                                       \
    " FROM webhook_payloads_expire(ARRAY(SELECT id FROM seen), '{}', " SQL_ENDED_BEFORE ") x"

static const char ranged_sql[] = SQL_DELIVERIES(
    "d.ctid >= format('(%s,0)', $4::bigint)::tid AND d.ctid < format('(%s,0)', $5::bigint)::tid");

/* A row takes 28 bytes of its block at least. */
static const char listed_sql[] = SQL_DELIVERIES(
    "d.ctid = ANY (ARRAY(SELECT format('(%s,%s)', b, p)::tid FROM generate_series($4::bigint, $5::bigint - 1) b,"
    " generate_series(1, current_setting('block_size')::int / 28) p))");

/* $4, $5: the event behind which it begins; $6: the window, in seconds. */
static const char events_sql[] =
    "WITH seen AS MATERIALIZED (SELECT id, created_at, erased_at FROM webhook_events"
    " WHERE (created_at, id) > ($4::timestamptz, $5::uuid) AND created_at < " SQL_ENDED_BEFORE
    " AND ($6::float8 = 0 OR created_at >= " SQL_ENDED_BEFORE " - make_interval(secs => $6::float8))"
    " ORDER BY created_at, id LIMIT " LOOKED_AT_EVENTS "),"
    " due AS MATERIALIZED (SELECT s.id, s.created_at FROM seen s WHERE s.erased_at IS NULL"
    " AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE event_id = s.id AND endpoint_id IS NOT NULL"
    " AND (status = 'pending' OR " SQL_FINISHED_AT " >= " SQL_ENDED_BEFORE "))"
    " ORDER BY s.created_at, s.id LIMIT $3::int),"
    /* Those that are looked at are passed, unless there is more to do among them. */
    " last AS MATERIALIZED (SELECT created_at, id FROM seen"
    " WHERE (SELECT count(*) FROM due) < $3::int"
    " OR (created_at, id) <= (SELECT created_at, id FROM due ORDER BY created_at DESC, id DESC LIMIT 1)"
    " ORDER BY created_at DESC, id DESC LIMIT 1)"
    " SELECT x.emptied_events, l.created_at, l.id"
    " FROM webhook_payloads_expire('{}', ARRAY(SELECT id FROM due), " SQL_ENDED_BEFORE ") x"
    " LEFT JOIN last l ON true";
/* clang-format on */

enum { RESULT_HOLD, RESULT_GUARD, RESULT_SETTINGS, RESULT_BATCH };
enum { PART_EMPTIED, PART_EVENTS, PART_SEEN, PART_LAST, PART_END, PART_BLOCKS, PART_VERSION };
enum { EVENTS_EMPTIED, EVENTS_CREATED_AT, EVENTS_ID };

struct age_values {
    char age[32], clock[32], rows[16];
};

static void age_values(int64_t age_ms, int64_t clock_s, struct age_values *v)
{
    snprintf(v->age, sizeof(v->age), "%lld.%03d", (long long)(age_ms / 1000), (int)(age_ms % 1000));
    snprintf(v->clock, sizeof(v->clock), "%lld", (long long)clock_s);
    snprintf(v->rows, sizeof(v->rows), "%d", RETENTION_BATCH_ROWS);
}

bool payload_retention_send(struct db_link *link, const char *schema, int64_t age_ms,
                            int64_t clock_s, const struct payload_place *place,
                            db_link_answered *on_answer, void *owner)
{
    int64_t end = place->pass.block + (place->has_ranges ? RANGE_BLOCKS : LISTED_BLOCKS);
    struct age_values v;
    char from[32], to[32];
    const struct db_statement statements[] = {
        [RESULT_HOLD] = {hold_sql, 0, {NULL}},
        [RESULT_GUARD] = row_security_look(schema),
        [RESULT_SETTINGS] = {settings_sql, 0, {NULL}},
        [RESULT_BATCH] = {place->has_ranges ? ranged_sql : listed_sql,
                          5,
                          {v.age, v.clock, v.rows, from, to}},
    };

    age_values(age_ms, clock_s, &v);
    snprintf(from, sizeof(from), "%lld", (long long)place->pass.block);
    snprintf(to, sizeof(to), "%lld", (long long)end);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool payload_retention_count(const struct db_answer *answer, double start,
                             struct retention_counts *counts, struct payload_place *place)
{
    const PGresult *result = answer->results[RESULT_BATCH];
    bool is_full = row_integer(result, 0, PART_SEEN, 0) >= RETENTION_BATCH_ROWS;

    counts->emptied += row_integer(result, 0, PART_EMPTIED, 0);
    counts->emptied_events += row_integer(result, 0, PART_EVENTS, 0);
    place->has_ranges = row_integer(result, 0, PART_VERSION, 0) >= HAS_TID_RANGE_SCAN;
    /* The last block may have more. It is not the first one: no block has room for so many rows. */
    return table_pass_go_on(&place->pass, row_integer(result, 0, is_full ? PART_LAST : PART_END, 0),
                            row_integer(result, 0, PART_BLOCKS, 0), start);
}

bool payload_retention_send_events(struct db_link *link, const char *schema, int64_t age_ms,
                                   int64_t clock_s, int64_t window_ms,
                                   const struct retention_place *place, db_link_answered *on_answer,
                                   void *owner)
{
    bool is_first = place->id[0] == '\0';
    struct age_values v;
    char window[32];
    const struct db_statement statements[] = {
        [RESULT_HOLD] = {hold_sql, 0, {NULL}},
        [RESULT_GUARD] = row_security_look(schema),
        [RESULT_SETTINGS] = {settings_sql, 0, {NULL}},
        [RESULT_BATCH] = {events_sql,
                          6,
                          {v.age, v.clock, v.rows, is_first ? "-infinity" : place->created_at,
                           is_first ? "00000000-0000-0000-0000-000000000000" : place->id, window}},
    };

    age_values(age_ms, clock_s, &v);
    snprintf(window, sizeof(window), "%lld", (long long)(window_ms / 1000));
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool payload_retention_count_events(const struct db_answer *answer, struct retention_counts *counts,
                                    struct retention_place *place)
{
    const PGresult *result = answer->results[RESULT_BATCH];
    const char *id = row_text(result, 0, EVENTS_ID);

    counts->emptied_events += row_integer(result, 0, EVENTS_EMPTIED, 0);
    text_copy(place->created_at, sizeof(place->created_at),
              id != NULL ? row_text(result, 0, EVENTS_CREATED_AT) : "");
    text_copy(place->id, sizeof(place->id), id != NULL ? id : "");
    return id != NULL;
}
