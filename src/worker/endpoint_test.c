/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_test.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/units.h"
#include "worker/exchange.h"

#define SENTENCE_BYTES 1024

/* A test is sent all the same. */
static void add_state(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    if (taken->disabled_at != NULL)
        verdicts_add(&check->verdicts, "state", VERDICT_WARNING,
                     "enable the endpoint when the test is well",
                     "the endpoint is disabled: deliveries to it fail, and this test is sent all "
                     "the same");
    else if (taken->paused_at != NULL)
        verdicts_add(&check->verdicts, "state", VERDICT_WARNING,
                     "resume the endpoint when the test is well",
                     "the endpoint is paused: deliveries to it wait, and this test is sent all the "
                     "same");
}

bool endpoint_test_begin(struct endpoint_check *check, const struct endpoint_check_taken *taken,
                         struct http_request *ret_request)
{
    struct exchange_delivery delivery = {
        .config = check->worker->config,
        .settings = &check->settings,
        .url = check->url,
        .event_id = check->id,
        .attempt = 1,
    };
    struct error error = {0};

    add_state(check, taken);
    if (!endpoint_check_settings(check) || !endpoint_check_secrets(check, taken))
        return false;
    exchange_make_payload(ENDPOINT_TEST_EVENT_TYPE, &check->payload);
    delivery.payload = buffer_string(&check->payload);
    delivery.payload_length = check->payload.length;
    if (!exchange_request(&delivery, &check->headers, &check->signature, ret_request, &error)) {
        verdicts_add(&check->verdicts, "request", VERDICT_WRONG,
                     "mend the headers or secrets of the endpoint", "%s", error.message);
        return false;
    }
    ret_request->timeout_ms = endpoint_check_timeout_ms(check);
    return true;
}

static void add_answer(struct endpoint_check *check, const struct http_response *response)
{
    struct attempt attempt = exchange_attempt(response);
    struct outcome outcome = outcome_decide(&check->settings.retry, 0, &attempt, 0);
    bool is_seen = !check->verdicts.is_for_customer || response->result == ATTEMPT_ANSWERED;
    struct buffer says;

    buffer_init(&says, SENTENCE_BYTES);
    if (is_seen)
        exchange_explain(&check->settings.retry, response, &says);
    else
        buffer_append_format(&says, "there was no answer (%s)",
                             attempt_result_name(response->result));
    if (outcome.kind == OUTCOME_DELIVERED)
        verdicts_add(&check->verdicts, "answer", VERDICT_WELL, NULL, "%s", buffer_string(&says));
    else
        verdicts_add(&check->verdicts, "answer", VERDICT_WRONG,
                     response->result == ATTEMPT_ANSWERED
                         ? "let the receiver take the event, and answer 2xx"
                         : "\"doctor\" for this endpoint looks where it ends",
                     "%s", buffer_string(&says));
    buffer_free(&says);
}

static void append_phase(struct buffer *out, const char *name, int64_t at_us, int64_t *from_us)
{
    if (at_us <= 0)
        return;
    buffer_append_format(out, "%s%s %.1f ms", out->length > 0 ? ", " : "", name,
                         (double)(at_us - *from_us) / 1000);
    *from_us = at_us;
}

static void add_times(struct endpoint_check *check, const struct http_timings *timings)
{
    int64_t from_us = 0;
    struct buffer says;

    buffer_init(&says, SENTENCE_BYTES);
    append_phase(&says, "name", timings->dns_us, &from_us);
    append_phase(&says, "connection", timings->connect_us, &from_us);
    append_phase(&says, "TLS", timings->tls_us, &from_us);
    append_phase(&says, "first byte", timings->first_byte_us, &from_us);
    append_phase(&says, "rest", timings->total_us, &from_us);
    verdicts_add(&check->verdicts, "times", VERDICT_WELL, NULL, "%.1f ms: %s",
                 (double)timings->total_us / 1000, buffer_string(&says));
    buffer_free(&says);
}

static const char *const outcome_names[] = {
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_RETRY] = "retry",
    [OUTCOME_FAILED] = "failed",
};

/* For the operator, who may see what is inside. */
static void set_details(struct endpoint_check *check, const struct http_response *response)
{
    const struct http_timings *timings = &response->timings;
    struct attempt attempt = exchange_attempt(response);
    struct outcome outcome = outcome_decide(&check->settings.retry, 0, &attempt, 0);
    bool is_answered = response->result == ATTEMPT_ANSWERED;

    check->details = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:{s:I, s:I, s:I, s:I, s:I}}", "event_id",
        check->id, "outcome", outcome_names[outcome.kind], "result",
        attempt_result_name(response->result), "status",
        is_answered ? json_integer(response->status) : json_null(), "error",
        is_answered ? json_null() : verdicts_text(response->error, strlen(response->error)), "peer",
        response->peer[0] != '\0' ? json_string(response->peer) : json_null(), "body",
        verdicts_text(buffer_string(&response->snippet), response->snippet.length), "is_truncated",
        (int)response->is_truncated, "timings", "dns_us", (json_int_t)timings->dns_us, "connect_us",
        (json_int_t)timings->connect_us, "tls_us", (json_int_t)timings->tls_us, "first_byte_us",
        (json_int_t)timings->first_byte_us, "total_us", (json_int_t)timings->total_us);
    if (check->details == NULL)
        bug("details that are no JSON");
}

void endpoint_test_finish(struct endpoint_check *check, const struct http_response *response)
{
    add_answer(check, response);
    add_times(check, &response->timings);
    if (!check->verdicts.is_for_customer)
        set_details(check, response);
}
