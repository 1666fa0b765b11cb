/* SPDX-License-Identifier: MIT */
#include "command/status_report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"
#include "command/delivery_report.h"
#include "command/replay.h"
#include "command/report.h"
#include "command/status_workers.h"
#include "command/terminal.h"

#define COUNT_TEXT_SIZE 40

/* "1,234", "100,000+", or "?" when it is not known. */
static const char *count_text(struct overview_count count, char *text)
{
    char digits[24];
    size_t length;
    size_t used = 0;

    if (count.number < 0)
        return "?";
    snprintf(digits, sizeof(digits), "%lld", (long long)count.number);
    length = strlen(digits);
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    snprintf(text + used, COUNT_TEXT_SIZE - used, "%s", count.is_more ? "+" : "");
    return text;
}

static json_t *count_json(struct overview_count count)
{
    return count.number < 0 ? json_null() : json_integer(count.number);
}

static void set_count(struct report *report, size_t column, struct overview_count count)
{
    char text[COUNT_TEXT_SIZE];

    report_set(report, column, count_text(count, text), count_json(count));
}

static void add_queue_row(struct report *report, const char *name, struct overview_count count,
                          const char *remark)
{
    report_add_row(report);
    report_set_text(report, 0, name);
    set_count(report, 1, count);
    report_set_text(report, 2, remark);
}

/* Counting pending rows ended at its limit, so that an estimate says more. */
static bool is_capped(const struct overview *o)
{
    return o->due.is_more || o->retrying.is_more || o->later.is_more || o->due.number < 0 ||
           o->later.number < 0;
}

/* What was counted is exact, or at least so many; the last vacuum may have seen less. Negative when
 * nothing is known. */
static int64_t estimate_pending(const struct overview *o)
{
    const int64_t counts[] = {o->due.number, o->retrying.number, o->later.number};
    int64_t counted = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        counted += counts[i] > 0 ? counts[i] : 0;
    if (!is_capped(o) || o->pending_estimate < counted)
        return o->pending_estimate < 0 && is_capped(o) ? -1 : counted;
    return o->pending_estimate;
}

static void print_queue(const struct overview *o, FILE *out)
{
    static const struct report_column columns[] = {
        {.title = "DELIVERIES"}, {.title = "NOW", .is_number = true}, {.title = ""}};
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));
    char about[UNITS_TEXT_SIZE];
    char hour[COUNT_TEXT_SIZE];
    char minute[COUNT_TEXT_SIZE];
    char text[256];

    snprintf(text, sizeof(text), "the oldest for %s",
             units_format_about_ms(o->oldest_due_ms, about));
    if (o->oldest_due_ms < 0)
        text[0] = '\0';
    add_queue_row(report, "due", o->due, text);
    add_queue_row(report, "in retry", o->retrying, "attempted, and waiting for the next time");
    add_queue_row(report, "for later", o->later, "enqueued with a later time");
    if (is_capped(o) && o->pending_estimate >= 0)
        add_queue_row(report, "all pending", (struct overview_count){estimate_pending(o), false},
                      "estimated by the last vacuum");
    snprintf(text, sizeof(text), "%s in the last hour, %s in the last minute",
             count_text(o->dead_last_hour, hour), count_text(o->dead_last_minute, minute));
    add_queue_row(report, "dead letters", o->dead, text);
    report_print_table(report, out);
    report_free(report);
}

static void add_created_row(struct report *report, const char *name,
                            const struct overview_created *created)
{
    report_add_row(report);
    report_set_text(report, 0, name);
    set_count(report, 1, created->total);
    set_count(report, 2, created->delivered);
    set_count(report, 3, created->pending);
    set_count(report, 4, created->failed);
}

static void print_created(const struct overview *o, FILE *out)
{
    static const struct report_column columns[] = {
        {.title = "CREATED IN THE"},
        {.title = "TOTAL", .is_number = true},
        {.title = "DELIVERED", .is_number = true},
        {.title = "PENDING", .is_number = true},
        {.title = "FAILED", .is_number = true},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));
    char hour[COUNT_TEXT_SIZE];
    char minute[COUNT_TEXT_SIZE];

    add_created_row(report, "last minute", &o->last_minute);
    add_created_row(report, "last hour", &o->last_hour);
    report_print_table(report, out);
    report_free(report);
    fprintf(out, "Failed attempts: %s in the last hour, %s in the last minute\n",
            count_text(o->failures_last_hour, hour), count_text(o->failures_last_minute, minute));
}

enum endpoint_column {
    AT_URL,
    AT_DUE,
    AT_RETRYING,
    AT_MORE,
    AT_FAILURES,
    AT_DISABLED,
    AT_ERROR,
    AT_OLDEST
};

static struct report *endpoint_report(const struct overview *o)
{
    static const struct report_column columns[] = {
        [AT_URL] = {.key = "url", .title = "BUSY OR FAILING", .cut = REPORT_CUT_URL},
        [AT_DUE] = {.key = "due", .title = "DUE", .is_number = true},
        [AT_RETRYING] = {.key = "retrying", .title = "IN RETRY", .is_number = true},
        [AT_MORE] = {.key = "is_at_least"},
        [AT_FAILURES] = {.key = "failures_last_hour", .title = "FAILED/H", .is_number = true},
        [AT_DISABLED] = {.key = "is_disabled"},
        [AT_ERROR] = {.key = "last_error", .title = "LAST ERROR", .cut = REPORT_CUT_END},
        [AT_OLDEST] = {.key = "oldest_delivery"},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < o->endpoint_count; i++) {
        const struct overview_endpoint *endpoint = &o->endpoints[i];

        report_add_row(report);
        report_set_text(report, AT_URL, endpoint->url);
        set_count(report, AT_DUE, endpoint->due);
        set_count(report, AT_RETRYING, endpoint->retrying);
        report_set(report, AT_MORE, "",
                   json_boolean(endpoint->due.is_more || endpoint->retrying.is_more ||
                                endpoint->failures.is_more));
        set_count(report, AT_FAILURES, endpoint->failures);
        report_set(report, AT_DISABLED, "", json_boolean(endpoint->is_disabled));
        report_set_text(report, AT_OLDEST, endpoint->oldest_delivery);
        if (endpoint->is_disabled)
            report_set(report, AT_ERROR, "endpoint is disabled",
                       endpoint->last_error != NULL ? json_string(endpoint->last_error) : NULL);
        else
            report_set_text(report, AT_ERROR, endpoint->last_error);
    }
    return report;
}

/* How many fail that are not in the table. */
static void print_more_failing(const struct overview *o, FILE *out)
{
    struct overview_count more = o->failing_endpoints;
    char text[COUNT_TEXT_SIZE];

    for (size_t i = 0; i < o->endpoint_count; i++)
        more.number -= o->endpoints[i].failures.number > 0;
    if (more.number > 0)
        fprintf(out, "… and %s more endpoint%s with failed attempts in the last hour\n",
                count_text(more, text), text_plural(more.is_more ? 2 : more.number, "", "s"));
}

static void print_report(struct report *report, FILE *out)
{
    if (report_row_count(report) > 0) {
        fputc('\n', out);
        report_print_table(report, out);
    }
    report_free(report);
}

/* "Replay ID is running: 120 of 1000 are done, about 18 s left" */
static void print_replays(const struct overview *o, FILE *out)
{
    for (size_t i = 0; i < o->replay_count; i++) {
        const struct replay *replay = &o->replays[i];
        int64_t left_ms = replay_left_ms(replay);
        char count[REPLAY_COUNT_SIZE], about[UNITS_TEXT_SIZE];

        fprintf(out, "%s%s %s is %s: %s done", i == 0 ? "\n" : "",
                strcmp(replay->kind, "discard") == 0 ? "Discard" : "Replay", replay->id,
                replay_state(replay), replay_count(replay, count));
        if (left_ms >= 0)
            fprintf(out, ", about %s left", units_format_about_ms(left_ms, about));
        fputc('\n', out);
    }
}

static json_t *replays_json(const struct overview *o)
{
    json_t *array = json_array();

    for (size_t i = 0; i < o->replay_count; i++)
        json_array_append_new(array, replay_json(&o->replays[i]));
    return array;
}

static json_t *alerts_json(const struct overview *o)
{
    json_t *array = json_array();

    for (size_t i = 0; i < o->alert_count; i++) {
        const struct alert_record *alert = &o->alerts[i];
        json_t *told = alert->told_ms >= 0 ? json_integer(alert->told_ms) : json_null();

        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:o}", "cause", alert->cause,
                                               "fault", alert->fault, "summary", alert->summary,
                                               "raised_at", alert->raised_at, "told_ms_ago", told));
    }
    return array;
}

/* Bold red on a terminal, unless $NO_COLOR asks for none. */
static void print_problems(const struct status_problems *problems, FILE *out)
{
    bool is_coloured = isatty(fileno(out)) == 1 && getenv("NO_COLOR") == NULL;

    if (problems->count == 0)
        fputs("Nothing is wrong.\n", out);
    for (size_t i = 0; i < problems->count; i++) {
        fprintf(out, "%sPROBLEM%s  ", is_coloured ? "\x1b[1;31m" : "",
                is_coloured ? "\x1b[0m" : "");
        terminal_print_wrapped(problems->list[i].what, strlen("PROBLEM  "), out);
        fprintf(out, "       → %s\n", problems->list[i].action); /* to be copied: in one piece */
    }
}

/* Somebody wants it so: no problem, but who wonders what is not sent has to see it. */
static void print_paused(const struct overview *o, FILE *out)
{
    char time[DELIVERY_TIME_SIZE];

    if (o->paused_endpoints <= 0)
        return;
    fprintf(
        out,
        "%lld endpoint%s paused, the first since %s: deliveries to %s wait.\n"
        "       → SELECT id, url, paused_at FROM webhook_endpoints WHERE paused_at IS NOT NULL\n",
        (long long)o->paused_endpoints, text_plural(o->paused_endpoints, " is", "s are"),
        delivery_time(o->paused_since, time), text_plural(o->paused_endpoints, "it", "them"));
}

void status_report_print(const struct status *status, FILE *out)
{
    const struct overview *o = &status->overview;
    char time[DELIVERY_TIME_SIZE];

    fprintf(out, "Postrider %s, %s\n", POSTRIDER_VERSION, delivery_time(o->now, time));
    fprintf(out, "database %s on %s, schema %d\n", o->database, status->host,
            status->database_version);
    if (!o->has_workers)
        fputs("\nWhich workers there are can't be read.\n", out);
    else if (o->worker_count == 0)
        fputs("\nNo worker owns lanes.\n", out);
    print_report(status_workers_report(o), out);
    if (o->worker_count > 0 && o->free_lanes > 0)
        fprintf(out, "%lld lane%s owned by nobody.\n", (long long)o->free_lanes,
                text_plural(o->free_lanes, " is", "s are"));
    fputc('\n', out);
    print_queue(o, out);
    fputc('\n', out);
    print_created(o, out);
    print_report(endpoint_report(o), out);
    print_more_failing(o, out);
    print_paused(o, out);
    print_replays(o, out);
    fputc('\n', out);
    print_problems(&status->problems, out);
}

void status_report_print_problems(const struct status *status, FILE *out)
{
    print_problems(&status->problems, out);
}

static json_t *created_json(const struct overview_created *created)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "total", count_json(created->total), "delivered",
                     count_json(created->delivered), "pending", count_json(created->pending),
                     "failed", count_json(created->failed));
}

static json_t *take_json(struct report *report)
{
    json_t *json = report_json(report);

    report_free(report);
    return json;
}

static json_t *problems_json(const struct status_problems *problems)
{
    json_t *array = json_array();

    for (size_t i = 0; i < problems->count; i++)
        json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", problems->list[i].name,
                                               "what", problems->list[i].what, "action",
                                               problems->list[i].action));
    return array;
}

/* The names of the counts that ended at their limit. */
static json_t *at_least_json(const struct overview *o)
{
    const struct {
        const char *name;
        struct overview_count count;
    } counts[] = {
        {"pending.due", o->due},
        {"pending.later", o->later},
        {"pending.retrying", o->retrying},
        {"created.last_minute", o->last_minute.total},
        {"created.last_hour", o->last_hour.total},
        {"dead_letters.total", o->dead},
        {"dead_letters.last_hour", o->dead_last_hour},
        {"dead_letters.last_minute", o->dead_last_minute},
        {"failed_attempts.last_hour", o->failures_last_hour},
        {"failed_attempts.last_minute", o->failures_last_minute},
        {"failing_endpoints", o->failing_endpoints},
    };
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        if (counts[i].count.is_more)
            json_array_append_new(array, json_string(counts[i].name));
    return array;
}

static json_t *pending_json(const struct overview *o)
{
    struct overview_count estimate = {estimate_pending(o), false};

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "estimate", count_json(estimate), "due",
                     count_json(o->due), "retrying", count_json(o->retrying), "later",
                     count_json(o->later), "oldest_due_ms",
                     o->oldest_due_ms >= 0 ? json_integer(o->oldest_due_ms) : json_null());
}

void status_report_print_error_json(const char *message, FILE *out)
{
    json_t *object = json_pack("{s:s}", "error", message);

    json_dumpf(object, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(object);
}

void status_report_print_json(const struct status *status, bool in_one_line, FILE *out)
{
    const struct overview *o = &status->overview;
    json_t *object =
        json_pack("{s:s, s:{s:i, s:i}, s:s, s:s, s:s}", "version", POSTRIDER_VERSION, "schema",
                  "database", status->database_version, "binary", status->binary_version, "time",
                  o->now, "database", o->database, "host", status->host);

    json_object_set_new(object, "workers", take_json(status_workers_report(o)));
    json_object_set_new(object, "lanes", status_lanes_json(o));
    json_object_set_new(object, "free_lanes",
                        count_json((struct overview_count){o->free_lanes, false}));
    json_object_set_new(object, "pending", pending_json(o));
    json_object_set_new(object, "created",
                        json_pack("{s:o, s:o}", "last_minute", created_json(&o->last_minute),
                                  "last_hour", created_json(&o->last_hour)));
    json_object_set_new(object, "dead_letters",
                        json_pack("{s:o, s:o, s:o}", "total", count_json(o->dead), "last_hour",
                                  count_json(o->dead_last_hour), "last_minute",
                                  count_json(o->dead_last_minute)));
    json_object_set_new(object, "failed_attempts",
                        json_pack("{s:o, s:o}", "last_hour", count_json(o->failures_last_hour),
                                  "last_minute", count_json(o->failures_last_minute)));
    json_object_set_new(object, "endpoints", take_json(endpoint_report(o)));
    json_object_set_new(object, "failing_endpoints", count_json(o->failing_endpoints));
    json_object_set_new(object, "disabled_endpoints",
                        count_json((struct overview_count){o->disabled_endpoints, false}));
    json_object_set_new(object, "paused_endpoints",
                        count_json((struct overview_count){o->paused_endpoints, false}));
    json_object_set_new(object, "blocked_keys", count_json(o->blocked_keys));
    json_object_set_new(object, "replays", replays_json(o));
    json_object_set_new(object, "alerts", o->has_alerts ? alerts_json(o) : json_null());
    json_object_set_new(object, "at_least", at_least_json(o));
    json_object_set_new(object, "problems", problems_json(&status->problems));
    if (!in_one_line) {
        report_print_json(object, out);
        return;
    }
    json_dumpf(object, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(object);
}
