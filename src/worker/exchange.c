/* SPDX-License-Identifier: MIT */
#include "worker/exchange.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "core/retry_after.h"

struct http_options exchange_options(const struct config *config)
{
    return (struct http_options){
        .allow_count = config->network.allow_count,
        .allow = config->network.allow,
        .https_only = config->network.https_only,
        .proxy = config->network.proxy,
        .source_address = config->network.source_address,
        .ca_file = config->network.ca_file,
        .revocations = &config->network.revocations,
        .client_certificates = config->network.client_certificates,
        .certificates = &config->network.certificates,
        .connection_lifetime_ms = config->network.connection_lifetime_ms,
        .connect_timeout_ms = config->delivery.connect_timeout_ms,
        .max_response_bytes = config->delivery.max_response_bytes,
    };
}

static bool add_headers(struct request_headers *headers, const struct config_header *more,
                        size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!request_headers_add(headers, more[i].name, more[i].value))
            return error_set(error, "more than %d extra headers", HEADERS_MAX);
    return true;
}

/* The later ones win. */
static bool add_all_headers(struct request_headers *headers,
                            const struct exchange_delivery *delivery, struct error *error)
{
    const struct config *config = delivery->config;
    const struct endpoint_settings *settings = delivery->settings;

    return add_headers(headers, config->delivery.headers.list, config->delivery.headers.count,
                       error) &&
           add_headers(headers, settings->headers, settings->headers_count, error) &&
           add_headers(headers, delivery->headers, delivery->headers_count, error);
}

bool exchange_request(const struct exchange_delivery *delivery, struct request_headers *headers,
                      struct buffer *signature, struct http_request *ret_request,
                      struct error *error)
{
    const struct endpoint_settings *settings = delivery->settings;
    struct http_request request = {
        .url = delivery->url,
        .permit = settings->permit,
        .body = delivery->payload,
        .body_length = delivery->payload_length,
        .timeout_ms = settings->timeout_ms,
    };
    struct request_facts facts = {
        .event_id = delivery->event_id,
        .attempt = delivery->attempt,
        .timestamp_s = clock_wall_s(),
        .event = delivery->event,
        .traceparent = delivery->traceparent,
    };

    buffer_clear(signature);
    request_headers_clear(headers);
    if (!signer_sign(settings->signer, facts.event_id, facts.timestamp_s, delivery->payload,
                     delivery->payload_length, signature, error) ||
        !add_all_headers(headers, delivery, error))
        return false;
    facts.signature = buffer_string(signature);
    request.headers = request_headers_build(headers, &facts, &request.headers_count);
    *ret_request = request;
    return true;
}

struct attempt exchange_attempt(const struct http_response *response)
{
    struct attempt attempt = {
        .result = response->result,
        .status = response->status,
        .retry_after_ms = -1,
    };

    if (response->retry_after[0] != '\0')
        attempt.retry_after_ms = retry_after_parse_ms(response->retry_after, clock_wall_s());
    return attempt;
}

static bool is_tls_url(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}

struct phases exchange_phases(const struct http_response *response, const char *url)
{
    const struct http_timings *timings = &response->timings;
    const struct phase_ends ends = {
        .dns_us = timings->dns_us,
        .connect_us = timings->connect_us,
        .tls_us = timings->tls_us,
        .first_byte_us = timings->first_byte_us,
        .total_us = timings->total_us,
        .is_reused = response->is_reused,
        .is_connected = timings->is_connected,
        .is_tls = is_tls_url(url),
    };

    return response->result == ATTEMPT_UNSENDABLE ? phases_none : phases_of(&ends);
}

static void explain_retry(struct buffer *out, const struct retry_policy *policy,
                          const struct outcome *outcome)
{
    char delay[UNITS_TEXT_SIZE];

    buffer_append_format(out, "a delivery would be tried again after %s, %d time%s at most",
                         units_format_about_ms(outcome->delay_ms, delay), policy->max_attempts - 1,
                         text_plural(policy->max_attempts - 1, "", "s"));
}

static const char *explain_failure(const struct http_response *response,
                                   const struct outcome *outcome)
{
    if (outcome->is_exhausted)
        return "a delivery would have failed: only one attempt is made";
    if (outcome->disables_endpoint)
        return "a delivery would fail at once, and its endpoint be disabled";
    if (!outcome->counts_attempt)
        return "a delivery would fail at once, without a request";
    if (response->status >= 300 && response->status < 400)
        return "a delivery would fail at once: redirects are not followed";
    return "a delivery would fail at once: this status is not tried again";
}

void exchange_explain(const struct retry_policy *policy, const struct http_response *response,
                      struct buffer *out)
{
    struct attempt attempt = exchange_attempt(response);
    struct outcome outcome = outcome_decide(policy, 0, &attempt, 0);

    if (response->result == ATTEMPT_ANSWERED)
        buffer_append_format(out, "The receiver answered %d: ", response->status);
    else
        buffer_append_format(out, "%s: ", response->error);
    switch (outcome.kind) {
    case OUTCOME_DELIVERED:
        buffer_append_string(out, "a delivery would be delivered");
        break;
    case OUTCOME_RETRY:
        explain_retry(out, policy, &outcome);
        break;
    case OUTCOME_FAILED:
        buffer_append_string(out, explain_failure(response, &outcome));
        break;
    }
}

bool exchange_was_connected(const struct http_response *response, const char *url)
{
    const struct http_timings *timings = &response->timings;
    bool is_tls = is_tls_url(url);

    return response->is_reused || timings->first_byte_us > 0 ||
           (is_tls ? timings->tls_us : timings->connect_us) > 0;
}

void exchange_make_payload(const char *event_type, struct buffer *ret_payload)
{
    time_t now = (time_t)clock_wall_s();
    struct tm utc;
    char timestamp[32];
    json_t *object;
    char *text;

    gmtime_r(&now, &utc);
    strftime(timestamp, sizeof(timestamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
    object = json_pack("{s:s, s:s, s:{s:s}}", "type", event_type, "timestamp", timestamp, "data",
                       "message", "A test from Postrider.");
    text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text == NULL)
        bug("cannot make the test payload");
    buffer_init(ret_payload, strlen(text));
    buffer_append_string(ret_payload, text);
    free(text);
    json_decref(object);
}
