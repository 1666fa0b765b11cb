/* SPDX-License-Identifier: MIT */
#include "command/delivery_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "command/report.h"
#include "command/terminal.h"
#include "db/fragments.h"

#define RESPONSE_IN_TABLE 14 /* columns that the table has for it at least */

enum attempt_column {
    ATTEMPT_NUMBER,
    ATTEMPT_STARTED,
    ATTEMPT_STARTED_TEXT,
    ATTEMPT_TOOK,
    ATTEMPT_STATUS,
    ATTEMPT_ERROR,
    ATTEMPT_BODY,
    ATTEMPT_URL,
};

static const struct report_column columns[] = {
    [ATTEMPT_NUMBER] = {.key = "attempt", .title = "ATTEMPT", .is_number = true},
    [ATTEMPT_STARTED] = {.key = "started_at"},
    [ATTEMPT_STARTED_TEXT] = {.title = "STARTED (UTC)"},
    [ATTEMPT_TOOK] = {.key = "duration_ms", .title = "TOOK", .is_number = true},
    [ATTEMPT_STATUS] = {.key = "response_status", .title = "HTTP", .is_number = true},
    [ATTEMPT_ERROR] = {.key = "error", .title = "ERROR", .cut = REPORT_CUT_END},
    [ATTEMPT_BODY] = {.key = "response_body", .title = "RESPONSE", .cut = REPORT_CUT_END},
    [ATTEMPT_URL] = {.key = "url"},
};

static void print_text(FILE *out, const char *name, const char *text)
{
    char *clean;

    if (text == NULL || text[0] == '\0')
        return;
    clean = terminal_clean(text);
    fprintf(out, "%-12s %s\n", name, clean);
    free(clean);
}

static void print_time(FILE *out, const char *name, const char *utc, int64_t ms_ago)
{
    char time[DELIVERY_TIME_SIZE];
    char about[UNITS_TEXT_SIZE];

    if (utc == NULL)
        return;
    units_format_about_ms(ms_ago < 0 ? -ms_ago : ms_ago, about);
    if (ms_ago >= DB_FOREVER_MS || ms_ago <= -DB_FOREVER_MS)
        fprintf(out, "%-12s %s\n", name, delivery_time(utc, time));
    else
        fprintf(out, "%-12s %s (%s%s%s)\n", name, delivery_time(utc, time), ms_ago < 0 ? "in " : "",
                about, ms_ago < 0 ? "" : " ago");
}

void delivery_report_print(const struct delivery_record *record, FILE *out)
{

    print_text(out, "delivery", record->id);
    print_text(out, "event", record->event_id);
    print_text(out, "event type", record->event_type);
    print_text(out, "customer", record->customer_id);
    print_text(out, "endpoint", record->url);
    print_text(out, "endpoint id", record->endpoint_id);
    fprintf(out, "%-12s %s after %lld attempt%s\n", "status", record->status,
            (long long)record->attempts, record->attempts == 1 ? "" : "s");
    print_time(out, "created", record->created_at, record->created_ms_ago);
    print_time(out, "last attempt", record->last_attempt_at, record->last_attempt_ms_ago);
    print_time(out, "failed", record->failed_at, record->failed_ms_ago);
    if (strcmp(record->status, "pending") == 0)
        print_time(out, "due", record->next_retry_at, -record->due_in_ms);
    if (record->response_status != 0)
        fprintf(out, "%-12s HTTP %lld\n", "answer", (long long)record->response_status);
    print_text(out, "last error", record->last_error);
    if (record->disabled_at != NULL)
        print_time(out, "disabled", record->disabled_at, record->disabled_ms_ago);
    print_time(out, "erased", record->erased_at, record->erased_ms_ago);
    if (record->erased_at == NULL)
        fprintf(out, "%-12s %lld byte%s\n", "payload", (long long)record->payload_bytes,
                text_plural(record->payload_bytes, "", "s"));
}

json_t *delivery_report_json(const struct delivery_record *record)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s?, s:s?, s:s, s:s?, s:I, s:I, s:s?, s:s?, "
        "s:s?, s:s?, s:s?}",
        "id", record->id, "event_id", record->event_id, "customer_id", record->customer_id,
        "endpoint", record->url, "event_type", record->event_type, "status", record->status,
        "attempts", (json_int_t)record->attempts, "created_at", record->created_at,
        "last_attempt_at", record->last_attempt_at, "failed_at", record->failed_at, "next_retry_at",
        record->next_retry_at, "last_error", record->last_error, "payload_bytes",
        (json_int_t)record->payload_bytes, "lane", (json_int_t)record->lane, "lane_owner",
        record->lane_owner, "endpoint_disabled_at", record->disabled_at, "endpoint_disabled_reason",
        record->endpoint.disabled_reason, "endpoint_id", record->endpoint_id, "erased_at",
        record->erased_at);

    if (object == NULL)
        bug("a delivery that is no JSON");
    json_object_set_new(object, "response_status",
                        record->response_status != 0 ? json_integer(record->response_status)
                                                     : json_null());
    return object;
}

static struct report *make_report(const struct delivery_attempts *attempts)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < attempts->count; i++) {
        const struct delivery_attempt *attempt = &attempts->rows[i];
        char time[DELIVERY_TIME_SIZE];
        char about[UNITS_TEXT_SIZE];

        report_add_row(report);
        report_set_number(report, ATTEMPT_NUMBER, attempt->attempt);
        report_set_text(report, ATTEMPT_STARTED, attempt->started_at);
        delivery_time(attempt->started_at, time);
        time[strcspn(time, "U")] = '\0'; /* the title says UTC */
        report_set(report, ATTEMPT_STARTED_TEXT, time, NULL);
        report_set(report, ATTEMPT_TOOK, units_format_about_ms(attempt->duration_ms, about),
                   json_integer(attempt->duration_ms));
        if (attempt->response_status != 0)
            report_set_number(report, ATTEMPT_STATUS, attempt->response_status);
        report_set_text(report, ATTEMPT_ERROR, attempt->error);
        report_set_text(report, ATTEMPT_BODY, attempt->response_body);
        report_set_text(report, ATTEMPT_URL, attempt->url);
    }
    return report;
}

/* Whole, since a terminal's table has no room for it. */
static void print_last_response(const struct delivery_attempts *attempts, FILE *out)
{
    const char *body =
        attempts->count > 0 ? attempts->rows[attempts->count - 1].response_body : NULL;
    char *clean;

    if (body == NULL || terminal_width(out) == 0)
        return;
    clean = terminal_clean(body);
    if (terminal_columns(clean) > RESPONSE_IN_TABLE)
        fprintf(out, "\nThe last response began: %s\n", clean);
    free(clean);
}

/* Of attempts in a row that were made to one URL, the last one tells. */
static void print_other_urls(const struct delivery_attempts *attempts, FILE *out)
{
    for (size_t i = 0; i < attempts->count; i++) {
        const struct delivery_attempt *attempt = &attempts->rows[i];
        bool is_followed = i + 1 < attempts->count && attempt[1].is_elsewhere &&
                           strcmp(attempt[1].url, attempt->url) == 0;
        char *clean;

        if (!attempt->is_elsewhere || is_followed)
            continue;
        clean = terminal_clean(attempt->url);
        fprintf(out, "\nUp to attempt %lld it was sent to %s\n", (long long)attempt->attempt,
                clean);
        free(clean);
    }
}

void delivery_attempts_print(const struct delivery_attempts *attempts, FILE *out)
{
    struct report *report = make_report(attempts);

    report_print_table(report, out);
    report_free(report);
    print_other_urls(attempts, out);
    print_last_response(attempts, out);
}

json_t *delivery_attempts_json(const struct delivery_attempts *attempts)
{
    struct report *report = make_report(attempts);
    json_t *json = report_json(report);

    report_free(report);
    return json;
}
