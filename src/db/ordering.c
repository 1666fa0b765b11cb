/* SPDX-License-Identifier: MIT */
#include "db/ordering.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/fragments.h"
#include "db/row.h"

#define IDS_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* What comes of a look. */
enum {
    LOOK_NUMBER,
    LOOK_IS_TURN,
    LOOK_PREVIOUS,
};

/* And of ordering_promote(). */
enum {
    NEXT_ID,
    NEXT_PREVIOUS,
    NEXT_PROMISE,
    NEXT_CHAIN,
    NEXT_COLUMNS,
};

/* clang-format off */

/*
 * Of the key of "of", by its index. IS FALSE, since NOT is made <> before the planner looks for an
 * index. What is pending is compared as SQL_CHECKED does (db/fragments.h), and sorted by as well, so
 * that it is this index.
 */
#define IN_KEY(of) "w.endpoint_id = " of ".endpoint_id AND w.ordering_key = " of ".ordering_key"
#define IN_ITS_ORDER " ORDER BY (w.status = 'pending'), w.ordering_sequence LIMIT 1"
#define FIRST_PENDING(columns, of) \
    "SELECT " columns " FROM webhook_deliveries w WHERE " IN_KEY(of) \
    " AND " SQL_CHECKED("w.status = 'pending'") IN_ITS_ORDER
#define LAST_ENDED_BEFORE(row) \
    "SELECT w.event_id, w.status FROM webhook_deliveries w WHERE " IN_KEY(row) \
    " AND (w.status = 'pending') IS FALSE AND w.ordering_sequence < " row ".ordering_sequence" \
    " ORDER BY w.ordering_sequence DESC LIMIT 1"

#define IS_BLOCKED(ended, row) \
    "(" ended ".status IS NOT DISTINCT FROM 'failed' AND EXISTS (" \
    "SELECT FROM webhook_endpoints e WHERE e.id = " row ".endpoint_id AND e.ordering = 'block' OFFSET 0))"

static const char look_sql[] =
    "SELECT o.number - 1, h.id = d.id AND NOT " IS_BLOCKED("p", "d") ", p.event_id"
    " FROM unnest($1::uuid[]) WITH ORDINALITY AS o (id, number)"
    " CROSS JOIN LATERAL (SELECT w.id, w.endpoint_id, w.ordering_key, w.ordering_sequence"
    " FROM webhook_deliveries w WHERE w.id = o.id AND " SQL_CHECKED("w.ordering_key IS NOT NULL") " OFFSET 0) d"
    " CROSS JOIN LATERAL (" FIRST_PENDING("w.id", "d") ") h"
    " LEFT JOIN LATERAL (" LAST_ENDED_BEFORE("d") ") p ON true";

/* OFFSET 0: what is said comes first, each lock is tried once, all are before anything is looked up, and each
 * row is looked up by its id: where the statistics take the table for empty, a join would go through all of it. */
static const char lock_sql[] =
    "INSERT INTO webhook_promotions (event_id, endpoint_id, ordering_key)"
    " SELECT d.event_id, d.endpoint_id, d.ordering_key"
    " FROM (SELECT set_config('postrider.promotion', 'worker', true) OFFSET 0) AS s (said)"
    " CROSS JOIN LATERAL (SELECT o.id FROM unnest($1::uuid[], $2::int[]) AS o (id, bucket)"
    " WHERE s.said = 'worker' AND o.bucket = ANY (ARRAY(SELECT b.bucket"
    " FROM (SELECT DISTINCT bucket FROM unnest($2::int[]) AS g (bucket) OFFSET 0) b"
    " WHERE NOT pg_try_advisory_xact_lock_shared('webhook_events'::regclass::int, b.bucket))) OFFSET 0) o"
    " CROSS JOIN LATERAL (SELECT w.event_id, w.endpoint_id, w.ordering_key FROM webhook_deliveries w"
    " WHERE w.id = o.id AND " SQL_CHECKED("w.ordering_key IS NOT NULL") " OFFSET 0) d";

/* Of what is not due, nothing is made so: it waits for its time. */
#define MAY_GO(row) "(" row ".next_retry_at = 'infinity' OR " row ".next_retry_at <= clock_timestamp())"

/*
 * As webhook_ordering_promote() does for one key. Behind what has ended (d) there come in the index of
 * its key first those after it that have ended, too, and then what is pending. Nearly always that is the
 * one to be next (b), and one step says so, and that d is before it. Only where it is not so, as when
 * d was sent again, the next one and what is before it are looked up.
 *
 * A row that an operator has made due out of turn gets a new time, since a reader has passed the other.
 * What is due already need not be promised; what is to be waited for is promised all the same, since
 * who reads its event sees that, and gives it back.
 *
 * MAY_GO stands beside b since no result is kept of what has a clock in it (PostgreSQL would, for the
 * next row of the same key, and there is none). ARRAY: a join could be carried out from its other end, by
 * all rows that there are.
 */
static const char promote_sql[] =
    "WITH seen AS MATERIALIZED (SELECT o.chain, d.endpoint_id, d.ordering_key, d.event_id, d.status, b.id,"
    " b.next_retry_at, b.is_pending AND b.ordering_sequence > d.ordering_sequence AS is_next"
    " FROM unnest($1::uuid[], $2::int[]) AS o (id, chain)"
    " CROSS JOIN LATERAL (SELECT w.endpoint_id, w.ordering_key, w.ordering_sequence, w.event_id, w.status"
    " FROM webhook_deliveries w WHERE w.id = o.id AND " SQL_CHECKED("w.ordering_key IS NOT NULL")
    " AND w.status <> 'pending' OFFSET 0) d"
    " CROSS JOIN LATERAL (SELECT w.id, w.next_retry_at, w.ordering_sequence, w.status = 'pending' AS is_pending"
    " FROM webhook_deliveries w WHERE " IN_KEY("d")
    " AND (w.status = 'pending', w.ordering_sequence) > (false, d.ordering_sequence)" IN_ITS_ORDER ") b"
    " WHERE NOT b.is_pending OR " MAY_GO("b") "),"
    " found AS (SELECT s.id, s.chain, s.next_retry_at, s.event_id AS previous"
    " FROM seen s WHERE s.is_next AND NOT " IS_BLOCKED("s", "s")
    " UNION ALL SELECT h.id, s.chain, h.next_retry_at, p.event_id FROM seen s"
    " CROSS JOIN LATERAL (" FIRST_PENDING("w.*", "s") ") h"
    " LEFT JOIN LATERAL (" LAST_ENDED_BEFORE("h") ") p ON true"
    " WHERE NOT s.is_next AND " MAY_GO("h") " AND NOT " IS_BLOCKED("p", "s") "),"
    " next AS MATERIALIZED (SELECT id, chain, previous, chain >= 0 AND next_retry_at = 'infinity' AS is_promised"
    " FROM found),"
    " promise AS (INSERT INTO webhook_promotions (owner, delivery_ids)"
    " SELECT $3, array_agg(id) FROM next WHERE is_promised HAVING count(*) > 0 RETURNING id),"
    " made_due AS (UPDATE webhook_deliveries n SET next_retry_at = " SQL_TIME_OF_TURN("n")
    " WHERE n.id = ANY (ARRAY(SELECT id FROM next WHERE NOT is_promised))"
    " AND " SQL_CHECKED("n.status = 'pending'") "),"
    " kept AS (DELETE FROM webhook_promotions WHERE id = ANY ($4::int8[]))"
    " SELECT id AS next, previous, CASE WHEN is_promised THEN (SELECT id FROM promise) END, chain + 1 FROM next";
/* clang-format on */

void ordering_ends_init(struct ordering_ends *ends, size_t maximum_bytes)
{
    ends->count = 0;
    array_init(&ends->ids, maximum_bytes);
    array_init(&ends->buckets, maximum_bytes);
    array_init(&ends->chains, maximum_bytes);
}

void ordering_ends_free(struct ordering_ends *ends)
{
    array_free(&ends->ids);
    array_free(&ends->buckets);
    array_free(&ends->chains);
}

void ordering_ends_begin(struct ordering_ends *ends, const char *owner, const char *kept)
{
    ends->count = 0;
    ends->owner = owner;
    ends->kept = kept;
    array_begin(&ends->ids);
    array_begin(&ends->buckets);
    array_begin(&ends->chains);
}

void ordering_ends_add(struct ordering_ends *ends, const char *id, int bucket, int chain)
{
    array_add_plain(&ends->ids, id);
    array_add_int(&ends->buckets, bucket);
    array_add_int(&ends->chains, chain);
    ends->count++;
}

struct db_statement ordering_lock(struct ordering_ends *ends)
{
    return (struct db_statement){lock_sql, 2, {array_end(&ends->ids), array_end(&ends->buckets)}};
}

struct db_statement ordering_promote(struct ordering_ends *ends)
{
    return (struct db_statement){
        promote_sql, 4, {array_end(&ends->ids), array_end(&ends->chains), ends->owner, ends->kept}};
}

void ordering_look_init(struct ordering_look *look)
{
    *look = (struct ordering_look){.count = 0};
    array_init(&look->ids, IDS_MAX_BYTES);
}

static void forget_answer(struct ordering_look *look)
{
    PQclear(look->result);
    look->result = NULL;
    look->count = look->asked_count = 0;
}

void ordering_look_free(struct ordering_look *look)
{
    forget_answer(look);
    array_free(&look->ids);
    free(look->rows);
    free(look->asked);
}

void ordering_look_begin(struct ordering_look *look)
{
    forget_answer(look);
    array_begin(&look->ids);
}

static struct ordering_row *add_row(struct ordering_look *look)
{
    if (look->count == look->capacity) {
        look->capacity = look->capacity > 0 ? look->capacity * 2 : 256;
        look->rows = memory_resize(look->rows, (size_t)look->capacity, sizeof(*look->rows));
        look->asked = memory_resize(look->asked, (size_t)look->capacity, sizeof(*look->asked));
    }
    return &look->rows[look->count++];
}

void ordering_look_add(struct ordering_look *look, int row, const char *id, const char *previous)
{
    struct ordering_row *added = add_row(look);

    *added = (struct ordering_row){.row = row, .answer = -1, .is_known = previous != NULL};
    if (previous != NULL) {
        text_copy(added->previous, sizeof(added->previous), previous);
        return;
    }
    look->asked[look->asked_count++] = look->count - 1;
    array_add_plain(&look->ids, id);
}

bool ordering_look_send(struct ordering_look *look, struct db_link *link,
                        db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {look_sql, 1, {array_end(&look->ids)}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

void ordering_look_take(struct ordering_look *look, PGresult *result)
{
    look->result = result;
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t number = row_integer(result, i, LOOK_NUMBER, -1);

        if (number < 0 || number >= look->asked_count)
            bug("a look at ordered row %lld of %d", (long long)number, look->asked_count);
        look->rows[look->asked[number]].answer = i;
    }
}

static int compare_rows(const void *row, const void *at)
{
    return *(const int *)row - ((const struct ordering_row *)at)->row;
}

bool ordering_look_at(const struct ordering_look *look, int row, bool *ret_is_its_turn,
                      const char **ret_previous)
{
    const struct ordering_row *found =
        look->count > 0
            ? bsearch(&row, look->rows, (size_t)look->count, sizeof(*look->rows), compare_rows)
            : NULL;

    if (found == NULL)
        return false;
    *ret_is_its_turn = found->is_known;
    *ret_previous = found->is_known ? found->previous : NULL;
    if (found->answer >= 0) {
        *ret_is_its_turn = row_is_true(look->result, found->answer, LOOK_IS_TURN);
        *ret_previous = row_text(look->result, found->answer, LOOK_PREVIOUS);
    }
    return true;
}

bool ordering_is_promotion(const PGresult *result)
{
    return PQnfields(result) == NEXT_COLUMNS && strcmp(PQfname(result, 0), "next") == 0;
}

struct ordering_next ordering_next_at(const PGresult *result, int n)
{
    return (struct ordering_next){.id = PQgetvalue(result, n, NEXT_ID),
                                  .previous = row_text(result, n, NEXT_PREVIOUS),
                                  .promise = row_integer(result, n, NEXT_PROMISE, 0),
                                  .chain = (int)row_integer(result, n, NEXT_CHAIN, 0)};
}
