/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rows.c: what comes from the database about an endpoint: its row and secrets, and what a
 * worker says of it in its own row (JSON). Anybody who may write these tables chooses the texts;
 * the numbers are what the checks of the columns let through.
 */
#include <libpq-fe.h>
#include <stdio.h>

#include "db/endpoints.h"
#include "explain/holding.h"
#include "fuzz.h"
#include "worker/endpoint_settings.h"
#include "worker/exchange.h"

#define CUSTOMER "11111111-2222-3333-4444-555555555555"
#define EVENT    "99999999-2222-3333-4444-555555555555"

/* What the input is made of: texts, one behind the other, each up to a line's end or the end of
 * all; "-" is NULL, and \n in a text a line end. */
struct input {
    char *text;
    char *at;
};

static char *next_text(struct input *input)
{
    char *text = input->at;
    char *end = strchr(text, '\n');
    char *to = text;

    input->at = end != NULL ? end + 1 : text + strlen(text);
    if (end != NULL)
        *end = '\0';
    for (const char *from = text; *from != '\0'; from++)
        *to++ = from[0] == '\\' && from[1] == 'n' ? (from++, '\n') : *from;
    *to = '\0';
    return text;
}

static void set_text(PGresult *result, int column, const char *text)
{
    bool is_null = strcmp(text, "-") == 0;

    demand(PQsetvalue(result, 0, column, is_null ? NULL : (char *)text,
                      is_null ? -1 : (int)strlen(text)) == 1,
           "no memory");
}

/* From low to high, by the bytes of text. */
static void set_number(PGresult *result, int column, const char *text, int64_t low, int64_t high)
{
    uint64_t value = 0;
    char number[32];

    for (; *text != '\0'; text++)
        value = value * 257 + (unsigned char)*text;
    snprintf(number, sizeof(number), "%lld",
             (long long)(low + (int64_t)(value % (uint64_t)(high - low + 1))));
    set_text(result, column, number);
}

static PGresult *make_row(struct input *input)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[ENDPOINT_COLUMNS];
    char name[] = "x";

    for (int i = 0; i < ENDPOINT_COLUMNS; i++)
        columns[i] = (PGresAttDesc){.name = name, .typlen = -1, .atttypmod = -1};
    demand(result != NULL && PQsetResultAttrs(result, ENDPOINT_COLUMNS, columns) == 1, "no memory");
    set_text(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_HEADERS, next_text(input));
    set_text(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_REASON, next_text(input));
    set_text(result, ENDPOINT_OWN_SECRETS, next_text(input));
    set_text(result, ENDPOINT_CUSTOMER_SECRETS, next_text(input));
    set_text(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_DISABLED,
             next_text(input)[0] == 't' ? "t" : "f");
    set_text(result, ENDPOINT_NUMBER, "0");
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_TIMEOUT, next_text(input), 1, 3600000);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_MAX_ATTEMPTS, next_text(input), 1, 1000);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_INITIAL_DELAY, next_text(input), 1,
               INT64_C(31536000000));
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_MULTIPLIER, next_text(input), 1, 1000);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_MAX_DELAY, next_text(input), 1,
               INT64_C(31536000000));
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_JITTER, next_text(input), 0, 1);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_SCHEDULE, next_text(input), 1,
               INT64_C(31536000000));
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_MAX_IN_FLIGHT, next_text(input), 1, 65536);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_RATE_LIMIT, next_text(input), 0, 1000000);
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_FAILING, next_text(input), 0,
               INT64_C(1) << 50);
    set_text(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_ALLOW, next_text(input));
    set_text(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_CLIENT_CERTIFICATE, next_text(input));
    set_number(result, ENDPOINT_ROW_FIRST + ENDPOINT_ROW_NOTED, next_text(input), 0,
               INT64_C(1) << 50);
    return result;
}

/* No text may end a header's line early, or hold a byte that ends the request. */
static void check_request(const struct config *config, const struct endpoint_settings *settings)
{
    const struct exchange_delivery first = {.config = config,
                                            .settings = settings,
                                            .url = "https://example.com/",
                                            .event_id = EVENT,
                                            .attempt = 1,
                                            .payload = "{}",
                                            .payload_length = 2};
    struct request_headers headers;
    struct http_request request;
    struct buffer signature;
    struct error error;

    buffer_init(&signature, SIGNATURE_MAX);
    request_headers_init(&headers);
    demand(exchange_request(&first, &headers, &signature, &request, &error),
           "a request that can't be made");
    for (size_t i = 0; i < request.headers_count; i++)
        demand(strpbrk(request.headers[i], "\r\n") == NULL &&
                   strchr(request.headers[i], ':') != NULL,
               "a header that is no line");
    request_headers_free(&headers);
    buffer_free(&signature);
}

static void check_settings(const struct config *config, const struct endpoint_settings *settings)
{
    int states =
        (settings->problem != NULL) + (settings->unopened != NULL) + (settings->signer != NULL);

    demand(states == 1, "neither sent, nor held, nor refused; or two of these");
    for (int attempt = 1; attempt < 70; attempt++)
        demand(retry_delay_ms(&settings->retry, attempt, 0.5) >= 0, "a retry in the past");
    if (settings->signer != NULL)
        check_request(config, settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config; /* without secrets, keys and headers of its own */
    struct input input = {.text = fuzz_text(data, size)};
    struct endpoint_settings settings = {.headers = NULL};
    struct holding holding;
    const char *url;
    struct endpoint_found found;
    PGresult *result;

    input.at = input.text;
    url = next_text(&input);
    result = make_row(&input);
    found = endpoint_found_at(result, 0);
    for (int i = 0; i < 2; i++) { /* again: over what is there already */
        endpoint_settings_load(&settings, &config, CUSTOMER, url, &found);
        check_settings(&config, &settings);
    }
    endpoint_rows_wipe(result);
    demand(PQgetisnull(result, 0, ENDPOINT_OWN_SECRETS) ||
               PQgetvalue(result, 0, ENDPOINT_OWN_SECRETS)[0] == '\0',
           "a secret is left");
    endpoint_settings_free(&settings);
    PQclear(result);
    holding = holding_find(input.at, 5000, CUSTOMER, url);
    demand(holding.reason >= HOLDING_NONE && holding.reason <= HOLDING_SECRET, "an unknown reason");
    free(input.text);
    return 0;
}
