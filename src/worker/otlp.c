/* SPDX-License-Identifier: MIT */
#include "worker/otlp.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/text.h"

#define KIND_CLIENT  3
#define STATUS_ERROR 2

/* What is written is valid UTF-8 and short: nothing but a lack of memory can fail. */
static json_t *must(json_t *value)
{
    if (value == NULL)
        bug("JSON of a span could not be made");
    return value;
}

static void append(json_t *list, json_t *entry)
{
    json_array_append_new(list, must(entry));
}

static void add_text(json_t *attributes, const char *key, const char *value)
{
    append(attributes, json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value));
}

static void add_number(json_t *attributes, const char *key, int64_t value)
{
    char digits[TEXT_INTEGER_SIZE];

    append(attributes, json_pack("{s:s, s:{s:s}}", "key", key, "value", "intValue",
                                 text_integer(value, digits)));
}

static json_t *attributes_of(const struct span *span)
{
    char buffer[SPAN_ERROR_TYPE_SIZE];
    const char *error_type = span_error_type(&span->result, buffer);
    json_t *attributes = json_array();

    add_text(attributes, "http.request.method", "POST");
    add_text(attributes, "url.full", span->url);
    if (span->server != NULL) {
        add_text(attributes, "server.address", span->server);
        add_number(attributes, "server.port", span->port);
    }
    if (span->result.result == ATTEMPT_ANSWERED)
        add_number(attributes, "http.response.status_code", span->result.status);
    if (error_type != NULL)
        add_text(attributes, "error.type", error_type);
    add_text(attributes, "postrider.delivery.id", span->delivery_id);
    add_text(attributes, "postrider.event.id", span->event_id);
    add_number(attributes, "postrider.attempt", span->attempt);
    return attributes;
}

/* Unset after a 2xx, as the conventions want it of a client that can't judge the answer. */
static json_t *status_of(const struct span *span)
{
    char buffer[SPAN_ERROR_TYPE_SIZE];

    if (span_error_type(&span->result, buffer) == NULL)
        return json_object();
    return json_pack("{s:i, s:s*}", "code", STATUS_ERROR, "message", span->error);
}

static json_t *span_json(const struct span *span)
{
    char started[TEXT_INTEGER_SIZE];
    char ended[TEXT_INTEGER_SIZE];
    const struct span_ids *ids = &span->ids;

    return must(json_pack("{s:s, s:s, s:s*, s:s, s:i, s:s, s:s, s:o, s:o}", "traceId",
                          ids->trace_id, "spanId", ids->span_id, "parentSpanId",
                          ids->parent_id[0] != '\0' ? ids->parent_id : NULL, "name", "POST", "kind",
                          KIND_CLIENT, "startTimeUnixNano", text_integer(span->started_ns, started),
                          "endTimeUnixNano", text_integer(span->ended_ns, ended), "attributes",
                          attributes_of(span), "status", must(status_of(span))));
}

static json_t *resource_json(const char *host)
{
    json_t *attributes = json_array();

    add_text(attributes, "service.name", "postrider");
    add_text(attributes, "service.version", POSTRIDER_VERSION);
    add_text(attributes, "host.name", host);
    return must(json_pack("{s:o}", "attributes", attributes));
}

char *otlp_export(const struct span_list *spans, size_t count, const char *host)
{
    json_t *list = json_array();
    const struct span *span;
    json_t *whole;
    char *text;

    TAILQ_FOREACH(span, spans, entry) {
        if (count-- == 0)
            break;
        append(list, span_json(span));
    }
    whole = must(json_pack("{s:[{s:o, s:[{s:{s:s, s:s}, s:o}]}]}", "resourceSpans", "resource",
                           resource_json(host), "scopeSpans", "scope", "name", "postrider",
                           "version", POSTRIDER_VERSION, "spans", list));
    text = json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    if (text == NULL)
        bug("JSON of spans could not be written");
    return text;
}
