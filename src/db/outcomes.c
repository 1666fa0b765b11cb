#include "db/outcomes.h"

#include "base/compiler.h"
#include "core/outcome.h"

/* More than an error and a response's start can take, escaped; URLs are at most 4 times that. */
#define COLUMN_MAX_BYTES ((size_t)OUTCOMES_BATCH_MAX * 8192)

/* What another worker has made of the row meanwhile gives way to a 2xx: a later attempt that
 * failed, or a failure without any. A failure by an operator's hand, who counts no attempt, stays.
 */
#define SUCCESS_WINS                                                              \
    "(d.status = 'pending' OR (d.status = 'failed' AND (d.attempts > o.attempts " \
    "OR starts_with(d.last_error, '" OUTCOME_UNSENT_MARK "'))))"

/*
 * greatest(): a row that an operator put off stays put off. attempts is repaired when somebody
 * wrote nonsense into it. The attempt log has only what was updated, so a repeated batch logs
 * nothing; it comes from RETURNING, since a join of the two would be 1,000 by 1,000 without a hash.
 */
static const char record_sql[] =
    "WITH o AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int[], $4::text[], "
    "$5::bool[], $6::float8[], $7::int[], $8::text[], $9::float8[], $10::int[], $11::bool[], "
    "$12::text[]) AS o (id, url_hash, attempts, status, is_counted, delay, response_status, error, "
    "age, duration_ms, is_logged, response_body)), "
    "u AS (UPDATE webhook_deliveries d SET status = o.status, "
    "attempts = CASE WHEN o.is_counted THEN least(greatest(d.attempts, 0), 2147483646) + 1 "
    "ELSE d.attempts END, "
    "last_attempt_at = CASE WHEN o.is_counted THEN now() - make_interval(secs => o.age) "
    "ELSE d.last_attempt_at END, "
    "next_retry_at = CASE WHEN o.status = 'pending' "
    "THEN greatest(d.next_retry_at, now() + make_interval(secs => o.delay)) "
    "ELSE d.next_retry_at END, "
    "response_status = o.response_status, last_error = o.error "
    "FROM o WHERE d.id = o.id AND hashtextextended(d.webhook_url, 0) = o.url_hash "
    "AND CASE WHEN o.status = 'delivered' THEN " SUCCESS_WINS " "
    "ELSE d.status = 'pending' AND d.attempts = o.attempts END RETURNING o.*), "
    "l AS (INSERT INTO webhook_attempts "
    "(delivery_id, attempt, started_at, duration_ms, response_status, error, response_body) "
    "SELECT id, least(greatest(attempts, 0), 2147483646) + 1, "
    "now() - make_interval(secs => age), duration_ms, response_status, error, response_body "
    "FROM u WHERE is_logged) "
    "SELECT id FROM u";

/* The same for what was delivered and isn't logged. */
static const char success_sql[] =
    "UPDATE webhook_deliveries d SET status = 'delivered', "
    "attempts = least(greatest(d.attempts, 0), 2147483646) + 1, "
    "last_attempt_at = now() - make_interval(secs => o.age), "
    "response_status = o.response_status, last_error = NULL "
    "FROM unnest($1::uuid[], $2::int8[], $3::int[], $4::int[], $5::float8[]) "
    "AS o (id, url_hash, attempts, response_status, age) "
    "WHERE d.id = o.id AND hashtextextended(d.webhook_url, 0) = o.url_hash "
    "AND " SUCCESS_WINS " "
    "RETURNING d.id";

/* The receiver said 410 Gone. An endpoint without a row gets one (noted_at: db/endpoint_health.h).
 */
static const char disable_sql[] =
    "INSERT INTO webhook_endpoints AS e (customer_id, url, disabled_at, disabled_reason, noted_at) "
    "SELECT DISTINCT customer_id, url, now(), 'the receiver answered 410 Gone', now() "
    "FROM unnest($1::uuid[], $2::text[]) AS o (customer_id, url) "
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
}

void outcome_writer_free(struct outcome_writer *writer)
{
    for (int i = 0; i < SUCCESS_COLUMNS; i++)
        array_free(&writer->success_columns[i]);
    for (int i = 0; i < OUTCOME_COLUMNS; i++)
        array_free(&writer->columns[i]);
    array_free(&writer->disabled_customers);
    array_free(&writer->disabled_urls);
}

void outcome_writer_begin(struct outcome_writer *writer)
{
    writer->successes = writer->others = 0;
    for (int i = 0; i < SUCCESS_COLUMNS; i++)
        array_begin(&writer->success_columns[i]);
    for (int i = 0; i < OUTCOME_COLUMNS; i++)
        array_begin(&writer->columns[i]);
    array_begin(&writer->disabled_customers);
    array_begin(&writer->disabled_urls);
}

static const char *status_text(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DELIVERED:
        return "delivered";
    case OUTCOME_RETRY:
        return "pending";
    case OUTCOME_FAILED:
        return "failed";
    }
    bug("outcome %d", (int)kind);
}

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

static void add_other(struct outcome_writer *writer, const struct outcome_record *record)
{
    struct array *columns = writer->columns;

    writer->others++;
    array_add_plain(&columns[COLUMN_ID], record->id);
    array_add_plain(&columns[COLUMN_URL_HASH], record->url_hash);
    array_add_int(&columns[COLUMN_ATTEMPTS], record->attempts);
    array_add_plain(&columns[COLUMN_STATUS], status_text(record->outcome.kind));
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
    if (record->outcome.disables_endpoint) {
        array_add_plain(&writer->disabled_customers, record->customer_id);
        array_add_text(&writer->disabled_urls, record->url);
    }
}

void outcome_writer_add(struct outcome_writer *writer, const struct outcome_record *record)
{
    if (is_plain_success(record))
        add_success(writer, record);
    else
        add_other(writer, record);
}

static void put(struct db_statement *statement, const char *sql, struct array *columns, int count)
{
    *statement = (struct db_statement){.sql = sql, .count = count};
    for (int i = 0; i < count; i++)
        statement->values[i] = array_end(&columns[i]);
}

bool outcome_writer_send(struct outcome_writer *writer, struct db_link *link,
                         db_link_answered *on_answer, void *owner)
{
    struct db_statement statements[3];
    int count = 0;

    if (writer->successes > 0)
        put(&statements[count++], success_sql, writer->success_columns, SUCCESS_COLUMNS);
    if (writer->others > 0)
        put(&statements[count++], record_sql, writer->columns, OUTCOME_COLUMNS);
    if (writer->disabled_customers.text.length > 1)
        statements[count++] = (struct db_statement){
            disable_sql,
            2,
            {array_end(&writer->disabled_customers), array_end(&writer->disabled_urls)}};
    return db_link_send_often(link, statements, count, on_answer, owner);
}
