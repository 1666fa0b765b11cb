/* SPDX-License-Identifier: MIT */
#include "command/event_report.h"

#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "command/report.h"

enum delivery_column {
    DELIVERY_ID,
    DELIVERY_STATE,
    DELIVERY_STATUS,
    DELIVERY_ATTEMPTS,
    DELIVERY_RESPONSE,
    DELIVERY_NEXT,
    DELIVERY_ENDPOINT_ID,
    DELIVERY_CUSTOMER,
    DELIVERY_URL,
    DELIVERY_ERROR,
};

static const struct report_column columns[] = {
    [DELIVERY_ID] = {.key = "id", .title = "DELIVERY"},
    [DELIVERY_STATE] = {.key = "state", .title = "STATE"},
    [DELIVERY_STATUS] = {.key = "status"},
    [DELIVERY_ATTEMPTS] = {.key = "attempts",
                           .title = "TRIES",
                           .is_number = true,
                           .is_optional = true},
    [DELIVERY_RESPONSE] = {.key = "response_status"},
    [DELIVERY_NEXT] = {.key = "next_retry_at"},
    [DELIVERY_ENDPOINT_ID] = {.key = "endpoint_id"},
    [DELIVERY_CUSTOMER] = {.key = "customer_id"},
    [DELIVERY_URL] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
    [DELIVERY_ERROR] = {.key = "last_error", .title = "LAST ERROR", .cut = REPORT_CUT_END},
};

static void add_count(struct buffer *out, int64_t count, const char *what)
{
    if (count > 0)
        buffer_append_format(out, "%s%lld %s", out->length > 0 ? ", " : "", (long long)count, what);
}

const char *event_report_counts(const struct event *event, char text[EVENT_COUNTS_SIZE])
{
    struct buffer out;

    buffer_init(&out, EVENT_COUNTS_SIZE - 1);
    add_count(&out, event->delivered, "delivered");
    add_count(&out, event->pending, "pending");
    add_count(&out, event->dead, "dead");
    if (event->is_count_cut)
        buffer_append_string(&out, " …");
    text_copy(text, EVENT_COUNTS_SIZE, out.length > 0 ? buffer_string(&out) : "nobody");
    buffer_free(&out);
    return text;
}

json_t *event_report_json(const struct event *event)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:I, s:I, s:I, s:b}", "id",
        event->id, "customer_id", event->customer_id, "event_type", event->event_type, "created_at",
        event->created_at, "idempotency_key", event->idempotency_key, "correlation_id",
        event->correlation_id, "causation_id", event->causation_id, "traceparent",
        event->traceparent, "deliver_after", event->deliver_after, "erased_at", event->erased_at,
        "pending", (json_int_t)event->pending, "delivered", (json_int_t)event->delivered, "dead",
        (json_int_t)event->dead, "is_more", (int)event->is_count_cut);

    if (object == NULL)
        bug("an event that is no JSON");
    return object;
}

static struct report *make_report(const struct event_delivery_list *list, size_t first,
                                  size_t count)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = first; i < first + count; i++) {
        const struct event_delivery *delivery = &list->rows[i];

        report_add_row(report);
        report_set_text(report, DELIVERY_ID, delivery->id);
        report_set_text(report, DELIVERY_STATE, delivery->state);
        report_set_text(report, DELIVERY_STATUS, delivery->status);
        report_set_number(report, DELIVERY_ATTEMPTS, delivery->attempts);
        if (delivery->response_status != 0)
            report_set_number(report, DELIVERY_RESPONSE, delivery->response_status);
        report_set_text(report, DELIVERY_NEXT, delivery->next_retry_at);
        report_set_text(report, DELIVERY_ENDPOINT_ID, delivery->endpoint_id);
        report_set_text(report, DELIVERY_CUSTOMER, delivery->customer_id);
        report_set_text(report, DELIVERY_URL, delivery->url);
        report_set_text(report, DELIVERY_ERROR, delivery->last_error);
    }
    return report;
}

void event_report_print_deliveries(const struct event_delivery_list *list, size_t first,
                                   size_t count, FILE *out)
{
    struct report *report = make_report(list, first, count);

    report_print_table(report, out);
    report_free(report);
}

json_t *event_report_deliveries_json(const struct event_delivery_list *list, size_t first,
                                     size_t count)
{
    struct report *report = make_report(list, first, count);
    json_t *json = report_json(report);

    report_free(report);
    return json;
}

size_t event_report_same_event(const struct event_delivery_list *list, size_t first)
{
    size_t count = 0;

    while (first + count < list->count &&
           strcmp(list->rows[first + count].event_id, list->rows[first].event_id) == 0)
        count++;
    return count;
}
