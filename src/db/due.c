/* SPDX-License-Identifier: MIT */
#include "db/due.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "db/fragments.h"
#include "db/row.h"

#define LANE SQL_LANE("d.webhook_url")

/* What comes of a row. */
enum {
    AT_NUMBER,
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
    AT_CUT,
    AT_SNAPSHOT,
    AT_NEXT_TRANSACTION,
    AT_BOUND_NEAR,
    AT_BOUND_FAR,
};

/* And of a key. */
enum {
    KEY_LANE,
    KEY_ID,
    KEY_NEXT_RETRY_AT,
    KEY_CUSTOMER_ID,
    KEY_URL_HASH,
};

/* clang-format off */
#define COLUMNS \
    "d.id, d.event_id, d.customer_id, d.webhook_url, d.attempts, d.next_retry_at, d.payload," \
    " d.erased_at"

/* Of ROWS_OF; s. */
#define RESULT \
    "s.number, s.lane, s.id, CASE WHEN s.is_closed THEN NULL ELSE s.event_id END, s.customer_id," \
    " CASE WHEN s.is_closed THEN NULL ELSE s.webhook_url END, s.url_hash, s.attempts," \
    " s.next_retry_at, CASE WHEN s.is_cut THEN NULL ELSE s.body END, s.body_bytes, s.is_cut"

/*
 * The payload is made text once (OFFSET 0 keeps the planner from doing it for each use), measured,
 * and given only when it is within the limit ($1) and there is room ($2) after those before it; the
 * first row always comes, or a row larger than the room would block its lane. Nothing is made of
 * the payload of a row of a closed endpoint ($3). One that was erased is there, but must not be sent:
 * it has ERASED_BYTES.
 */
#define ERASED_BYTES "-1"
#define ROWS_OF(source) \
    "(SELECT m.*, position > 1 AND running > $2::int8 AS is_cut" \
    " FROM (SELECT r.*, h.url_hash, h.is_closed, p.body_bytes," \
    " CASE WHEN p.body_bytes BETWEEN 0 AND $1::int8 THEN b.body END AS body," \
    " sum(CASE WHEN h.is_closed THEN 0 WHEN p.body_bytes BETWEEN 0 AND $1::int8 THEN p.body_bytes" \
    " ELSE 0 END" \
    " + octet_length(r.webhook_url)) OVER rows_so_far AS running," \
    " row_number() OVER rows_so_far AS position" \
    " FROM " source " r" \
    " CROSS JOIN LATERAL (SELECT r.hash AS url_hash, r.hash = ANY ($3::int8[]) AS is_closed" \
    " OFFSET 0) h" \
    " CROSS JOIN LATERAL (SELECT CASE WHEN h.is_closed THEN NULL ELSE r.payload::text END AS body" \
    " OFFSET 0) b" \
    " CROSS JOIN LATERAL (SELECT CASE WHEN r.erased_at IS NULL OR b.body IS NULL" \
    " THEN octet_length(b.body)::int8 ELSE " ERASED_BYTES " END AS body_bytes OFFSET 0) p" \
    " WINDOW rows_so_far AS (ROWS UNBOUNDED PRECEDING)) m) s"

#define HASH SQL_ENDPOINT_HASH("d.webhook_url")

/*
 * core/late_commits.h says what the last four columns are for. They come once, in a row of their
 * own when there is no other. age('3') is the next transaction's number less 3, and gives none
 * away, unlike pg_current_xact_id(); here it is computed after the statement's snapshot was taken.
 */
static const char forward_sql[] =
    "SELECT " RESULT ","
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN pg_current_snapshot()::text END,"
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN age('3'::xid)::int8 + 3 END,"
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN now() - interval '100 ms' END,"
    " CASE WHEN s.position IS NULL OR s.position = 1 THEN now() - interval '1 s' END"
    " FROM (VALUES (1)) always LEFT JOIN "
    ROWS_OF("(SELECT 0 AS number, c.lane, r.*"
            " FROM unnest($4::int[], $5::timestamptz[], $6::uuid[])"
            " AS c (lane, after_time, after_id) CROSS JOIN LATERAL (SELECT " COLUMNS ", " HASH
            " AS hash FROM webhook_deliveries d WHERE d.status = 'pending' AND " LANE " = c.lane"
            " AND (d.next_retry_at, d.id) > (c.after_time, c.after_id) AND d.next_retry_at <= now()"
            " ORDER BY d.next_retry_at, d.id LIMIT $7::int) r LIMIT $8::int)")
    " ON NOT s.is_cut";

/*
 * One that was promised (db/ordering.h) has no time; of an ordered row that is not known to be next
 * it is asked whether it is its turn. OFFSET 0 keeps the status from the table: where the statistics
 * say that hardly a row is pending, the planner would read all of an index of pending rows for each
 * id.
 */
static const char fetch_sql[] =
    "SELECT " RESULT " FROM "
    ROWS_OF("(SELECT 0 AS number, " LANE " AS lane, " COLUMNS ", " HASH " AS hash"
            " FROM unnest($4::uuid[]) AS c (id) CROSS JOIN LATERAL"
            " (SELECT w.id, w.event_id, w.customer_id, w.webhook_url, w.attempts, w.payload, w.erased_at, w.status,"
            " least(w.next_retry_at, now()) AS next_retry_at, w.next_retry_at <= now()"
            " OR (w.next_retry_at = 'infinity' AND w.ordering_key IS NOT NULL) AS may_go"
            " FROM webhook_deliveries w WHERE w.id = c.id OFFSET 0) d"
            " WHERE d.status = 'pending' AND d.may_go)");

static const char refill_sql[] =
    "SELECT " RESULT " FROM "
    ROWS_OF("(SELECT c.number - 1 AS number, c.lane, r.*, c.url_hash AS hash"
            " FROM unnest($4::int[], $5::uuid[], $6::int8[], $7::timestamptz[], $8::uuid[],"
            " $9::int[]) WITH ORDINALITY"
            " AS c (lane, customer_id, url_hash, after_time, after_id, rows, number)"
            " CROSS JOIN LATERAL (SELECT " COLUMNS " FROM webhook_deliveries d"
            " WHERE d.status = 'pending' AND " HASH " = c.url_hash"
            " AND (d.next_retry_at, d.id) > (c.after_time, c.after_id) AND d.next_retry_at <= now()"
            " AND d.customer_id = c.customer_id"
            " ORDER BY d.next_retry_at, d.id LIMIT c.rows) r)");

static const char scan_sql[] =
    "SELECT c.lane, r.* FROM unnest($1::int[], $2::timestamptz[], $3::uuid[],"
    " $4::timestamptz[], $5::uuid[]) AS c (lane, after_time, after_id, to_time, to_id)"
    " CROSS JOIN LATERAL (SELECT d.id, d.next_retry_at, d.customer_id, " HASH
    " FROM webhook_deliveries d WHERE d.status = 'pending' AND " LANE " = c.lane"
    " AND (d.next_retry_at, d.id) > (c.after_time, c.after_id)"
    " AND (d.next_retry_at, d.id) <= (c.to_time, c.to_id)"
    " ORDER BY d.next_retry_at, d.id LIMIT $6::int) r LIMIT $7::int";
/* clang-format on */

/* The arrays of a reader, and the most that each may have in bytes. */
static void each_array(struct due_reader *reader, void (*act)(struct array *array, size_t maximum))
{
    act(&reader->lanes, 4096);
    act(&reader->times, 8192);
    act(&reader->until_times, 8192);
    act(&reader->until_ids, 8192);
    act(&reader->ids, 40 * (size_t)DUE_FETCH_MAX + 16);
    act(&reader->customers, 40 * (size_t)DUE_REFILL_MAX + 16);
    act(&reader->hashes, 24 * (size_t)BACKLOG_CLOSED_MAX + 16);
    act(&reader->limits, 16 * (size_t)DUE_REFILL_MAX + 16);
}

static void free_array(struct array *array, size_t maximum)
{
    (void)maximum;
    array_free(array);
}

void due_reader_init(struct due_reader *reader)
{
    *reader = (struct due_reader){.rows = NULL};
    each_array(reader, array_init);
    due_events_init(&reader->events);
    ordering_look_init(&reader->look);
    due_reader_begin_closed(reader);
}

void due_reader_set_known(struct due_reader *reader, due_known *known, void *owner)
{
    reader->known = known;
    reader->known_owner = owner;
}

void due_reader_free(struct due_reader *reader)
{
    each_array(reader, free_array);
    PQclear(reader->rows);
    due_events_free(&reader->events);
    ordering_look_free(&reader->look);
}

void due_reader_begin_closed(struct due_reader *reader)
{
    array_begin(&reader->hashes);
}

void due_reader_add_closed(struct due_reader *reader, const char *url_hash)
{
    array_add_plain(&reader->hashes, url_hash);
}

static void add_position(struct due_reader *reader, const struct position *position)
{
    array_add_text(&reader->times, position->time);
    array_add_plain(&reader->ids, position->id);
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
        const struct position *to = finder_to(finder, plan, plan->lanes[i]);

        array_add_int(&reader->lanes, plan->lanes[i]);
        add_position(reader, finder_from(finder, plan, plan->lanes[i]));
        array_add_text(&reader->until_times, to->time);
        array_add_plain(&reader->until_ids, to->id);
    }
}

struct number_text {
    char digits[24];
};

static struct number_text number_text(int64_t number)
{
    struct number_text text;

    snprintf(text.digits, sizeof(text.digits), "%lld", (long long)number);
    return text;
}

/* All are over, or there is only one. */
static void give_answer(struct due_reader *reader, const struct db_answer *answer)
{
    reader->on_answer(reader->owner, answer);
    due_events_clear(&reader->events);
    ordering_look_begin(&reader->look);
}

/* The rows were kept for this; without what belongs to them they are as good as not read. */
static void give_rows(struct due_reader *reader, const struct db_answer *answer)
{
    PGresult *rows = reader->rows;
    struct db_answer whole = *answer;

    reader->rows = NULL;
    if (answer->result == DB_ANSWERED)
        whole.results[0] = rows;
    give_answer(reader, &whole);
    PQclear(rows);
}

static void on_looked(void *owner, const struct db_answer *answer)
{
    struct due_reader *reader = owner;

    if (answer->result == DB_ANSWERED)
        ordering_look_take(&reader->look, db_answer_take(answer, 0));
    give_rows(reader, answer);
}

static void add_ordered(struct due_reader *reader, int row)
{
    const char *id = PQgetvalue(reader->rows, row, AT_ID);
    const char *previous = reader->known != NULL ? reader->known(reader->known_owner, id) : NULL;

    ordering_look_add(&reader->look, row, id, previous);
}

/* True when there are rows of ordered events, of which it is to be asked whose turn it is. */
static bool find_ordered(struct due_reader *reader)
{
    struct due_event event;
    bool is_repeated;

    ordering_look_begin(&reader->look);
    for (int i = 0; i < PQntuples(reader->rows) && i < reader->events.cut_at; i++)
        if (due_events_at(&reader->events, i, &event, &is_repeated) && event.ordering_key != NULL)
            add_ordered(reader, i);
    return reader->look.asked_count > 0;
}

static void on_events_answered(void *owner, const struct db_answer *answer)
{
    static const struct db_answer lost = {.result = DB_LOST, .message = "the link is down"};
    struct due_reader *reader = owner;

    if (answer->result != DB_ANSWERED) {
        give_rows(reader, answer);
        return;
    }
    due_events_take(&reader->events, db_answer_take(answer, 0));
    if (!find_ordered(reader))
        give_rows(reader, answer);
    else if (!ordering_look_send(&reader->look, reader->link, on_looked, reader))
        give_rows(reader, &lost);
}

/* What is left of the room when the rows' own payloads are here. */
static int64_t room_left(const struct due_reader *reader)
{
    int64_t room = reader->asked.room_bytes;

    for (int i = 0; i < PQntuples(reader->rows); i++)
        room -= PQgetlength(reader->rows, i, AT_PAYLOAD);
    return room > 0 ? room : 0;
}

static void send_events(struct due_reader *reader)
{
    struct number_text limit = number_text(reader->asked.payload_bytes);
    struct number_text room = number_text(room_left(reader));
    const struct db_answer lost = {.result = DB_LOST, .message = "the link is down"};

    if (!due_events_send(&reader->events, reader->link, limit.digits, room.digits,
                         on_events_answered, reader))
        on_events_answered(reader, &lost);
}

static void on_rows_answered(void *owner, const struct db_answer *answer)
{
    static const struct due_events_columns columns = {.id = AT_ID,
                                                      .event_id = AT_EVENT_ID,
                                                      .url = AT_URL,
                                                      .payload_bytes = AT_PAYLOAD_BYTES,
                                                      .cut = AT_CUT};
    struct due_reader *reader = owner;

    if (answer->result != DB_ANSWERED ||
        !due_events_find(&reader->events, answer->results[0], &columns)) {
        give_answer(reader, answer);
        return;
    }
    reader->rows = db_answer_take(answer, 0);
    send_events(reader);
}

/* A read of rows. */
static bool send_rows(struct due_reader *reader, struct db_link *link,
                      const struct db_statement *statement, const struct due_limits *limits,
                      db_link_answered *on_answer, void *owner)
{
    reader->link = link;
    reader->asked = *limits;
    reader->on_answer = on_answer;
    reader->owner = owner;
    return db_link_send_often(link, statement, 1, on_rows_answered, reader);
}

bool due_send_read(struct due_reader *reader, struct db_link *link, const struct finder *finder,
                   const struct finder_plan *plan, const struct due_limits *limits,
                   db_link_answered *on_answer, void *owner)
{
    struct number_text lane_rows = number_text(plan->lane_rows);
    struct number_text rows = number_text(plan->rows);
    struct number_text limit = number_text(limits->payload_bytes);
    struct number_text room = number_text(limits->room_bytes);
    struct db_statement statement;

    add_lanes(reader, finder, plan);
    if (plan->read != FINDER_FORWARD)
        statement =
            (struct db_statement){scan_sql,
                                  7,
                                  {array_end(&reader->lanes), array_end(&reader->times),
                                   array_end(&reader->ids), array_end(&reader->until_times),
                                   array_end(&reader->until_ids), lane_rows.digits, rows.digits}};
    else
        statement = (struct db_statement){forward_sql,
                                          8,
                                          {limit.digits, room.digits, array_end(&reader->hashes),
                                           array_end(&reader->lanes), array_end(&reader->times),
                                           array_end(&reader->ids), lane_rows.digits, rows.digits}};
    if (plan->read != FINDER_FORWARD)
        return db_link_send_often(link, &statement, 1, on_answer, owner);
    return send_rows(reader, link, &statement, limits, on_answer, owner);
}

void due_refill_begin(struct due_reader *reader)
{
    array_begin(&reader->lanes);
    array_begin(&reader->customers);
    array_begin(&reader->hashes);
    array_begin(&reader->times);
    array_begin(&reader->ids);
    array_begin(&reader->limits);
}

void due_refill_add(struct due_reader *reader, const struct backlog *backlog)
{
    char customer_id[37];

    backlog_customer_id(backlog, customer_id);
    array_add_int(&reader->lanes, backlog->lane);
    array_add_plain(&reader->customers, customer_id);
    array_add_plain(&reader->hashes, backlog_url_hash(backlog));
    add_position(reader, &backlog->cursor);
    array_add_int(&reader->limits, backlog->asked);
}

bool due_refill_send(struct due_reader *reader, struct db_link *link,
                     const struct due_limits *limits, db_link_answered *on_answer, void *owner)
{
    struct number_text limit = number_text(limits->payload_bytes);
    struct number_text room = number_text(limits->room_bytes);
    struct db_statement statement = {refill_sql,
                                     9,
                                     {limit.digits, room.digits, "{}", array_end(&reader->lanes),
                                      array_end(&reader->customers), array_end(&reader->hashes),
                                      array_end(&reader->times), array_end(&reader->ids),
                                      array_end(&reader->limits)}};

    return send_rows(reader, link, &statement, limits, on_answer, owner);
}

bool due_send_fetch(struct due_reader *reader, struct db_link *link, const char *const *ids,
                    int count, const struct due_limits *limits, db_link_answered *on_answer,
                    void *owner)
{
    struct number_text limit = number_text(limits->payload_bytes);
    struct number_text room = number_text(limits->room_bytes);
    struct db_statement statement = {fetch_sql, 4, {limit.digits, room.digits, "{}"}};

    if (count > DUE_FETCH_MAX)
        bug("a fetch of %d rows", count);
    array_begin(&reader->ids);
    for (int i = 0; i < count; i++)
        array_add_plain(&reader->ids, ids[i]);
    statement.values[3] = array_end(&reader->ids);
    return send_rows(reader, link, &statement, limits, on_answer, owner);
}

int due_rows_count(const struct due_reader *reader, const PGresult *result)
{
    int count = PQntuples(result);

    if (count == 0)
        bug("a forward read without a snapshot");
    if (PQgetisnull(result, 0, AT_ID))
        return 0;
    return count < reader->events.cut_at ? count : reader->events.cut_at;
}

struct late_snapshot due_snapshot(const PGresult *result)
{
    return (struct late_snapshot){
        .text = PQgetvalue(result, 0, AT_SNAPSHOT),
        .next = (uint32_t)strtoll(PQgetvalue(result, 0, AT_NEXT_TRANSACTION), NULL, 10),
        .bounds = {[LATE_NEAR] = PQgetvalue(result, 0, AT_BOUND_NEAR),
                   [LATE_FAR] = PQgetvalue(result, 0, AT_BOUND_FAR)},
    };
}

static void put_event(const struct due_reader *reader, int number, struct due_row *row)
{
    bool is_its_turn;

    row->is_of_event = due_events_at(&reader->events, number, &row->event, &row->is_repeated);
    if (!row->is_of_event)
        return;
    row->payload = row->event.body;
    row->payload_bytes = row->event.body_bytes;
    row->is_erased = row->event.is_erased;
    if (ordering_look_at(&reader->look, number, &is_its_turn, &row->previous))
        row->is_out_of_turn = !is_its_turn;
}

struct due_row due_row_at(const struct due_reader *reader, const PGresult *result, int row)
{
    struct due_row found = {
        .number = (int)strtol(PQgetvalue(result, row, AT_NUMBER), NULL, 10),
        .lane = (int)strtol(PQgetvalue(result, row, AT_LANE), NULL, 10),
        .id = PQgetvalue(result, row, AT_ID),
        .event_id = PQgetvalue(result, row, AT_EVENT_ID),
        .customer_id = PQgetvalue(result, row, AT_CUSTOMER_ID),
        .url = row_text(result, row, AT_URL),
        .url_hash = PQgetvalue(result, row, AT_URL_HASH),
        .attempts = (int)strtol(PQgetvalue(result, row, AT_ATTEMPTS), NULL, 10),
        .next_retry_at = PQgetvalue(result, row, AT_NEXT_RETRY_AT),
        .payload = row_text(result, row, AT_PAYLOAD),
        .payload_bytes = strtoll(PQgetvalue(result, row, AT_PAYLOAD_BYTES), NULL, 10),
        .is_cut = row_is_true(result, row, AT_CUT) || row >= reader->events.cut_at,
    };

    found.is_erased = found.payload_bytes < 0;
    if (reader->events.rows > 0)
        put_event(reader, row, &found);
    return found;
}

int64_t due_row_bytes(const struct due_row *row)
{
    return row->payload != NULL && !row->is_repeated ? row->payload_bytes : 0;
}

struct due_key due_key_at(const PGresult *result, int row)
{
    return (struct due_key){
        .lane = (int)strtol(PQgetvalue(result, row, KEY_LANE), NULL, 10),
        .id = PQgetvalue(result, row, KEY_ID),
        .next_retry_at = PQgetvalue(result, row, KEY_NEXT_RETRY_AT),
        .customer_id = PQgetvalue(result, row, KEY_CUSTOMER_ID),
        .url_hash = PQgetvalue(result, row, KEY_URL_HASH),
    };
}
