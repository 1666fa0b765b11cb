#include "db/due.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"

/* The lane of a row: DESIGN's expression, as the index has it. Nothing outside SQL computes it. */
#define LANE "(hashtext(lower(split_part(d.webhook_url, '/', 3))) & 63)"

/* What comes of a row. */
enum {
    AT_LANE,
    AT_ID,
    AT_EVENT_ID,
    AT_CUSTOMER_ID,
    AT_URL,
    AT_URL_HASH,
    AT_ATTEMPTS,
    AT_NEXT_RETRY_AT,
    AT_PAYLOAD,
    AT_PAYLOAD_BYTES,
    AT_SNAPSHOT,
    AT_NEXT_TRANSACTION,
    AT_BOUND,
};

/* clang-format off */
#define COLUMNS \
    "d.id, d.event_id, d.customer_id, d.webhook_url, d.attempts, d.next_retry_at, d.payload"

#define RESULT_COLUMNS \
    "s.lane, s.id, s.event_id, s.customer_id, s.webhook_url, s.url_hash, s.attempts," \
    " s.next_retry_at, s.body, s.body_bytes"

/*
 * The payload is made text once (OFFSET 0 keeps the planner from doing it for each use), measured,
 * and given only when it is within the limit ($1). running adds up what the answer will hold, so
 * that ($2) cuts it; the first row always comes, or a row larger than the room would block its
 * lane.
 */
#define ROWS_OF(source) \
    "(SELECT * FROM (SELECT r.*, hashtextextended(r.webhook_url, 0) AS url_hash, p.body_bytes," \
    " CASE WHEN p.body_bytes <= $1::int8 THEN b.body END AS body," \
    " sum(CASE WHEN p.body_bytes <= $1::int8 THEN p.body_bytes ELSE 0 END" \
    " + octet_length(r.webhook_url)) OVER rows_so_far AS running," \
    " row_number() OVER rows_so_far AS position" \
    " FROM " source " r" \
    " CROSS JOIN LATERAL (SELECT r.payload::text AS body OFFSET 0) b" \
    " CROSS JOIN LATERAL (SELECT octet_length(b.body)::int8 AS body_bytes OFFSET 0) p" \
    " WINDOW rows_so_far AS (ROWS UNBOUNDED PRECEDING)) m" \
    " WHERE position = 1 OR running <= $2::int8) s"

/*
 * core/late_commits.h says what the last three columns are for. They come once, in a row of their
 * own when there is no other. age('3') is the next transaction's number less 3, and gives none
 * away, unlike pg_current_xact_id(); here it is computed after the statement's snapshot was taken.
 */
static const char forward_sql[] =
    "SELECT " RESULT_COLUMNS ","
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN pg_current_snapshot()::text END,"
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN age('3'::xid)::int8 + 3 END,"
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN now() - interval '1 second' END"
    " FROM (VALUES (1)) always LEFT JOIN "
    ROWS_OF("(SELECT c.lane, r.* FROM unnest($3::int[], $4::timestamptz[], $5::uuid[])"
            " AS c (lane, after_time, after_id) CROSS JOIN LATERAL (SELECT " COLUMNS
            " FROM webhook_deliveries d WHERE d.status = 'pending' AND " LANE " = c.lane"
            " AND (d.next_retry_at, d.id) > (c.after_time, c.after_id) AND d.next_retry_at <= now()"
            " ORDER BY d.next_retry_at, d.id LIMIT $6::int) r LIMIT $7::int)")
    " ON true";

static const char fetch_sql[] =
    "SELECT " RESULT_COLUMNS " FROM "
    ROWS_OF("(SELECT " LANE " AS lane, " COLUMNS " FROM unnest($3::uuid[]) AS c (id)"
            " JOIN webhook_deliveries d ON d.id = c.id"
            " WHERE d.status = 'pending' AND d.next_retry_at <= now())");

static const char scan_sql[] =
    "SELECT c.lane, r.id, r.next_retry_at FROM unnest($1::int[], $2::timestamptz[], $3::uuid[],"
    " $4::timestamptz[], $5::uuid[]) AS c (lane, after_time, after_id, to_time, to_id)"
    " CROSS JOIN LATERAL (SELECT d.id, d.next_retry_at FROM webhook_deliveries d"
    " WHERE d.status = 'pending' AND " LANE " = c.lane"
    " AND (d.next_retry_at, d.id) > (c.after_time, c.after_id)"
    " AND (d.next_retry_at, d.id) <= (c.to_time, c.to_id)"
    " ORDER BY d.next_retry_at, d.id LIMIT $6::int) r LIMIT $7::int";
/* clang-format on */

void due_reader_init(struct due_reader *reader, int64_t max_payload_bytes)
{
    reader->max_payload_bytes = max_payload_bytes;
    array_init(&reader->lanes, 4096);
    array_init(&reader->times, 8192);
    array_init(&reader->until_times, 8192);
    array_init(&reader->until_ids, 8192);
    array_init(&reader->ids, 40 * (size_t)DUE_FETCH_MAX + 16);
}

void due_reader_free(struct due_reader *reader)
{
    array_free(&reader->lanes);
    array_free(&reader->times);
    array_free(&reader->ids);
    array_free(&reader->until_times);
    array_free(&reader->until_ids);
}

static void add_lanes(struct due_reader *reader, const struct finder *finder,
                      const struct finder_plan *plan)
{
    array_begin(&reader->lanes);
    array_begin(&reader->times);
    array_begin(&reader->ids);
    array_begin(&reader->until_times);
    array_begin(&reader->until_ids);
    for (int i = 0; i < plan->lanes_count; i++) {
        const struct position *from = finder_from(finder, plan, plan->lanes[i]);
        const struct position *to = finder_to(finder, plan, plan->lanes[i]);

        array_add_int(&reader->lanes, plan->lanes[i]);
        array_add_text(&reader->times, from->time);
        array_add_plain(&reader->ids, from->id);
        array_add_text(&reader->until_times, to->time);
        array_add_plain(&reader->until_ids, to->id);
    }
}

bool due_send_read(struct due_reader *reader, struct db_link *link, const struct finder *finder,
                   const struct finder_plan *plan, int64_t room_bytes, db_link_answered *on_answer,
                   void *owner)
{
    char lane_rows[16], rows[16], limit[24], room[24];
    struct db_statement statement;

    add_lanes(reader, finder, plan);
    snprintf(lane_rows, sizeof(lane_rows), "%d", plan->lane_rows);
    snprintf(rows, sizeof(rows), "%d", plan->rows);
    snprintf(limit, sizeof(limit), "%lld", (long long)reader->max_payload_bytes);
    snprintf(room, sizeof(room), "%lld", (long long)room_bytes);
    if (plan->read != FINDER_FORWARD)
        statement = (struct db_statement){scan_sql,
                                          7,
                                          {array_end(&reader->lanes), array_end(&reader->times),
                                           array_end(&reader->ids), array_end(&reader->until_times),
                                           array_end(&reader->until_ids), lane_rows, rows}};
    else
        statement = (struct db_statement){forward_sql,
                                          7,
                                          {limit, room, array_end(&reader->lanes),
                                           array_end(&reader->times), array_end(&reader->ids),
                                           lane_rows, rows}};
    return db_link_send(link, &statement, 1, on_answer, owner);
}

bool due_send_fetch(struct due_reader *reader, struct db_link *link, const char *const *ids,
                    int count, int64_t room_bytes, db_link_answered *on_answer, void *owner)
{
    char limit[24], room[24];
    struct db_statement statement;

    if (count > DUE_FETCH_MAX)
        bug("a fetch of %d rows", count);
    array_begin(&reader->ids);
    for (int i = 0; i < count; i++)
        array_add_plain(&reader->ids, ids[i]);
    snprintf(limit, sizeof(limit), "%lld", (long long)reader->max_payload_bytes);
    snprintf(room, sizeof(room), "%lld", (long long)room_bytes);
    statement = (struct db_statement){fetch_sql, 3, {limit, room, array_end(&reader->ids)}};
    return db_link_send(link, &statement, 1, on_answer, owner);
}

static const char *text_at(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

int due_rows_count(const PGresult *result)
{
    int count = PQntuples(result);

    if (count == 0)
        bug("a forward read without a snapshot");
    return PQgetisnull(result, 0, AT_ID) ? 0 : count;
}

struct late_snapshot due_snapshot(const PGresult *result)
{
    return (struct late_snapshot){
        .text = PQgetvalue(result, 0, AT_SNAPSHOT),
        .next = (uint32_t)strtoll(PQgetvalue(result, 0, AT_NEXT_TRANSACTION), NULL, 10),
        .bound = PQgetvalue(result, 0, AT_BOUND),
    };
}

struct due_row due_row_at(const PGresult *result, int row)
{
    return (struct due_row){
        .lane = (int)strtol(PQgetvalue(result, row, AT_LANE), NULL, 10),
        .id = PQgetvalue(result, row, AT_ID),
        .event_id = PQgetvalue(result, row, AT_EVENT_ID),
        .customer_id = PQgetvalue(result, row, AT_CUSTOMER_ID),
        .url = PQgetvalue(result, row, AT_URL),
        .url_hash = PQgetvalue(result, row, AT_URL_HASH),
        .attempts = (int)strtol(PQgetvalue(result, row, AT_ATTEMPTS), NULL, 10),
        .next_retry_at = PQgetvalue(result, row, AT_NEXT_RETRY_AT),
        .payload = text_at(result, row, AT_PAYLOAD),
        .payload_bytes = strtoll(PQgetvalue(result, row, AT_PAYLOAD_BYTES), NULL, 10),
    };
}

struct due_key due_key_at(const PGresult *result, int row)
{
    return (struct due_key){
        .lane = (int)strtol(PQgetvalue(result, row, 0), NULL, 10),
        .id = PQgetvalue(result, row, 1),
        .next_retry_at = PQgetvalue(result, row, 2),
    };
}
