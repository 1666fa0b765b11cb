/* SPDX-License-Identifier: MIT */
#include "db/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "db/row.h"

/* URLs of URL_MAX_BYTES, every byte escaped, and the rest of a row. */
#define COLUMN_MAX_BYTES ((size_t)HISTORY_BATCH * (HISTORY_ENDPOINTS + 1) * 8192 * 3)
#define EXPIRE_ROWS      5000

/* The columns that are sent. */
enum {
    AT_NUMBER,
    AT_AGE,
    AT_CUSTOMER,
    AT_URL,
    AT_LEFT_OUT,
    AT_DELIVERED,
    AT_RETRIED,
    AT_FAILED,
    AT_STATUSES,
    AT_DELAY,
    AT_DURATION,
    AT_LAST_STATUS,
};

/* clang-format off */
static const char insert_sql[] =
    "INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed, statuses,"
    " first_attempt_delay, attempt_duration, last_status)"
    " SELECT date_trunc('minute', now() - make_interval(secs => o.age)), $1, o.number, p.id, o.left_out,"
    " o.delivered, o.retried, o.failed, o.statuses::int[], o.delay::int[], o.duration::int[], o.last_status"
    " FROM unnest($2::bigint[], $3::float8[], $4::uuid[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],"
    " $9::bigint[], $10::text[], $11::text[], $12::text[], $13::int[])"
    " AS o (number, age, customer_id, url, left_out, delivered, retried, failed, statuses, delay, duration,"
    " last_status)"
    " LEFT JOIN webhook_endpoints p ON p.customer_id = o.customer_id AND p.url = o.url"
    " AND hashtextextended(p.url, 0) = hashtextextended(o.url, 0)"
    " WHERE o.url IS NULL OR p.id IS NOT NULL"
    " ON CONFLICT DO NOTHING";

static const char clock_sql[] = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

static const char expire_settings_sql[] = "SELECT set_config('enable_tidscan', 'on', true)";

static const char expire_sql[] =
    "DELETE FROM webhook_history WHERE ctid = ANY (ARRAY(SELECT ctid FROM webhook_history"
    " WHERE at < least(now(), to_timestamp($2::float8 + 1)) - make_interval(secs => $1::float8)"
    " ORDER BY at LIMIT $3::int))";
/* clang-format on */

void history_writer_init(struct history_writer *writer)
{
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        array_init(&writer->columns[i], COLUMN_MAX_BYTES);
}

void history_writer_free(struct history_writer *writer)
{
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        array_free(&writer->columns[i]);
}

void history_writer_begin(struct history_writer *writer)
{
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        array_begin(&writer->columns[i]);
}

/* An array in an array: its text. */
static void add_numbers(struct array *column, const uint32_t *numbers, size_t count)
{
    char text[HISTORY_BUCKETS * 12 + 3];
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%" PRIu32,
                                   i == 0 ? "{" : ",", numbers[i]);
    snprintf(text + length, sizeof(text) - length, "}");
    array_add_text(column, text);
}

static void add_counts(struct history_writer *writer, const struct history_counts *counts)
{
    struct array *columns = writer->columns;

    array_add_int(&columns[AT_DELIVERED], counts->delivered);
    array_add_int(&columns[AT_RETRIED], counts->retried);
    array_add_int(&columns[AT_FAILED], counts->failed);
    add_numbers(&columns[AT_STATUSES], counts->statuses, HISTORY_STATUSES);
    add_numbers(&columns[AT_DELAY], counts->first_attempt_delay, HISTORY_BUCKETS);
    add_numbers(&columns[AT_DURATION], counts->attempt_duration, HISTORY_BUCKETS);
}

void history_writer_add(struct history_writer *writer, const struct history_period *period,
                        int64_t number, int64_t age_ms)
{
    struct array *columns = writer->columns;

    for (size_t i = 0; i <= period->endpoints_count; i++) {
        const struct history_endpoint *endpoint = i > 0 ? &period->endpoints[i - 1] : NULL;

        array_add_int(&columns[AT_NUMBER], number);
        array_add_seconds(&columns[AT_AGE], age_ms);
        array_add_text(&columns[AT_CUSTOMER], endpoint != NULL ? endpoint->customer_id : NULL);
        array_add_text(&columns[AT_URL], endpoint != NULL ? endpoint->url : NULL);
        array_add_int(&columns[AT_LEFT_OUT], endpoint != NULL ? 0 : (int64_t)period->left_out);
        add_counts(writer, endpoint != NULL ? &endpoint->counts : &period->all);
        /* Of all endpoints there is no order in which they ended. */
        if (endpoint != NULL && history_attempts(&endpoint->counts) > 0)
            array_add_int(&columns[AT_LAST_STATUS], endpoint->counts.last_status);
        else
            array_add_null(&columns[AT_LAST_STATUS]);
    }
}

bool history_writer_send(struct history_writer *writer, struct db_link *link, const char *owner,
                         db_link_answered *on_answer, void *request_owner)
{
    struct db_statement statements[2] = {{clock_sql, 0, {NULL}}, {insert_sql, 1, {owner}}};
    bool has_rows = writer->columns[AT_NUMBER].text.length > 1;

    if (has_rows)
        for (int i = 0; i < HISTORY_COLUMNS; i++)
            statements[1].values[statements[1].count++] = array_end(&writer->columns[i]);
    return db_link_send(link, statements, has_rows ? 2 : 1, on_answer, request_owner);
}

int64_t history_clock_us(const struct db_answer *answer)
{
    return row_integer(answer->results[0], 0, 0, 0);
}

bool history_send_expire(struct db_link *link, int64_t keep_ms, int64_t clock_s,
                         db_link_answered *on_answer, void *owner)
{
    char keep[32], clock[32];
    const struct db_statement statements[] = {
        {expire_settings_sql, 0, {NULL}},
        {expire_sql, 3, {keep, clock, TEXT_OF(EXPIRE_ROWS)}},
    };

    snprintf(keep, sizeof(keep), "%" PRId64 ".%03d", keep_ms / 1000, (int)(keep_ms % 1000));
    snprintf(clock, sizeof(clock), "%" PRId64, clock_s);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool history_has_expired_more(const struct db_answer *answer)
{
    return strtol(PQcmdTuples(answer->results[1]), NULL, 10) >= EXPIRE_ROWS;
}
