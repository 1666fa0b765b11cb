/*
 * db/endpoints.h: what the database says of endpoints: their rows in webhook_endpoints, and the
 * secrets that sign for them.
 *
 * One statement loads many endpoints at once. The most specific valid secrets come: the endpoint's
 * own, else the customer's; none means that the configuration's sign. Newest first.
 */
#ifndef POSTRIDER_DB_ENDPOINTS_H
#define POSTRIDER_DB_ENDPOINTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/retry.h"
#include "db/array.h"
#include "db/link.h"
#include "db/session.h"

#define ENDPOINTS_LOAD_MAX 500

/* The columns of an answer. */
enum endpoint_column {
    ENDPOINT_NUMBER,
    ENDPOINT_HEADERS,
    ENDPOINT_TIMEOUT,
    ENDPOINT_DISABLED,
    ENDPOINT_REASON,
    ENDPOINT_OWN_SECRETS,
    ENDPOINT_CUSTOMER_SECRETS,
    ENDPOINT_MAX_ATTEMPTS,
    ENDPOINT_INITIAL_DELAY,
    ENDPOINT_MULTIPLIER,
    ENDPOINT_MAX_DELAY,
    ENDPOINT_JITTER,
    ENDPOINT_SCHEDULE,
    ENDPOINT_MAX_IN_FLIGHT,
    ENDPOINT_RATE_LIMIT,
    ENDPOINT_FAILING,
    ENDPOINT_ALLOW,
    ENDPOINT_CLIENT_CERTIFICATE,
    ENDPOINT_NOTED,
    ENDPOINT_COLUMNS
};

/* A row of the answer; texts belong to the result. NULL and -1: not overridden. */
struct endpoint_row {
    int number;          /* of the endpoint in the request, from 0 */
    const char *headers; /* a JSON object; NULL = no row */
    int64_t timeout_ms;
    bool is_disabled;
    const char *disabled_reason;
    const char *own_secrets;      /* of its URL, one a line; NULL = none */
    const char *customer_secrets; /* of all of the customer's, when it has no own ones */
    int max_in_flight;
    double rate_limit;
    int64_t failing_ms; /* since it has done nothing but fail; -1: it works */
    const char *allow;  /* one range a line; NULL = none */
    const char *client_certificate;
    int64_t noted_ms; /* since a worker's row was last noted; -1: it is no worker's, or none */
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

struct endpoint_row endpoint_row_at(const PGresult *result, int row);

/* Overwrites the secrets in an answer, when they have been read: before it is cleared. libpq's
 * input buffer, which they came through, is out of reach. */
void endpoint_rows_wipe(const PGresult *result);

/* What the row says of retries. */
struct retry_overrides endpoint_row_retry(const PGresult *result, int row);

#endif
