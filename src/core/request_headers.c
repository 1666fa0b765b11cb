/* SPDX-License-Identifier: MIT */
#include "core/request_headers.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Our own lines with SECRET_SET_MAX signatures, and HEADERS_MAX extra ones that were replaced once:
 * a replaced line stays in the text. */
#define TEXT_MAX_BYTES \
    ((size_t)8192 + (size_t)2 * HEADERS_MAX * (HEADER_NAME_MAX_BYTES + HEADER_VALUE_MAX_BYTES + 3))

void request_headers_init(struct request_headers *headers)
{
    headers->count = 0;
    buffer_init(&headers->text, TEXT_MAX_BYTES);
}

void request_headers_free(struct request_headers *headers)
{
    headers->count = 0;
    buffer_free(&headers->text);
}

void request_headers_clear(struct request_headers *headers)
{
    headers->count = 0;
    buffer_clear(&headers->text);
}

static void append_line(struct request_headers *headers, size_t index, const char *name,
                        const char *value)
{
    headers->starts[index] = headers->text.length;
    headers->name_lengths[index] = strlen(name);
    buffer_append_string(&headers->text, name);
    buffer_append(&headers->text, ": ", 2);
    buffer_append(&headers->text, value, strlen(value) + 1);
}

static bool is_named(const struct request_headers *headers, size_t index, const char *name)
{
    return headers->name_lengths[index] == strlen(name) &&
           strncasecmp(headers->text.data + headers->starts[index], name,
                       headers->name_lengths[index]) == 0;
}

bool request_headers_add(struct request_headers *headers, const char *name, const char *value)
{
    size_t index = 0;

    while (index < headers->count && !is_named(headers, index, name))
        index++;
    if (index == HEADERS_MAX)
        return false;
    append_line(headers, index, name, value);
    if (headers->text.overflowed)
        return false;
    if (index == headers->count)
        headers->count++;
    return true;
}

/* With an event these are the event's to say. */
static bool is_replaced(const struct request_headers *headers, size_t index,
                        const struct request_facts *facts)
{
    if (facts->event != NULL)
        return header_is_of_events(headers->text.data + headers->starts[index],
                                   headers->name_lengths[index]);
    return facts->traceparent != NULL && is_named(headers, index, "traceparent");
}

/* The lines that stay keep their order. */
static size_t drop_replaced(struct request_headers *headers, const struct request_facts *facts)
{
    size_t kept = 0;

    for (size_t i = 0; i < headers->count; i++) {
        if (is_replaced(headers, i, facts))
            continue;
        headers->starts[kept] = headers->starts[i];
        headers->name_lengths[kept++] = headers->name_lengths[i];
    }
    return kept;
}

static size_t append_event(struct request_headers *headers, size_t count,
                           const struct request_event *event)
{
    const struct {
        const char *name, *value;
    } lines[] = {{"X-Customer-ID", event->customer_id},
                 {"X-Correlation-ID", event->correlation_id},
                 {"X-Causation-ID", event->causation_id},
                 {"X-Ordering-Key", event->ordering_key},
                 {"X-Ordering-Previous", event->ordering_previous}};

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        if (lines[i].value != NULL)
            append_line(headers, count++, lines[i].name, lines[i].value);
    return count;
}

const char *const *request_headers_build(struct request_headers *headers,
                                         const struct request_facts *facts, size_t *ret_count)
{
    char number[TEXT_INTEGER_SIZE];
    const char *traceparent = facts->traceparent;
    size_t count = drop_replaced(headers, facts);

    append_line(headers, count++, "Content-Type", "application/json");
    append_line(headers, count++, "User-Agent", "Postrider/" POSTRIDER_VERSION);
    append_line(headers, count++, "X-Event-ID", facts->event_id);
    append_line(headers, count++, "X-Delivery-Attempt", text_integer(facts->attempt, number));
    append_line(headers, count++, "webhook-id", facts->event_id);
    append_line(headers, count++, "webhook-timestamp", text_integer(facts->timestamp_s, number));
    append_line(headers, count++, "webhook-signature", facts->signature);
    if (facts->event != NULL)
        count = append_event(headers, count, facts->event);
    if (traceparent == NULL && facts->event != NULL)
        traceparent = facts->event->traceparent;
    if (traceparent != NULL)
        append_line(headers, count++, "traceparent", traceparent);
    if (headers->text.overflowed)
        bug("the headers of a request take more than %zu bytes", TEXT_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        headers->lines[i] = headers->text.data + headers->starts[i];
    headers->count = count;
    *ret_count = count;
    return headers->lines;
}
