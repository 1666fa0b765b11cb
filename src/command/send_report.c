/* SPDX-License-Identifier: MIT */
#include "command/send_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "command/report.h"
#include "command/terminal.h"
#include "core/header.h"
#include "worker/exchange.h"

#define SHOWN_BODY_BYTES 1024
#define SENTENCE_BYTES   1024

enum phase_column { PHASE_NAME, PHASE_AT, PHASE_TOOK };

static const struct report_column phase_columns[] = {
    [PHASE_NAME] = {.title = "PHASE"},
    [PHASE_AT] = {.title = "AT", .is_number = true},
    [PHASE_TOOK] = {.title = "TOOK", .is_number = true},
};

struct outcome send_report_decide(const struct send_request *request,
                                  const struct http_response *response)
{
    struct attempt attempt = exchange_attempt(response);

    return outcome_decide(&request->settings.retry, 0, &attempt, 0);
}

/* The start of a body, line by line, without what would steer a terminal. */
static void print_body(const char *bytes, size_t length, bool is_all)
{
    struct buffer text;
    char *rest;
    char *line;

    if (length == 0)
        return;
    buffer_init(&text, SHOWN_BODY_BYTES);
    text_append_clean(&text, bytes, length < SHOWN_BODY_BYTES ? length : SHOWN_BODY_BYTES);
    rest = text.data;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *clean = terminal_clean(line);

        if (rest != NULL || clean[0] != '\0')
            puts(clean);
        free(clean);
    }
    if (!is_all || length > SHOWN_BODY_BYTES)
        puts("…");
    buffer_free(&text);
}

/* The request's body is not in the transcript: it goes behind the request's headers. */
static void print_transcript(const struct send_request *request,
                             const struct http_response *response)
{
    char *copy = memory_copy_string(buffer_string(&response->transcript));
    char *rest = copy;
    bool is_in_post = false;
    char *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] == '\0')
            continue;
        puts(line);
        if (strncmp(line, "> POST ", 7) == 0)
            is_in_post = true;
        if (!is_in_post || strcmp(line, "> ") != 0)
            continue;
        print_body(request->http.body, request->http.body_length, true);
        is_in_post = false;
    }
    if (response->transcript.overflowed)
        puts("* (there was more)");
    free(copy);
}

static void add_phase(struct report *report, const char *name, int64_t at_us, int64_t *from_us)
{
    char text[UNITS_TEXT_SIZE];

    if (at_us <= 0)
        return;
    report_add_row(report);
    report_set_text(report, PHASE_NAME, name);
    snprintf(text, sizeof(text), "%.1f ms", (double)at_us / 1000);
    report_set_text(report, PHASE_AT, text);
    snprintf(text, sizeof(text), "%.1f ms", (double)(at_us - *from_us) / 1000);
    report_set_text(report, PHASE_TOOK, text);
    *from_us = at_us;
}

static void print_timings(const struct http_timings *timings)
{
    struct report *report = report_new(phase_columns, ARRAY_LENGTH(phase_columns));
    int64_t from_us = 0;

    add_phase(report, "name resolved", timings->dns_us, &from_us);
    add_phase(report, "connected", timings->connect_us, &from_us);
    add_phase(report, "TLS ready", timings->tls_us, &from_us);
    add_phase(report, "first byte", timings->first_byte_us, &from_us);
    add_phase(report, "end", timings->total_us, &from_us);
    if (report_row_count(report) > 0) {
        putchar('\n');
        report_print_table(report, stdout);
    }
    report_free(report);
}

void send_report_print(const struct send_request *request, const struct http_response *response)
{
    struct buffer sentence;
    char *clean;

    print_transcript(request, response);
    print_body(buffer_string(&response->snippet), response->snippet.length,
               !response->is_truncated && response->snippet.length < HTTP_SNIPPET_BYTES);
    print_timings(&response->timings);
    buffer_init(&sentence, SENTENCE_BYTES);
    exchange_explain(&request->settings.retry, response, &sentence);
    clean = terminal_clean(buffer_string(&sentence));
    printf("%s%s.\n", response->transcript.length > 0 ? "\n" : "", clean);
    free(clean);
    buffer_free(&sentence);
}

static json_t *clean_json(const char *bytes, size_t length)
{
    struct buffer text;
    json_t *value;

    buffer_init(&text, 3 * length); /* a byte that is no UTF-8 becomes three */
    text_append_clean(&text, bytes, length);
    value = json_string(buffer_string(&text));
    buffer_free(&text);
    return value;
}

static json_t *split_lines(const struct buffer *transcript)
{
    json_t *lines = json_array();
    char *copy = memory_copy_string(buffer_string(transcript));
    char *rest = copy;
    char *line;

    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0')
            json_array_append_new(lines, json_string(line));
    free(copy);
    return lines;
}

/* "Name: value", without the value of a credential. */
static json_t *header_json(const char *line)
{
    size_t name = strcspn(line, ":");
    char *hidden;
    json_t *json;

    if (!header_is_credential(line, name))
        return clean_json(line, strlen(line));
    hidden = memory_format("%.*s: ***", (int)name, line);
    json = clean_json(hidden, strlen(hidden));
    free(hidden);
    return json;
}

static json_t *request_json(const struct send_request *request)
{
    json_t *headers = json_array();

    for (size_t i = 0; i < request->http.headers_count; i++)
        json_array_append_new(headers, header_json(request->http.headers[i]));
    return json_pack("{s:s, s:s, s:o, s:o}", "url", request->http.url, "event_id",
                     request->event_id, "headers", headers, "body",
                     clean_json(request->http.body, request->http.body_length));
}

static json_t *response_json(const struct http_response *response)
{
    bool is_answered = response->result == ATTEMPT_ANSWERED;

    return json_pack("{s:o, s:o, s:o, s:o, s:b}", "status",
                     is_answered ? json_integer(response->status) : json_null(), "retry_after",
                     response->retry_after[0] != '\0'
                         ? clean_json(response->retry_after, strlen(response->retry_after))
                         : json_null(),
                     "peer", response->peer[0] != '\0' ? json_string(response->peer) : json_null(),
                     "body",
                     clean_json(buffer_string(&response->snippet), response->snippet.length),
                     "is_truncated", (int)response->is_truncated);
}

static json_t *timings_json(const struct http_timings *timings)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "dns_us", (json_int_t)timings->dns_us,
                     "connect_us", (json_int_t)timings->connect_us, "tls_us",
                     (json_int_t)timings->tls_us, "first_byte_us",
                     (json_int_t)timings->first_byte_us, "total_us", (json_int_t)timings->total_us);
}

static const char *outcome_name(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DELIVERED:
        return "delivered";
    case OUTCOME_RETRY:
        return "retry";
    case OUTCOME_FAILED:
        return "failed";
    }
    bug("outcome %d", (int)kind);
}

static json_t *outcome_json(const struct outcome *outcome)
{
    return json_pack("{s:s, s:o, s:b}", "kind", outcome_name(outcome->kind), "delay_ms",
                     outcome->kind == OUTCOME_RETRY ? json_integer(outcome->delay_ms) : json_null(),
                     "disables_endpoint", (int)outcome->disables_endpoint);
}

void send_report_print_json(const struct send_request *request,
                            const struct http_response *response)
{
    struct outcome outcome = send_report_decide(request, response);
    json_t *object = json_object();

    json_object_set_new(object, "result", json_string(attempt_result_name(response->result)));
    json_object_set_new(object, "error",
                        response->error[0] != '\0'
                            ? clean_json(response->error, strlen(response->error))
                            : json_null());
    json_object_set_new(object, "outcome", outcome_json(&outcome));
    json_object_set_new(object, "request", request_json(request));
    json_object_set_new(object, "response", response_json(response));
    json_object_set_new(object, "timings", timings_json(&response->timings));
    json_object_set_new(object, "transcript", split_lines(&response->transcript));
    report_print_json(object, stdout);
}
