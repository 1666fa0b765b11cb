/* SPDX-License-Identifier: MIT */
#include "db/due_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "db/event_body.h"
#include "db/fragments.h"
#include "db/row.h"

#define IDS_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* What comes of an event. */
enum {
    EVENT_NUMBER,
    EVENT_CUT,
    EVENT_BODY,
    EVENT_BODY_BYTES,
    EVENT_CUSTOMER_ID,
    EVENT_CORRELATION_ID,
    EVENT_CAUSATION_ID,
    EVENT_TRACEPARENT,
    EVENT_ORDERING_KEY,
    EVENT_ERASED,
    EVENT_ORDERING_BUCKET,
    EVENT_IS_EARLY,
};

/* clang-format off */

/* The body is made once, as a row's payload is (db/due.c), and limited by $1 and $2 likewise. Of what
 * was erased there is none. */
static const char events_sql[] =
    "SELECT s.number - 1, s.is_cut, CASE WHEN NOT s.is_cut THEN s.body END, s.body_bytes,"
    " s.customer_id, s.correlation_id, s.causation_id, s.traceparent, s.ordering_key, s.erased_at IS NOT NULL,"
    " CASE WHEN s.ordering_key IS NOT NULL THEN " SQL_ORDERING_BUCKET("s.customer_id", "s.ordering_key") " END,"
    " CASE WHEN s.deliver_after IS NOT NULL THEN s.deliver_after > clock_timestamp() END"
    " FROM (SELECT m.*, m.position > 1 AND m.running > $2::int8 AS is_cut"
    " FROM (SELECT c.number, e.customer_id, e.correlation_id, e.causation_id, e.traceparent,"
    " e.ordering_key, e.erased_at, e.deliver_after,"
    " octet_length(b.body) AS body_bytes, CASE WHEN octet_length(b.body) <= $1::int8 THEN b.body END AS body,"
    " sum(CASE WHEN octet_length(b.body) <= $1::int8 THEN octet_length(b.body) ELSE 0 END)"
    " OVER events_so_far AS running, row_number() OVER events_so_far AS position"
    " FROM unnest($3::uuid[]) WITH ORDINALITY AS c (id, number)"
    " CROSS JOIN LATERAL (SELECT * FROM webhook_events w WHERE w.id = c.id OFFSET 0) e"
    " CROSS JOIN LATERAL (SELECT CASE WHEN e.erased_at IS NULL THEN " SQL_EVENT_BODY("e")
    " END AS body OFFSET 0) b"
    " WINDOW events_so_far AS (ORDER BY c.number ROWS UNBOUNDED PRECEDING)) m) s";
/* clang-format on */

void due_events_init(struct due_events *events)
{
    *events = (struct due_events){.cut_at = INT32_MAX};
    array_init(&events->ids, IDS_MAX_BYTES);
}

void due_events_clear(struct due_events *events)
{
    PQclear(events->result);
    events->result = NULL;
    events->count = events->rows = 0;
    events->cut_at = INT32_MAX;
}

void due_events_free(struct due_events *events)
{
    due_events_clear(events);
    array_free(&events->ids);
    free(events->numbers);
    free(events->firsts);
    free(events->places);
    free(events->buckets);
}

/* A power of two, twice as many as rows. */
static unsigned bucket_count(const struct due_events *events)
{
    return (unsigned)events->capacity * 2;
}

static void make_room(struct due_events *events, int rows)
{
    int capacity = events->capacity > 0 ? events->capacity : 1024;

    while (capacity < rows)
        capacity *= 2;
    if (capacity == events->capacity)
        return;
    events->capacity = capacity;
    events->numbers = memory_resize(events->numbers, (size_t)capacity, sizeof(int));
    events->firsts = memory_resize(events->firsts, (size_t)capacity, sizeof(int));
    events->places = memory_resize(events->places, (size_t)capacity, sizeof(int));
    events->buckets = memory_resize(events->buckets, bucket_count(events), sizeof(int));
}

static unsigned hash_of(const char *id)
{
    unsigned hash = 2166136261U; /* FNV-1a */

    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return hash;
}

/* The event's number; a new one for an id that is seen for the first time. */
static int number_of(struct due_events *events, const PGresult *rows, int row, int id_column)
{
    const char *id = PQgetvalue(rows, row, id_column);
    unsigned last = bucket_count(events) - 1;
    unsigned at = hash_of(id) & last;

    for (; events->buckets[at] >= 0; at = (at + 1) & last) {
        int number = events->buckets[at];

        if (strcmp(PQgetvalue(rows, events->firsts[number], id_column), id) == 0)
            return number;
    }
    events->buckets[at] = events->count;
    events->firsts[events->count] = row;
    events->places[events->count] = -1;
    array_add_plain(&events->ids, id);
    return events->count++;
}

/* Of a closed endpoint there is the key alone, and what is cut is not here at all. */
static bool is_of_event(const PGresult *rows, int row, const struct due_events_columns *columns)
{
    return PQgetisnull(rows, row, columns->payload_bytes) != 0 &&
           PQgetisnull(rows, row, columns->url) == 0 && PQgetisnull(rows, row, columns->id) == 0 &&
           !row_is_true(rows, row, columns->cut);
}

static void begin(struct due_events *events, int rows)
{
    make_room(events, rows);
    events->rows = rows;
    array_begin(&events->ids);
    for (unsigned i = 0; i < bucket_count(events); i++)
        events->buckets[i] = -1;
}

bool due_events_find(struct due_events *events, const PGresult *rows,
                     const struct due_events_columns *columns)
{
    int count = PQntuples(rows);
    int row = 0;

    due_events_clear(events);
    while (row < count && !is_of_event(rows, row, columns))
        row++;
    if (row == count)
        return false;
    begin(events, count);
    for (int i = 0; i < count; i++)
        events->numbers[i] = i >= row && is_of_event(rows, i, columns)
                                 ? number_of(events, rows, i, columns->event_id)
                                 : -1;
    return true;
}

bool due_events_send(struct due_events *events, struct db_link *link, const char *limit,
                     const char *room, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {events_sql, 3, {limit, room, array_end(&events->ids)}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

void due_events_take(struct due_events *events, PGresult *result)
{
    events->result = result;
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t number = row_integer(result, i, EVENT_NUMBER, -1);

        if (number < 0 || number >= events->count)
            bug("event %lld of %d", (long long)number, events->count);
        events->places[number] = i;
        if (row_is_true(result, i, EVENT_CUT) && events->firsts[number] < events->cut_at)
            events->cut_at = events->firsts[number];
    }
}

bool due_events_at(const struct due_events *events, int row, struct due_event *ret_event,
                   bool *ret_is_repeated)
{
    const PGresult *result = events->result;
    int number = row < events->rows ? events->numbers[row] : -1;
    int at;

    if (number < 0)
        return false;
    at = events->places[number];
    *ret_is_repeated = events->firsts[number] != row;
    *ret_event = (struct due_event){.is_absent = at < 0};
    if (at >= 0)
        *ret_event = (struct due_event){
            .body = row_text(result, at, EVENT_BODY),
            .body_bytes = row_integer(result, at, EVENT_BODY_BYTES, 0),
            .customer_id = row_text(result, at, EVENT_CUSTOMER_ID),
            .correlation_id = row_text(result, at, EVENT_CORRELATION_ID),
            .causation_id = row_text(result, at, EVENT_CAUSATION_ID),
            .traceparent = row_text(result, at, EVENT_TRACEPARENT),
            .ordering_key = row_text(result, at, EVENT_ORDERING_KEY),
            .ordering_bucket = (int)row_integer(result, at, EVENT_ORDERING_BUCKET, 0),
            .is_erased = row_is_true(result, at, EVENT_ERASED),
            .is_early = row_is_true(result, at, EVENT_IS_EARLY),
        };
    return true;
}
