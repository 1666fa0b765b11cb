#include "db/endpoints.h"

#include <stdlib.h>
#include <string.h>

/* ENDPOINTS_LOAD_MAX URLs of URL_MAX_BYTES, every byte escaped, and some. */
#define URLS_MAX_BYTES ((size_t)ENDPOINTS_LOAD_MAX * 8192 * 3)

/* clang-format off */
#define MILLISECONDS(interval) "(extract(epoch FROM " interval ") * 1000)::int8"

#define SECRETS_OF(url) \
    "(SELECT string_agg(s.secret, E'\\n' ORDER BY s.created_at DESC, s.id)" \
    " FROM webhook_secrets s WHERE s.customer_id = c.customer_id AND s.url = " url \
    " AND hashtextextended(s.url, 0) = hashtextextended(" url ", 0)" \
    " AND (s.not_after IS NULL OR s.not_after > now()))"

static const char load_sql[] =
    "SELECT c.number - 1, e.headers, " MILLISECONDS("e.timeout") ", e.disabled_at IS NOT NULL,"
    " coalesce(e.disabled_reason, 'no reason given'),"
    " o.secrets, CASE WHEN o.secrets IS NULL THEN " SECRETS_OF("''") " END,"
    " e.retry_max_attempts, " MILLISECONDS("e.retry_initial_delay") ", e.retry_multiplier,"
    " " MILLISECONDS("e.retry_max_delay") ", e.retry_jitter,"
    " (SELECT string_agg(" MILLISECONDS("delay") "::text, ',' ORDER BY position)"
    " FROM unnest(e.retry_schedule) WITH ORDINALITY AS d (delay, position)),"
    " e.max_in_flight, e.rate_limit, " MILLISECONDS("now() - e.failing_since") ","
    " array_to_string(e.allow, E'\\n'), e.client_certificate,"
    " " MILLISECONDS("now() - e.noted_at")
    " FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS c (customer_id, url, number)"
    " CROSS JOIN LATERAL (SELECT " SECRETS_OF("c.url") ") AS o (secrets)"
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

static const char *text_at(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static int64_t number_at(const PGresult *result, int row, int column, int64_t fallback)
{
    const char *text = text_at(result, row, column);

    return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

static double real_at(const PGresult *result, int row, int column, double fallback)
{
    const char *text = text_at(result, row, column);

    return text != NULL ? strtod(text, NULL) : fallback;
}

struct endpoint_row endpoint_row_at(const PGresult *result, int row)
{
    return (struct endpoint_row){
        .number = (int)number_at(result, row, ENDPOINT_NUMBER, -1),
        .headers = text_at(result, row, ENDPOINT_HEADERS),
        .timeout_ms = number_at(result, row, ENDPOINT_TIMEOUT, -1),
        .is_disabled = strcmp(PQgetvalue(result, row, ENDPOINT_DISABLED), "t") == 0,
        .disabled_reason = PQgetvalue(result, row, ENDPOINT_REASON),
        .own_secrets = text_at(result, row, ENDPOINT_OWN_SECRETS),
        .customer_secrets = text_at(result, row, ENDPOINT_CUSTOMER_SECRETS),
        .max_in_flight = (int)number_at(result, row, ENDPOINT_MAX_IN_FLIGHT, -1),
        .rate_limit = real_at(result, row, ENDPOINT_RATE_LIMIT, -1),
        .failing_ms = number_at(result, row, ENDPOINT_FAILING, -1),
        .allow = text_at(result, row, ENDPOINT_ALLOW),
        .client_certificate = text_at(result, row, ENDPOINT_CLIENT_CERTIFICATE),
        .noted_ms = number_at(result, row, ENDPOINT_NOTED, -1),
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

static int read_schedule(const char *text, int64_t *schedule_ms)
{
    int length = 0;

    while (*text != '\0' && length < RETRY_SCHEDULE_MAX) {
        char *end;

        schedule_ms[length++] = strtoll(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return length;
}

struct retry_overrides endpoint_row_retry(const PGresult *result, int row)
{
    const char *schedule = text_at(result, row, ENDPOINT_SCHEDULE);
    struct retry_overrides own = {
        .max_attempts = (int)number_at(result, row, ENDPOINT_MAX_ATTEMPTS, -1),
        .initial_delay_ms = number_at(result, row, ENDPOINT_INITIAL_DELAY, -1),
        .multiplier = real_at(result, row, ENDPOINT_MULTIPLIER, -1),
        .max_delay_ms = number_at(result, row, ENDPOINT_MAX_DELAY, -1),
        .jitter = real_at(result, row, ENDPOINT_JITTER, -1),
    };

    if (schedule != NULL)
        own.schedule_length = read_schedule(schedule, own.schedule_ms);
    return own;
}
