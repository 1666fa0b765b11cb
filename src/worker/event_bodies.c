/* SPDX-License-Identifier: MIT */
#include "worker/event_bodies.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/percent.h"
#include "core/traceparent.h"

/* The 255 of the table's check, each of three bytes. */
#define ORDERING_KEY_MAX_BYTES 1024

static void copy_fact(char *field, size_t size, const char *text)
{
    text_copy(field, size, text != NULL ? text : "");
}

static void copy_facts(struct event_body *body, const struct due_event *event)
{
    char trace_id[TRACE_ID_SIZE];

    copy_fact(body->customer_id, sizeof(body->customer_id), event->customer_id);
    copy_fact(body->correlation_id, sizeof(body->correlation_id), event->correlation_id);
    copy_fact(body->causation_id, sizeof(body->causation_id), event->causation_id);
    if (traceparent_read(event->traceparent, trace_id))
        copy_fact(body->traceparent, sizeof(body->traceparent), event->traceparent);
    if (event->ordering_key != NULL) {
        struct buffer key;

        buffer_init(&key, ORDERING_KEY_MAX_BYTES);
        percent_append_value(&key, event->ordering_key);
        body->ordering_key = buffer_take(&key);
    }
}

static const char *fact(const char *field)
{
    return field[0] != '\0' ? field : NULL;
}

struct request_event event_body_facts(const struct event_body *body)
{
    return (struct request_event){.customer_id = fact(body->customer_id),
                                  .correlation_id = fact(body->correlation_id),
                                  .causation_id = fact(body->causation_id),
                                  .traceparent = fact(body->traceparent),
                                  .ordering_key = body->ordering_key};
}

struct event_body *event_bodies_take(struct event_bodies *bodies, const struct due_row *row)
{
    struct event_body *body = NULL;

    if (row->payload != NULL)
        HASH_FIND(by_id, bodies->by_id, row->event_id, (unsigned)strlen(row->event_id), body);
    if (body == NULL) {
        body = memory_new(1, sizeof(*body));
        text_copy(body->id, sizeof(body->id), row->event_id);
        copy_facts(body, &row->event);
        if (row->payload != NULL) {
            body->length = (size_t)row->payload_bytes;
            body->text = memory_copy(row->payload, body->length);
            bodies->bytes += row->payload_bytes;
            HASH_ADD(by_id, bodies->by_id, id, (unsigned)strlen(body->id), body);
        }
    }
    body->references++;
    return body;
}

void event_bodies_release(struct event_bodies *bodies, struct event_body *body)
{
    if (--body->references > 0)
        return;
    if (body->text != NULL) {
        bodies->bytes -= (int64_t)body->length;
        /* The analyzer does not know that uthash frees its table with the last entry alone. */
        HASH_DELETE(by_id, bodies->by_id, body); /* NOLINT(clang-analyzer-unix.Malloc) */
    }
    free(body->ordering_key);
    free(body->text);
    free(body);
}
