/* SPDX-License-Identifier: MIT */
#include "command/status_workers.h"

#include <stdio.h>

#include "base/units.h"

enum worker_column {
    OF_OWNER,
    OF_HOST,
    OF_PID,
    OF_VERSION,
    OF_LANES,
    OF_RATE,
    OF_IN_FLIGHT,
    OF_WAITING,
    OF_UNWRITTEN,
    OF_DUE,
    OF_UP,
    OF_SEEN,
    OF_LEAVING,
    OF_LEASE,
    OF_DELIVERED,
    OF_RETRIED,
    OF_FAILED,
    OF_PROBLEMS,
};

static const struct report_column worker_columns[] = {
    [OF_OWNER] = {.key = "owner", .title = "WORKER", .cut = REPORT_CUT_END},
    [OF_HOST] = {.key = "host"},
    [OF_PID] = {.key = "pid"},
    [OF_VERSION] = {.key = "version"},
    [OF_LANES] = {.key = "lanes", .title = "LANES", .is_number = true},
    [OF_RATE] = {.key = "rate", .title = "PER S", .is_number = true},
    [OF_IN_FLIGHT] = {.key = "in_flight", .title = "IN FLIGHT", .is_number = true},
    [OF_WAITING] = {.key = "waiting",
                    .title = "READ AHEAD",
                    .is_number = true,
                    .is_optional = true},
    [OF_UNWRITTEN] = {.key = "unwritten"},
    [OF_DUE] = {.key = "oldest_due_ms",
                .title = "OLDEST DUE",
                .is_number = true,
                .is_optional = true},
    [OF_UP] = {.key = "up_ms", .title = "RUNS FOR", .is_number = true},
    [OF_SEEN] = {.key = "seen_ms", .title = "SEEN"},
    [OF_LEAVING] = {.key = "is_leaving"},
    [OF_LEASE] = {.key = "lease_ms"},
    [OF_DELIVERED] = {.key = "delivered"},
    [OF_RETRIED] = {.key = "retried"},
    [OF_FAILED] = {.key = "failed"},
    [OF_PROBLEMS] = {.key = "problems"},
};

/* What is negative is not known. */
static void set_known(struct report *report, size_t column, int64_t number)
{
    if (number >= 0)
        report_set_number(report, column, number);
}

static void set_about(struct report *report, size_t column, int64_t ms)
{
    char about[UNITS_TEXT_SIZE];

    if (ms >= 0)
        report_set(report, column, units_format_about_ms(ms, about), json_integer(ms));
}

static void set_seen(struct report *report, const struct worker_record *worker)
{
    bool is_expired = worker->lease_ms < 0;
    char about[UNITS_TEXT_SIZE];
    char text[64];

    units_format_about_ms(is_expired ? -worker->lease_ms : worker->seen_ms, about);
    snprintf(text, sizeof(text), is_expired ? "expired %s ago" : "%s ago", about);
    if (!is_expired && worker->seen_ms < 0)
        text[0] = '\0';
    report_set(report, OF_SEEN, !is_expired && worker->is_leaving ? "leaving" : text,
               worker->seen_ms >= 0 ? json_integer(worker->seen_ms) : json_null());
}

static void add_worker(struct report *report, const struct worker_record *worker)
{
    char text[32];

    report_add_row(report);
    report_set_text(report, OF_OWNER, worker->owner);
    report_set_number(report, OF_LANES, worker->lanes);
    report_set(report, OF_LEASE, "", json_integer(worker->lease_ms));
    set_seen(report, worker);
    set_about(report, OF_DUE, worker->oldest_due_ms);
    if (worker->host == NULL)
        return;
    report_set_text(report, OF_HOST, worker->host);
    report_set_number(report, OF_PID, worker->pid);
    report_set_text(report, OF_VERSION, worker->version);
    report_set(report, OF_LEAVING, "", json_boolean(worker->is_leaving));
    snprintf(text, sizeof(text), worker->rate < 10 ? "%.1f" : "%.0f", worker->rate);
    if (worker->lease_ms < 0)
        text[0] = '\0';
    report_set(report, OF_RATE, text, json_real(worker->rate));
    set_about(report, OF_UP, worker->up_ms);
    set_known(report, OF_IN_FLIGHT, worker->in_flight);
    set_known(report, OF_WAITING, worker->waiting);
    set_known(report, OF_UNWRITTEN, worker->unwritten);
    set_known(report, OF_DELIVERED, worker->delivered);
    set_known(report, OF_RETRIED, worker->retried);
    set_known(report, OF_FAILED, worker->failed);
    /* As they are: programs are shown what this version does not know, too. */
    report_set(report, OF_PROBLEMS, "", json_loads(worker->problems, 0, NULL));
}

struct report *status_workers_report(const struct overview *o)
{
    struct report *report = report_new(worker_columns, ARRAY_LENGTH(worker_columns));

    for (size_t i = 0; i < o->worker_count; i++)
        add_worker(report, &o->workers[i]);
    return report;
}

json_t *status_lanes_json(const struct overview *o)
{
    json_t *array = json_array();

    for (size_t i = 0; i < o->lane_count; i++) {
        const struct lane_record *lane = &o->lanes[i];

        json_array_append_new(
            array, json_pack("{s:I, s:s?, s:b, s:o}", "lane", (json_int_t)lane->lane, "owner",
                             lane->owner, "is_free", (int)lane->is_free, "oldest_due_ms",
                             lane->due_ms >= 0 ? json_integer(lane->due_ms) : json_null()));
    }
    return array;
}
