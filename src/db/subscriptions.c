/* SPDX-License-Identifier: MIT */
#include "db/subscriptions.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_COLUMNS                                                                                \
    "e.id, e.customer_id, e.url, to_json(e.event_types)::text, e.filter::text, e.all_customers, "  \
    SQL_UTC("e.created_at") ", " SQL_UTC("e.disabled_at") ", e.disabled_reason, "                  \
    SQL_UTC("e.paused_at") ", " SQL_UTC("e.failing_since")

static const char sql_list[] =
    "SELECT " SQL_COLUMNS ", NULL FROM webhook_endpoints e"
    " WHERE ($1::uuid IS NULL OR e.customer_id = $1) AND ($2::uuid IS NULL OR e.id > $2)"
    " ORDER BY e.id LIMIT $3::bigint";

static const char sql_by_id[] =
    "SELECT " SQL_COLUMNS ", NULL FROM webhook_endpoints e WHERE e.id = $1 LIMIT $2::bigint";

static const char sql_by_url[] =
    "SELECT " SQL_COLUMNS ", NULL FROM webhook_endpoints e WHERE e.url = $1"
    " ORDER BY e.id LIMIT $2::bigint";

/* $1 customer, $2 type, $3 payload, $4 limit. Candidates come by the index on subscriptions and by
 * the one on customers; a NULL payload is asked for as one that has nothing. */
#define SQL_KEYS                                                                                   \
    "(webhook_subscription_keys($1::text, webhook_event_patterns($2))"                             \
    " || webhook_subscription_keys('*', webhook_event_patterns($2)))"
#define SQL_SUBSCRIBES                                                                             \
    "(e.event_types IS NOT NULL AND webhook_subscription_keys("                                    \
    "CASE WHEN e.all_customers THEN '*' ELSE e.customer_id::text END, e.event_types) && "          \
    SQL_KEYS ")"
static const char sql_preview[] =
    "WITH got AS MATERIALIZED (SELECT endpoint_id FROM webhook_event_subscribers($1::uuid, $2::text,"
    " COALESCE($3::jsonb, '{}'))), candidates AS ("
    "(SELECT e.*, true AS subscribes FROM webhook_endpoints e WHERE e.url <> '' AND " SQL_SUBSCRIBES
    " LIMIT $4::bigint) UNION ALL "
    "(SELECT e.*, false FROM webhook_endpoints e WHERE e.customer_id = $1 AND e.url <> ''"
    " AND " SQL_SUBSCRIBES " IS NOT TRUE LIMIT $4::bigint)),"
    " judged AS (SELECT e.*, CASE WHEN e.event_types IS NULL THEN 7 WHEN NOT e.subscribes THEN 6"
    " WHEN $3::jsonb IS NULL AND e.filter IS NOT NULL THEN 4"
    " WHEN e.id NOT IN (SELECT endpoint_id FROM got) THEN 5"
    " WHEN e.disabled_at IS NOT NULL THEN 3 WHEN e.paused_at IS NOT NULL THEN 2 ELSE 1 END AS place"
    " FROM candidates e)"
    " SELECT " SQL_COLUMNS ", (ARRAY['gets', 'paused', 'disabled', 'maybe', 'filter', 'type',"
    " 'none'])[e.place], (SELECT count(*) FROM got)"
    " FROM (VALUES (1)) AS v LEFT JOIN judged e ON true"
    " ORDER BY e.place, e.url, e.id LIMIT $4::bigint";

/* clang-format on */

#define DELIVERIES_COLUMN 12

static struct subscription subscription_at(const PGresult *r, int row)
{
    return (struct subscription){
        .id = row_text(r, row, 0),
        .customer_id = row_text(r, row, 1),
        .url = row_text(r, row, 2),
        .event_types = row_text(r, row, 3),
        .filter = row_text(r, row, 4),
        .all_customers = row_is_true(r, row, 5),
        .created_at = row_text(r, row, 6),
        .disabled_at = row_text(r, row, 7),
        .disabled_reason = row_text(r, row, 8),
        .paused_at = row_text(r, row, 9),
        .failing_since = row_text(r, row, 10),
        .verdict = row_text(r, row, 11),
    };
}

static bool read_list(struct db_session *session, const char *sql, int count,
                      const char *const *values, struct subscription_list *ret_list,
                      struct error *error)
{
    PGresult *result = db_session_read(session, sql, count, values, error);

    if (result == NULL)
        return false;
    *ret_list = (struct subscription_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        ret_list->rows[i] = subscription_at(result, (int)i);
    return true;
}

void subscription_list_free(struct subscription_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct subscription_list){0};
}

bool subscriptions_list(struct db_session *session, const char *customer, const char *after,
                        int64_t limit, struct subscription_list *ret_list, struct error *error)
{
    char limit_text[32];
    const char *values[] = {customer, after, limit_text};

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    return read_list(session, sql_list, ARRAY_LENGTH(values), values, ret_list, error);
}

bool subscriptions_find(struct db_session *session, const char *id_or_url, int64_t limit,
                        struct subscription_list *ret_list, struct error *error)
{
    char limit_text[32];
    const char *values[] = {id_or_url, limit_text};

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    return read_list(session, text_is_uuid(id_or_url) ? sql_by_id : sql_by_url,
                     ARRAY_LENGTH(values), values, ret_list, error);
}

bool subscriptions_preview(struct db_session *session, const char *customer, const char *type,
                           const char *payload, int64_t limit, struct subscription_list *ret_list,
                           int64_t *ret_deliveries, struct error *error)
{
    char limit_text[32];
    const char *values[] = {customer, type, payload, limit_text};

    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    if (!read_list(session, sql_preview, ARRAY_LENGTH(values), values, ret_list, error))
        return false;
    /* A row comes always, with the number; without an id it is no endpoint. */
    *ret_deliveries = row_integer(ret_list->result, 0, DELIVERIES_COLUMN, 0);
    if (ret_list->rows[0].id == NULL)
        ret_list->count = 0;
    return true;
}
