/* SPDX-License-Identifier: MIT */
/*
 * db/endpoints.h: what the database says of endpoints: their rows in webhook_endpoints
 * (db/endpoint_row.h), and the secrets that sign for them.
 *
 * One statement loads many endpoints at once. The most specific valid secrets come: the endpoint's
 * own, else the customer's; none means that the configuration's sign. Newest first.
 */
#ifndef POSTRIDER_DB_ENDPOINTS_H
#define POSTRIDER_DB_ENDPOINTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/array.h"
#include "db/endpoint_row.h"
#include "db/link.h"
#include "db/session.h"

#define ENDPOINTS_LOAD_MAX 500

/* clang-format off */

/* The valid secrets of a customer that are for one URL, one a line, the newest first. */
#define SQL_SECRETS_OF(customer, url)                                                              \
    "(SELECT string_agg(s.secret, E'\\n' ORDER BY s.created_at DESC, s.id)"                        \
    " FROM webhook_secrets s WHERE s.customer_id = " customer " AND s.url = " url                  \
    " AND hashtextextended(s.url, 0) = hashtextextended(" url ", 0)"                               \
    " AND (s.not_after IS NULL OR s.not_after > now()))"
/* clang-format on */

/* What is found of one endpoint. Texts belong to the result. */
struct endpoint_found {
    int number;                   /* of the endpoint in the request, from 0 */
    const char *own_secrets;      /* of its URL, one a line; NULL = none */
    const char *customer_secrets; /* of all of the customer's, when it has no own ones */
    struct endpoint_row row;
};

/* The columns of an answer, before those of the row. */
enum endpoint_column {
    ENDPOINT_NUMBER,
    ENDPOINT_OWN_SECRETS,
    ENDPOINT_CUSTOMER_SECRETS,
    ENDPOINT_ROW_FIRST,
    ENDPOINT_COLUMNS = ENDPOINT_ROW_FIRST + ENDPOINT_ROW_COUNT
};

struct endpoint_loader {
    struct array customers, urls;
};

void endpoint_loader_init(struct endpoint_loader *loader);
void endpoint_loader_free(struct endpoint_loader *loader);

void endpoint_loader_begin(struct endpoint_loader *loader);
void endpoint_loader_add(struct endpoint_loader *loader, const char *customer_id, const char *url);
bool endpoint_loader_send(struct endpoint_loader *loader, struct db_link *link,
                          db_link_answered *on_answer, void *owner) MUST_USE;

/* The same for one endpoint, on the blocking session of a command: a result of one row, or NULL. */
PGresult *endpoint_load(struct db_session *session, const char *customer_id, const char *url,
                        struct error *error) MUST_USE;

struct endpoint_found endpoint_found_at(const PGresult *result, int row);

/* Overwrites the secrets in an answer, when they have been read: before it is cleared. libpq's
 * input buffer, which they came through, is out of reach. */
void endpoint_rows_wipe(const PGresult *result);

#endif
