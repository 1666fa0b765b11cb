/* SPDX-License-Identifier: MIT */
#include "db/endpoints.h"

#include <string.h>

#include "db/row.h"

/* ENDPOINTS_LOAD_MAX URLs of URL_MAX_BYTES, every byte escaped, and some. */
#define URLS_MAX_BYTES ((size_t)ENDPOINTS_LOAD_MAX * 8192 * 3)

/* clang-format off */
static const char load_sql[] =
    "SELECT c.number - 1, o.secrets, CASE WHEN o.secrets IS NULL THEN " SQL_SECRETS_OF("c.customer_id", "''")
    " END" ENDPOINT_ROW_SQL
    " FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS c (customer_id, url, number)"
    " CROSS JOIN LATERAL (SELECT " SQL_SECRETS_OF("c.customer_id", "c.url") ") AS o (secrets)"
    " LEFT JOIN webhook_endpoints e ON e.customer_id = c.customer_id AND e.url = c.url"
    " AND hashtextextended(e.url, 0) = hashtextextended(c.url, 0)";
/* clang-format on */

void endpoint_loader_init(struct endpoint_loader *loader)
{
    array_init(&loader->customers, URLS_MAX_BYTES);
    array_init(&loader->urls, URLS_MAX_BYTES);
}

void endpoint_loader_free(struct endpoint_loader *loader)
{
    array_free(&loader->customers);
    array_free(&loader->urls);
}

void endpoint_loader_begin(struct endpoint_loader *loader)
{
    array_begin(&loader->customers);
    array_begin(&loader->urls);
}

void endpoint_loader_add(struct endpoint_loader *loader, const char *customer_id, const char *url)
{
    array_add_plain(&loader->customers, customer_id);
    array_add_text(&loader->urls, url);
}

bool endpoint_loader_send(struct endpoint_loader *loader, struct db_link *link,
                          db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {
        load_sql, 2, {array_end(&loader->customers), array_end(&loader->urls)}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

PGresult *endpoint_load(struct db_session *session, const char *customer_id, const char *url,
                        struct error *error)
{
    struct endpoint_loader loader;
    PGresult *result;

    endpoint_loader_init(&loader);
    endpoint_loader_begin(&loader);
    endpoint_loader_add(&loader, customer_id, url);
    result = db_session_read(
        session, load_sql, 2,
        (const char *const[]){array_end(&loader.customers), array_end(&loader.urls)}, error);
    endpoint_loader_free(&loader);
    return result;
}

struct endpoint_found endpoint_found_at(const PGresult *result, int row)
{
    return (struct endpoint_found){
        .number = (int)row_integer(result, row, ENDPOINT_NUMBER, -1),
        .own_secrets = row_text(result, row, ENDPOINT_OWN_SECRETS),
        .customer_secrets = row_text(result, row, ENDPOINT_CUSTOMER_SECRETS),
        .row = endpoint_row_at(result, row, ENDPOINT_ROW_FIRST),
    };
}

static void wipe_cell(const PGresult *result, int row, int column)
{
    explicit_bzero(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

void endpoint_rows_wipe(const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        wipe_cell(result, row, ENDPOINT_OWN_SECRETS);
        wipe_cell(result, row, ENDPOINT_CUSTOMER_SECRETS);
    }
}
