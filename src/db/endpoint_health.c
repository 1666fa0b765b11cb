#include "db/endpoint_health.h"

#include <stdio.h>

/* URLs of URL_MAX_BYTES, every byte escaped, and some. */
#define URLS_MAX_BYTES ((size_t)ENDPOINT_HEALTH_MAX * 8192 * 3)

/*
 * The WHERE keeps what is failing already, and not for too long, from being written again. $3 is
 * NULL where nothing is disabled.
 */
static const char failing_sql[] =
    "INSERT INTO webhook_endpoints AS e (customer_id, url, failing_since) "
    "SELECT customer_id, url, now() FROM unnest($1::uuid[], $2::text[]) AS o (customer_id, url) "
    "ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE SET "
    "failing_since = CASE WHEN e.failing_since IS NULL THEN now() END, "
    "disabled_at = CASE WHEN e.failing_since IS NOT NULL THEN now() END, "
    "disabled_reason = CASE WHEN e.failing_since IS NOT NULL "
    "THEN 'nothing but failures since ' || date_trunc('second', e.failing_since) END "
    "WHERE e.disabled_at IS NULL AND (e.failing_since IS NULL "
    "OR e.failing_since <= now() - make_interval(secs => $3::float8)) "
    "RETURNING CASE WHEN disabled_at IS NOT NULL THEN customer_id END, url";

static const char working_sql[] =
    "UPDATE webhook_endpoints e SET failing_since = NULL "
    "FROM unnest($1::uuid[], $2::text[]) AS o (customer_id, url) "
    "WHERE e.customer_id = o.customer_id AND e.url = o.url "
    "AND hashtextextended(e.url, 0) = hashtextextended(o.url, 0) AND e.failing_since IS NOT NULL";

void endpoint_health_init(struct endpoint_health_writer *writer)
{
    array_init(&writer->failing_customers, URLS_MAX_BYTES);
    array_init(&writer->failing_urls, URLS_MAX_BYTES);
    array_init(&writer->working_customers, URLS_MAX_BYTES);
    array_init(&writer->working_urls, URLS_MAX_BYTES);
}

void endpoint_health_free(struct endpoint_health_writer *writer)
{
    array_free(&writer->failing_customers);
    array_free(&writer->failing_urls);
    array_free(&writer->working_customers);
    array_free(&writer->working_urls);
}

void endpoint_health_begin(struct endpoint_health_writer *writer)
{
    array_begin(&writer->failing_customers);
    array_begin(&writer->failing_urls);
    array_begin(&writer->working_customers);
    array_begin(&writer->working_urls);
}

void endpoint_health_add(struct endpoint_health_writer *writer, const char *customer_id,
                         const char *url, bool is_failing)
{
    array_add_plain(is_failing ? &writer->failing_customers : &writer->working_customers,
                    customer_id);
    array_add_text(is_failing ? &writer->failing_urls : &writer->working_urls, url);
}

bool endpoint_health_send(struct endpoint_health_writer *writer, struct db_link *link,
                          int64_t disable_after_ms, db_link_answered *on_answer, void *owner)
{
    char after[32];
    struct db_statement statements[2] = {
        {failing_sql,
         3,
         {array_end(&writer->failing_customers), array_end(&writer->failing_urls), NULL}},
        {working_sql,
         2,
         {array_end(&writer->working_customers), array_end(&writer->working_urls)}}};

    snprintf(after, sizeof(after), "%.3f", (double)disable_after_ms / 1000);
    if (disable_after_ms > 0)
        statements[0].values[2] = after;
    return db_link_send(link, statements, 2, on_answer, owner);
}

const char *endpoint_health_customer_at(const PGresult *result, int row)
{
    return PQgetisnull(result, row, 0) ? NULL : PQgetvalue(result, row, 0);
}

const char *endpoint_health_url_at(const PGresult *result, int row)
{
    return PQgetvalue(result, row, 1);
}
