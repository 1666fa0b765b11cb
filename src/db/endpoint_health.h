/*
 * db/endpoint_health.h: which endpoints do nothing but fail, in webhook_endpoints.failing_since.
 *
 * Written when a breaker opens and when an endpoint works again, not for each attempt. The database
 * decides by its own clock whether one has failed for long enough to be disabled; that survives any
 * restart of a worker. An endpoint without a row gets one when it begins to fail. When it is
 * disabled failing_since is cleared, so that who enables it again starts anew.
 */
#ifndef POSTRIDER_DB_ENDPOINT_HEALTH_H
#define POSTRIDER_DB_ENDPOINT_HEALTH_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/array.h"
#include "db/link.h"

#define ENDPOINT_HEALTH_MAX 500 /* endpoints in one batch */

struct endpoint_health_writer {
    struct array failing_customers, failing_urls;
    struct array working_customers, working_urls;
};

void endpoint_health_init(struct endpoint_health_writer *writer);
void endpoint_health_free(struct endpoint_health_writer *writer);

/* Each endpoint once, at most ENDPOINT_HEALTH_MAX. */
void endpoint_health_begin(struct endpoint_health_writer *writer);
void endpoint_health_add(struct endpoint_health_writer *writer, const char *customer_id,
                         const char *url, bool is_failing);

/* disable_after_ms 0: none is disabled. */
bool endpoint_health_send(struct endpoint_health_writer *writer, struct db_link *link,
                          int64_t disable_after_ms, db_link_answered *on_answer,
                          void *owner) MUST_USE;

/* A row of the answer's first result: an endpoint that was written; it is disabled by this when its
 * customer is not NULL. */
const char *endpoint_health_customer_at(const PGresult *result, int row);
const char *endpoint_health_url_at(const PGresult *result, int row);

#endif
