/* SPDX-License-Identifier: MIT */
/*
 * db/endpoint_row.h: a row of webhook_endpoints, as the worker and "explain" read it.
 *
 * One list has a line for each column: what it is called here, which field it sets, and the SQL
 * that says it. The statements' SELECT lists, their order and the parsing follow from that list,
 * and how a cell is read follows from the type of its field. A new column is a field, a line, and
 * whatever makes use of it.
 *
 * A text belongs to the result that it was read from. What a row does not override, and all of it
 * where there is no row, is NULL, -1, false, or an empty schedule.
 */
#ifndef POSTRIDER_DB_ENDPOINT_ROW_H
#define POSTRIDER_DB_ENDPOINT_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/retry.h"
#include "db/fragments.h"

struct endpoint_row {
    const char *headers; /* a JSON object */
    int64_t timeout_ms;
    bool is_disabled;
    const char *disabled_reason;
    struct retry_overrides retry;
    int max_in_flight;
    double rate_limit;
    int64_t failing_ms; /* since it has done nothing but fail; -1: it works */
    const char *allow;  /* one range a line */
    const char *client_certificate;
    int64_t noted_ms;      /* since a worker's row was last noted; -1: it is no worker's, or none */
    bool is_there;         /* somebody has made the endpoint, or taken over a worker's row */
    const char *paused_at; /* since then its deliveries wait; NULL: they are sent */
    bool all_customers;    /* it gets the events of every customer */
};

/* clang-format off */

/* The delays in milliseconds, "1000,5000". */
#define SQL_RETRY_SCHEDULE                                                                         \
    "(SELECT string_agg(" SQL_MS("delay") "::text, ',' ORDER BY position)"                         \
    " FROM unnest(e.retry_schedule) WITH ORDINALITY AS d (delay, position))"

/* X(NAME, field, SQL), where e is webhook_endpoints. */
#define ENDPOINT_ROW_COLUMNS(X)                                                                    \
    X(HEADERS, headers, "e.headers")                                                               \
    X(TIMEOUT, timeout_ms, SQL_MS("e.timeout"))                                                    \
    X(DISABLED, is_disabled, "e.disabled_at IS NOT NULL")                                          \
    X(REASON, disabled_reason, "e.disabled_reason")                                                \
    X(MAX_ATTEMPTS, retry.max_attempts, "e.retry_max_attempts")                                    \
    X(INITIAL_DELAY, retry.initial_delay_ms, SQL_MS("e.retry_initial_delay"))                      \
    X(MULTIPLIER, retry.multiplier, "e.retry_multiplier")                                          \
    X(MAX_DELAY, retry.max_delay_ms, SQL_MS("e.retry_max_delay"))                                  \
    X(JITTER, retry.jitter, "e.retry_jitter")                                                      \
    X(SCHEDULE, retry.schedule_ms, SQL_RETRY_SCHEDULE)                                             \
    X(MAX_IN_FLIGHT, max_in_flight, "e.max_in_flight")                                             \
    X(RATE_LIMIT, rate_limit, "e.rate_limit")                                                      \
    X(FAILING, failing_ms, SQL_MS_SINCE("e.failing_since"))                                        \
    X(ALLOW, allow, "array_to_string(e.allow, E'\\n')")                                            \
    X(CLIENT_CERTIFICATE, client_certificate, "e.client_certificate")                              \
    X(NOTED, noted_ms, SQL_MS_SINCE("e.noted_at"))                                                 \
    X(THERE, is_there, "e.id IS NOT NULL AND e.noted_at IS NULL")                                  \
    X(PAUSED, paused_at, SQL_UTC("e.paused_at"))                                                   \
    X(ALL_CUSTOMERS, all_customers, "e.all_customers")

/* To be put behind the first columns of a SELECT list: ", …, …". */
#define ENDPOINT_ROW_SQL_COLUMN(name, field, sql) ", " sql
#define ENDPOINT_ROW_SQL ENDPOINT_ROW_COLUMNS(ENDPOINT_ROW_SQL_COLUMN)

/* Their places in it, from 0. */
#define ENDPOINT_ROW_PLACE(name, field, sql) ENDPOINT_ROW_##name,
enum endpoint_row_column { ENDPOINT_ROW_COLUMNS(ENDPOINT_ROW_PLACE) ENDPOINT_ROW_COUNT };
/* clang-format on */

/* first: the place of the first of these columns in the result. */
struct endpoint_row endpoint_row_at(const PGresult *result, int row, int first);

#endif
