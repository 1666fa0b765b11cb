/* SPDX-License-Identifier: MIT */
#include "db/dead_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

/* $1 … $9, from filter_values(). An unset one is folded away when the statement is planned. */
#define FILTER_VALUES 9
#define SQL_FILTER                                                                                 \
    "status = 'failed'"                                                                            \
    " AND ($1::text IS NULL OR webhook_url = $1)"                                                  \
    " AND ($2::text IS NULL OR starts_with(webhook_url, $2))"                                      \
    " AND ($3::uuid IS NULL OR customer_id = $3)"                                                  \
    " AND ($4::text IS NULL OR event_type = $4)"                                                   \
    " AND ($5::timestamptz IS NULL OR " SQL_FAILED_AT " >= $5)"                                    \
    " AND ($6::timestamptz IS NULL OR (created_at < $6 AND " SQL_FAILED_AT " < $6))"               \
    " AND ($7::text IS NULL OR strpos(lower(last_error), lower($7)) > 0)"                          \
    " AND ($8::uuid[] IS NULL OR id = ANY ($8))"                                                   \
    " AND ($9::boolean IS NULL OR erased_at IS NULL)"

static const char sql_list[] =
    "SELECT id, event_id, endpoint_id, customer_id, webhook_url, event_type, last_error, "
    SQL_UTC("created_at") ", " SQL_UTC(SQL_FAILED_AT) ", " SQL_MS_SINCE(SQL_FAILED_AT)
    ", attempts, response_status, " SQL_UTC("erased_at") " FROM webhook_deliveries WHERE " SQL_FILTER
    " ORDER BY " SQL_FAILED_AT " DESC, id DESC LIMIT $10::bigint";

static const char sql_count[] =
    "WITH found AS (SELECT webhook_url, customer_id, endpoint_id, count(*) AS number"
    " FROM webhook_deliveries WHERE " SQL_FILTER " GROUP BY 1, 2, 3)"
    " SELECT f.webhook_url, sum(f.number)::bigint, bool_or(e.disabled_at IS NOT NULL),"
    " bool_or(f.endpoint_id IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM webhook_endpoints r WHERE r.id = f.endpoint_id))"
    " FROM found f LEFT JOIN webhook_endpoints e ON e.customer_id = f.customer_id"
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("f.webhook_url")
    " AND e.url = f.webhook_url GROUP BY 1 ORDER BY 2 DESC, 1";

static const char sql_count_erased[] =
    "SELECT count(*) FROM webhook_deliveries WHERE " SQL_FILTER " AND erased_at IS NOT NULL";

static const char sql_payload[] =
    "SELECT COALESCE(d.payload, n.payload)::text FROM webhook_deliveries d"
    " LEFT JOIN webhook_events n ON d.endpoint_id IS NOT NULL AND n.id = d.event_id"
    " WHERE d.id = $1";

static const char sql_left_out[] =
    "WITH given AS (SELECT id, min(place) AS place"
    " FROM unnest($8::uuid[]) WITH ORDINALITY AS u (id, place) GROUP BY id)"
    " SELECT g.id, CASE WHEN $9 AND d.status = 'failed' AND d.erased_at IS NOT NULL THEN 'erased'"
    " ELSE d.status END FROM given g LEFT JOIN webhook_deliveries d ON d.id = g.id"
    " WHERE NOT EXISTS (SELECT FROM (SELECT * FROM webhook_deliveries WHERE id = g.id OFFSET 0) d WHERE " SQL_FILTER ")"
    " ORDER BY g.place";

/* clang-format on */

struct filter_values {
    const char *values[FILTER_VALUES + 1]; /* room for a statement's own */
    char *beginning;
};

static struct filter_values filter_values(const struct dead_letter_filter *filter)
{
    size_t length = filter->endpoint != NULL ? strlen(filter->endpoint) : 0;
    bool is_beginning = length > 0 && filter->endpoint[length - 1] == '*';
    char *beginning = is_beginning ? memory_copy(filter->endpoint, length - 1) : NULL;

    return (struct filter_values){
        .values = {is_beginning ? NULL : filter->endpoint, beginning, filter->customer,
                   filter->event_type, filter->since, filter->until, filter->error, filter->ids,
                   filter->spares_erased ? "true" : NULL},
        .beginning = beginning,
    };
}

static void read_letter(const PGresult *result, int row, struct dead_letter *letter)
{
    *letter = (struct dead_letter){
        .id = row_text(result, row, 0),
        .event_id = row_text(result, row, 1),
        .endpoint_id = row_text(result, row, 2),
        .customer_id = row_text(result, row, 3),
        .url = row_text(result, row, 4),
        .event_type = row_text(result, row, 5),
        .last_error = row_text(result, row, 6),
        .created_at = row_text(result, row, 7),
        .failed_at = row_text(result, row, 8),
        .failed_ms_ago = row_integer(result, row, 9, 0),
        .attempts = row_integer(result, row, 10, 0),
        .response_status = row_integer(result, row, 11, 0),
        .erased_at = row_text(result, row, 12),
    };
}

bool dead_letters_list(struct db_session *session, const struct dead_letter_filter *filter,
                       int64_t limit, struct dead_letter_list *ret_list, struct error *error)
{
    struct filter_values v = filter_values(filter);
    char limit_text[32];
    PGresult *result;

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    v.values[FILTER_VALUES] = limit_text;
    result = db_session_read(session, sql_list, FILTER_VALUES + 1, v.values, error);
    free(v.beginning);
    if (result == NULL)
        return false;
    *ret_list = (struct dead_letter_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        read_letter(result, (int)i, &ret_list->rows[i]);
    return true;
}

void dead_letters_list_free(struct dead_letter_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct dead_letter_list){0};
}

bool dead_letters_count(struct db_session *session, const struct dead_letter_filter *filter,
                        struct dead_letter_counts *ret_counts, struct error *error)
{
    struct filter_values v = filter_values(filter);
    PGresult *result = db_session_read(session, sql_count, FILTER_VALUES, v.values, error);

    free(v.beginning);
    if (result == NULL)
        return false;
    *ret_counts = (struct dead_letter_counts){result, (size_t)PQntuples(result), NULL, 0};
    ret_counts->rows = memory_new(ret_counts->count + 1, sizeof(*ret_counts->rows));
    for (int i = 0; i < PQntuples(result); i++) {
        ret_counts->rows[i] =
            (struct dead_letter_count){row_text(result, i, 0), row_integer(result, i, 1, 0),
                                       row_is_true(result, i, 2), row_is_true(result, i, 3)};
        ret_counts->total += ret_counts->rows[i].count;
    }
    return true;
}

void dead_letters_counts_free(struct dead_letter_counts *counts)
{
    PQclear(counts->result);
    free(counts->rows);
    *counts = (struct dead_letter_counts){0};
}

bool dead_letters_count_erased(struct db_session *session, const struct dead_letter_filter *filter,
                               int64_t *ret_count, struct error *error)
{
    struct filter_values v = filter_values(filter);
    PGresult *result;

    v.values[FILTER_VALUES - 1] = NULL;
    result = db_session_read(session, sql_count_erased, FILTER_VALUES, v.values, error);
    free(v.beginning);
    if (result == NULL)
        return false;
    *ret_count = row_integer(result, 0, 0, 0);
    PQclear(result);
    return true;
}

bool dead_letter_payload(struct db_session *session, const char *id, char **ret_payload,
                         struct error *error)
{
    PGresult *result = db_session_read(session, sql_payload, 1, &id, error);
    const char *payload;

    if (result == NULL)
        return false;
    payload = PQntuples(result) == 1 ? row_text(result, 0, 0) : NULL;
    *ret_payload = payload != NULL ? memory_copy_string(payload) : NULL;
    PQclear(result);
    return true;
}

bool dead_letters_find_left_out(struct db_session *session, const struct dead_letter_filter *filter,
                                struct dead_letters_left_out *ret_left_out, struct error *error)
{
    struct filter_values v;
    PGresult *result;

    *ret_left_out = (struct dead_letters_left_out){0};
    if (filter->ids == NULL)
        return true;
    v = filter_values(filter);
    result = db_session_read(session, sql_left_out, FILTER_VALUES, v.values, error);
    free(v.beginning);
    if (result == NULL)
        return false;
    *ret_left_out = (struct dead_letters_left_out){result, (size_t)PQntuples(result), NULL};
    ret_left_out->rows = memory_new(ret_left_out->count + 1, sizeof(*ret_left_out->rows));
    for (int i = 0; i < PQntuples(result); i++)
        ret_left_out->rows[i] =
            (struct dead_letter_left_out){row_text(result, i, 0), row_text(result, i, 1)};
    return true;
}

void dead_letters_left_out_free(struct dead_letters_left_out *left_out)
{
    PQclear(left_out->result);
    free(left_out->rows);
    *left_out = (struct dead_letters_left_out){0};
}
