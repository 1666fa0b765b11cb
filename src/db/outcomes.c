/* SPDX-License-Identifier: MIT */
#include "db/outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/outcome.h"
#include "db/fragments.h"

/* More than an error and a response's start can take, escaped; URLs are at most 4 times that. */
#define COLUMN_MAX_BYTES ((size_t)OUTCOMES_BATCH_MAX * 8192)

/* What another worker has made of the row meanwhile gives way to a 2xx: a later attempt that
 * failed, or a failure without any. A failure by an operator's hand, who counts no attempt and
 * gives no such reason, stays. */
#define SUCCESS_WINS                                                              \
    "(d.status = 'pending' OR (d.status = 'failed' AND (d.attempts > o.attempts " \
    "OR starts_with(d.last_error, '" OUTCOME_UNSENT_MARK "'))))"

/* The row is the one that was read, and the outcome is still its next. */
#define IS_ITS_ROW                                                \
    SQL_HAS_ID("d.id", "o.id")                                    \
    " AND hashtextextended(d.webhook_url, 0) = o.url_hash "       \
    "AND CASE WHEN o.status = 'delivered' THEN " SUCCESS_WINS " " \
    "ELSE d.status = 'pending' AND d.attempts = o.attempts END"

/* attempts is repaired when somebody wrote nonsense into it. */
#define NEXT_ATTEMPT(attempts) "least(greatest(" attempts ", 0), 2147483646) + 1"

/* Each array of unnest() costs as much as all phases do in this way: they stand in one array behind
 * each other, in microseconds, -1 for none. */
#define BATCH                                                                                      \
    "WITH o AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int[], $4::text[], " \
    "$5::bool[], $6::float8[], $7::int[], $8::text[], $9::float8[], $10::int[], $11::bool[], "     \
    "$12::text[], $13::bool[]) WITH ORDINALITY AS o (id, url_hash, attempts, status, "             \
    "is_counted, delay, response_status, error, age, duration_ms, is_logged, response_body, "      \
    "was_promised, n))"

#define PHASES          4
#define PHASE(table, n) "nullif(($14::int[])[4 * " table ".n::int - 4 + " #n "], -1) / 1000::real"

/* What was promised has had no time (db/ordering.h). */
#define TIME_OF_END "CASE WHEN d.next_retry_at < 'infinity' THEN d.next_retry_at ELSE now() END"

/* greatest(): a row that an operator put off stays put off. One that was promised has no time yet. */
#define UPDATE                                                                                    \
    "UPDATE webhook_deliveries d SET status = o.status, "                                         \
    "attempts = CASE WHEN o.is_counted THEN " NEXT_ATTEMPT(                                       \
        "d.attempts") " "                                                                         \
                      "ELSE d.attempts END, "                                                     \
                      "last_attempt_at = CASE WHEN o.is_counted THEN now() - make_interval(secs " \
                      "=> o.age) "                                                                \
                      "ELSE d.last_attempt_at END, "                                              \
                      "next_retry_at = CASE WHEN o.status = 'pending' "                           \
                      "THEN greatest(CASE WHEN NOT o.was_promised OR "                            \
                      "d.next_retry_at < 'infinity' THEN d.next_retry_at END, "                   \
                      "now() + make_interval(secs => o.delay)) "                                  \
                      "ELSE " TIME_OF_END " END, "                                                \
                      "response_status = o.response_status, last_error = o.error "                \
                      "FROM o WHERE " IS_ITS_ROW

/* How the row is now, after the triggers that come before an update. Its time is told by the clock,
 * since webhook_deliveries_reschedule makes a time of before the present one. */
#define ROW_NOW                                                                    \
    "d.id AS row_id, d.status AS row_status, d.attempts AS row_attempts, "         \
    "d.next_retry_at < now() + make_interval(secs => o.delay) "                    \
    "AND d.next_retry_at <= clock_timestamp() AS row_is_due, "                     \
    "hashtextextended(d.webhook_url, 0) <> o.url_hash AS row_is_elsewhere, "       \
    "CASE WHEN d.endpoint_id IS NOT NULL THEN d.customer_id END AS row_customer, " \
    "d.erased_at IS NOT NULL AS row_is_erased"

#define LOG                                                                                   \
    "INSERT INTO webhook_attempts "                                                           \
    "(delivery_id, attempt, started_at, duration_ms, response_status, error, response_body, " \
    "dns_ms, connect_ms, tls_ms, wait_ms) "

/* clang-format off */
/* What a receiver has answered after the row was erased is not kept. */
#define LOGGED(table, is_erased) \
    "SELECT " table ".id, " NEXT_ATTEMPT(table ".attempts") ", now() - make_interval(secs => " table ".age), " \
    table ".duration_ms, " table ".response_status, " table ".error, " \
    "CASE WHEN NOT " is_erased " THEN " table ".response_body END, " \
    PHASE(table, 1) ", " PHASE(table, 2) ", " PHASE(table, 3) ", " PHASE(table, 4) " "

/*
 * The attempt log has only what was updated, so a repeated batch logs nothing; it comes from
 * RETURNING, since a join of the two would be 1,000 by 1,000 without a hash.
 */
static const char record_sql[] =
    BATCH ", u AS (" UPDATE " RETURNING o.*, " ROW_NOW "), "
    "l AS (" LOG LOGGED("u", "u.row_is_erased") "FROM u WHERE u.is_logged) "
    "SELECT row_id, row_status, row_attempts, row_is_due, row_is_elsewhere, row_customer FROM u";

static const char record_alone_sql[] = BATCH " " UPDATE " RETURNING " ROW_NOW;

/* What record_alone_sql has written, if it is still so. */
static const char log_sql[] =
    BATCH " " LOG LOGGED("o", "(d.erased_at IS NOT NULL)")
    "FROM o JOIN webhook_deliveries d ON " SQL_HAS_ID("d.id", "o.id") " AND d.status = o.status AND d.attempts = " NEXT_ATTEMPT("o.attempts") " WHERE o.is_logged "
    "AND NOT EXISTS (SELECT FROM webhook_attempts a "
    "WHERE a.delivery_id = o.id AND a.attempt = d.attempts)";
/* clang-format on */

/* The same for what was delivered and isn't logged. A status that stays is NULL in the answer: these
 * are nearly all outcomes that there are, and no text is made, sent and read for each. */
static const char success_sql[] =
    "UPDATE webhook_deliveries d SET status = 'delivered', "
    "next_retry_at = " TIME_OF_END ", attempts = " NEXT_ATTEMPT(
        "d.attempts") ", "
                      "last_attempt_at = now() - make_interval(secs => o.age), "
                      "response_status = o.response_status, last_error = NULL "
                      "FROM unnest($1::uuid[], $2::int8[], $3::int[], $4::int[], $5::float8[]) "
                      "AS o (id, url_hash, attempts, response_status, age) "
                      "WHERE " SQL_HAS_ID(
                          "d.id", "o.id") " AND hashtextextended(d.webhook_url, 0) = o.url_hash "
                                          "AND " SUCCESS_WINS " "
                                          "RETURNING d.id, nullif(d.status, 'delivered')";

/* After an outcome that nothing came back of: by the same rule, as the row is now. */
static const char look_sql[] =
    "SELECT d.id FROM unnest($1::uuid[], $2::int8[], $3::int[], $4::text[]) "
    "AS o (id, url_hash, attempts, status) JOIN webhook_deliveries d ON " IS_ITS_ROW;

/* The receiver said 410 Gone. An endpoint without a row gets one (noted_at: db/disabling_notes.h).
 * Where the delivery has gone meanwhile, its customer may have, too, and there is nothing to write.
 */
static const char disable_sql[] =
    "INSERT INTO webhook_endpoints AS e (customer_id, url, disabled_at, disabled_reason, noted_at) "
    "SELECT DISTINCT customer_id, url, now(), 'the receiver answered 410 Gone', now() "
    "FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS o (customer_id, url, delivery) "
    "WHERE EXISTS (SELECT FROM webhook_deliveries d WHERE d.id = o.delivery) "
    "ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE "
    "SET disabled_at = excluded.disabled_at, disabled_reason = excluded.disabled_reason, "
    "noted_at = CASE WHEN e.noted_at IS NOT NULL THEN now() END "
    "WHERE e.disabled_at IS NULL";

void outcome_writer_init(struct outcome_writer *writer)
{
    for (int i = 0; i < SUCCESS_COLUMNS; i++)
        array_init(&writer->success_columns[i], COLUMN_MAX_BYTES);
    for (int i = 0; i < OUTCOME_COLUMNS; i++)
        array_init(&writer->columns[i], COLUMN_MAX_BYTES);
    array_init(&writer->disabled_customers, COLUMN_MAX_BYTES);
    array_init(&writer->disabled_urls, COLUMN_MAX_BYTES * 4);
    array_init(&writer->disabled_by, COLUMN_MAX_BYTES);
    for (int i = 0; i < LOOK_COLUMNS; i++)
        array_init(&writer->looked_at[i], COLUMN_MAX_BYTES);
    ordering_ends_init(&writer->ends, COLUMN_MAX_BYTES);
}

void outcome_writer_free(struct outcome_writer *writer)
{
    for (int i = 0; i < SUCCESS_COLUMNS; i++)
        array_free(&writer->success_columns[i]);
    for (int i = 0; i < OUTCOME_COLUMNS; i++)
        array_free(&writer->columns[i]);
    array_free(&writer->disabled_customers);
    array_free(&writer->disabled_urls);
    array_free(&writer->disabled_by);
    for (int i = 0; i < LOOK_COLUMNS; i++)
        array_free(&writer->looked_at[i]);
    ordering_ends_free(&writer->ends);
}

void outcome_writer_begin(struct outcome_writer *writer, const char *owner, const char *kept)
{
    writer->successes = writer->others = 0;
    writer->logged = writer->disabled = 0;
    for (int i = 0; i < SUCCESS_COLUMNS; i++)
        array_begin(&writer->success_columns[i]);
    for (int i = 0; i < OUTCOME_COLUMNS; i++)
        array_begin(&writer->columns[i]);
    array_begin(&writer->disabled_customers);
    array_begin(&writer->disabled_urls);
    array_begin(&writer->disabled_by);
    ordering_ends_begin(&writer->ends, owner, kept);
}

static const char *const status_texts[] = {
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_RETRY] = "pending",
    [OUTCOME_FAILED] = "failed",
};

static bool is_plain_success(const struct outcome_record *record)
{
    return record->outcome.kind == OUTCOME_DELIVERED && record->outcome.counts_attempt &&
           !record->is_logged && record->response_status > 0 && record->error == NULL;
}

static void add_success(struct outcome_writer *writer, const struct outcome_record *record)
{
    struct array *columns = writer->success_columns;

    array_add_plain(&columns[SUCCESS_ID], record->id);
    array_add_plain(&columns[SUCCESS_URL_HASH], record->url_hash);
    array_add_int(&columns[SUCCESS_ATTEMPTS], record->attempts);
    array_add_int(&columns[SUCCESS_RESPONSE_STATUS], record->response_status);
    array_add_seconds(&columns[SUCCESS_AGE], record->age_ms);
    writer->successes++;
}

static void add_phases(struct array *column, const struct outcome_record *record)
{
    const int64_t took_us[PHASES] = {record->phases.dns_us, record->phases.connect_us,
                                     record->phases.tls_us, record->phases.wait_us};

    for (int i = 0; i < PHASES; i++)
        array_add_int(column,
                      record->is_logged && took_us[i] <= INT32_MAX ? took_us[i] : PHASE_NONE);
}

static void add_other(struct outcome_writer *writer, const struct outcome_record *record)
{
    struct array *columns = writer->columns;

    writer->others++;
    writer->logged += record->is_logged;
    array_add_plain(&columns[COLUMN_ID], record->id);
    array_add_plain(&columns[COLUMN_URL_HASH], record->url_hash);
    array_add_int(&columns[COLUMN_ATTEMPTS], record->attempts);
    array_add_plain(&columns[COLUMN_STATUS], status_texts[record->outcome.kind]);
    array_add_bool(&columns[COLUMN_IS_COUNTED], record->outcome.counts_attempt);
    array_add_seconds(&columns[COLUMN_DELAY], record->outcome.delay_ms);
    if (record->response_status > 0)
        array_add_int(&columns[COLUMN_RESPONSE_STATUS], record->response_status);
    else
        array_add_null(&columns[COLUMN_RESPONSE_STATUS]);
    array_add_text(&columns[COLUMN_ERROR], record->error);
    array_add_seconds(&columns[COLUMN_AGE], record->age_ms);
    array_add_int(&columns[COLUMN_DURATION], record->duration_ms);
    array_add_bool(&columns[COLUMN_IS_LOGGED], record->is_logged);
    array_add_text(&columns[COLUMN_RESPONSE_BODY], record->response_body);
    array_add_bool(&columns[COLUMN_WAS_PROMISED], record->was_promised);
    add_phases(&columns[COLUMN_PHASES], record);
    if (record->outcome.disables_endpoint) {
        writer->disabled++;
        array_add_plain(&writer->disabled_customers, record->customer_id);
        array_add_text(&writer->disabled_urls, record->url);
        array_add_plain(&writer->disabled_by, record->id);
    }
}

void outcome_writer_add(struct outcome_writer *writer, const struct outcome_record *record)
{
    if (is_plain_success(record))
        add_success(writer, record);
    else
        add_other(writer, record);
    if (record->is_ordered && record->outcome.kind != OUTCOME_RETRY)
        ordering_ends_add(&writer->ends, record->id, record->bucket, record->chain);
}

static void put(struct db_statement *statement, const char *sql, struct array *columns, int count)
{
    *statement = (struct db_statement){.sql = sql, .count = count};
    for (int i = 0; i < count; i++)
        statement->values[i] = array_end(&columns[i]);
}

bool outcome_writer_has(const struct outcome_writer *writer, enum outcome_part part)
{
    return part == OUTCOMES_LOG ? writer->logged > 0 : writer->disabled > 0;
}

static void put_endpoints(struct db_statement *statement, struct outcome_writer *writer)
{
    *statement =
        (struct db_statement){disable_sql,
                              3,
                              {array_end(&writer->disabled_customers),
                               array_end(&writer->disabled_urls), array_end(&writer->disabled_by)}};
}

static int put_rows(struct db_statement *statements, struct outcome_writer *writer, const char *sql,
                    int columns)
{
    int count = 0;

    if (writer->ends.count > 0)
        statements[count++] = ordering_lock(&writer->ends);
    if (writer->successes > 0)
        put(&statements[count++], success_sql, writer->success_columns, SUCCESS_COLUMNS);
    if (writer->others > 0)
        put(&statements[count++], sql, writer->columns, columns);
    if (writer->ends.count > 0)
        statements[count++] = ordering_promote(&writer->ends);
    return count;
}

bool outcome_writer_send(struct outcome_writer *writer, enum outcome_part part,
                         struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statements[5];
    int count = 0;

    switch (part) {
    case OUTCOMES_WHOLE:
        count = put_rows(statements, writer, record_sql, OUTCOME_COLUMNS);
        if (writer->disabled > 0)
            put_endpoints(&statements[count++], writer);
        break;
    case OUTCOMES_ALONE:
        count = put_rows(statements, writer, record_alone_sql, COLUMN_PHASES);
        break;
    case OUTCOMES_LOG:
        put(&statements[count++], log_sql, writer->columns, OUTCOME_COLUMNS);
        break;
    case OUTCOMES_ENDPOINTS:
        put_endpoints(&statements[count++], writer);
        break;
    }
    return db_link_send_often(link, statements, count, on_answer, owner);
}

static enum outcome_kind kind_of(const char *status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(status_texts); i++)
        if (strcmp(status, status_texts[i]) == 0)
            return (enum outcome_kind)i;
    /* A status of the application's: whatever it means, no worker will send the row. */
    return OUTCOME_FAILED;
}

const char *outcome_row_at(const PGresult *result, int n, struct settlement_row *ret_row,
                           const char **ret_customer_id)
{
    *ret_customer_id = NULL;
    *ret_row = (struct settlement_row){
        .kind = PQgetisnull(result, n, 1) ? OUTCOME_DELIVERED : kind_of(PQgetvalue(result, n, 1)),
        .is_due = true};
    if (PQnfields(result) > 2) {
        ret_row->attempts = (int)strtol(PQgetvalue(result, n, 2), NULL, 10);
        ret_row->is_due = *PQgetvalue(result, n, 3) == 't';
        ret_row->is_moved = *PQgetvalue(result, n, 4) == 't';
        *ret_customer_id = PQgetisnull(result, n, 5) ? NULL : PQgetvalue(result, n, 5);
    }
    return PQgetvalue(result, n, 0);
}

void outcome_writer_begin_look(struct outcome_writer *writer)
{
    for (int i = 0; i < LOOK_COLUMNS; i++)
        array_begin(&writer->looked_at[i]);
}

void outcome_writer_look_at(struct outcome_writer *writer, const struct outcome_record *record)
{
    struct array *columns = writer->looked_at;

    array_add_plain(&columns[COLUMN_ID], record->id);
    array_add_plain(&columns[COLUMN_URL_HASH], record->url_hash);
    array_add_int(&columns[COLUMN_ATTEMPTS], record->attempts);
    array_add_plain(&columns[COLUMN_STATUS], status_texts[record->outcome.kind]);
}

bool outcome_writer_send_look(struct outcome_writer *writer, struct db_link *link,
                              db_link_answered *on_answer, void *owner)
{
    struct db_statement statement;

    put(&statement, look_sql, writer->looked_at, LOOK_COLUMNS);
    return db_link_send_often(link, &statement, 1, on_answer, owner);
}
