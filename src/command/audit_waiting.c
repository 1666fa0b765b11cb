/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/units.h"
#include "command/audit.h"
#include "command/delivery_report.h"
#include "explain/explanation.h"

static struct audit_reason reason(const char *state, char *why)
{
    return (struct audit_reason){state, strcmp(state, "stuck") == 0, why};
}

/* An attempt that is younger than this shows that the endpoint's deliveries move. */
static int64_t recent_ms(const struct config *config, const struct audit_waiting *waiting,
                         int64_t grace_ms)
{
    double rate = waiting->rate_limit >= 0 ? waiting->rate_limit : config->endpoint.rate_limit;

    return grace_ms + config->delivery.timeout_ms + (rate > 0 ? (int64_t)(2000 / rate) : 0);
}

/* A worker has it, and does not say that it holds it back: many wait, or it only probes. */
static struct audit_reason explain_due(const struct config *config,
                                       const struct audit_waiting *waiting, int64_t grace_ms,
                                       const struct explanation *explanation)
{
    char ago[UNITS_TEXT_SIZE];
    char time[DELIVERY_TIME_SIZE];

    if (waiting->failing_since != NULL)
        return reason("held", memory_format("its endpoint does nothing but fail since %s: one "
                                            "delivery at a time is tried",
                                            delivery_time(waiting->failing_since, time)));
    if (waiting->is_overtaken)
        return reason("stuck", memory_copy_string("passed over: deliveries to its endpoint that "
                                                  "were due later are finished"));
    if (waiting->attempt_ms_ago >= 0 &&
        waiting->attempt_ms_ago < recent_ms(config, waiting, grace_ms))
        return reason("busy", memory_format("more is enqueued than its endpoint takes: the last "
                                            "attempt was %s ago",
                                            units_format_about_ms(waiting->attempt_ms_ago, ago)));
    return reason("stuck", memory_copy_string(buffer_string(&explanation->summary)));
}

/* What a worker will not do by itself. */
static bool is_meant(const char *state)
{
    static const char *const meant[] = {"held", "paused", "ordered", "order_blocked"};

    for (size_t i = 0; i < ARRAY_LENGTH(meant); i++)
        if (strcmp(state, meant[i]) == 0)
            return true;
    return false;
}

/* The first of its key, which nothing keeps, and nobody makes due: unless somebody is about to. */
static struct audit_reason explain_missed(const struct delivery_record *record)
{
    return reason("stuck", memory_format("the first of the ordering key \"%s\" is not due, and no "
                                         "worker is going to make it due: UPDATE "
                                         "webhook_deliveries SET next_retry_at = now() WHERE id = "
                                         "'%s';",
                                         record->ordering_key, record->id));
}

static struct audit_reason explain_record(const struct config *config,
                                          const struct delivery_record *record,
                                          const struct audit_waiting *waiting, int64_t grace_ms)
{
    struct retry_policy policy = config->retry;
    struct explanation explanation;
    struct audit_reason result;

    if (strcmp(record->status, "pending") != 0 ||
        (record->due_in_ms > -grace_ms && !waiting->is_ordered))
        return reason("moving", memory_copy_string("the oldest one was attempted just now"));
    retry_policy_override(&policy, &record->endpoint.retry);
    explanation_make(record, config, &policy, &explanation);
    if (strcmp(explanation.state, "due") == 0)
        result = explain_due(config, waiting, grace_ms, &explanation);
    else if (waiting->is_ordered && strcmp(explanation.state, "parked") == 0)
        result = explain_missed(record);
    else if (is_meant(explanation.state))
        result = reason(explanation.state, memory_copy_string(buffer_string(&explanation.summary)));
    else
        result = reason("stuck", memory_copy_string(buffer_string(&explanation.summary)));
    explanation_free(&explanation);
    return result;
}

bool audit_waiting_explain(const struct database *database, const struct audit_waiting *waiting,
                           int64_t grace_ms, struct audit_reason *ret_reason, struct error *error)
{
    struct delivery_record record = {0};
    bool found;

    if (waiting->is_parked) {
        *ret_reason = reason("parked", memory_copy_string("next_retry_at is infinity: somebody has "
                                                          "put them off by hand"));
        return true;
    }
    if (!delivery_record_read(database->session, waiting->oldest_id, &record, &found, error))
        return false;
    if (found)
        *ret_reason = explain_record(database->config, &record, waiting, grace_ms);
    else
        *ret_reason = reason("moving", memory_copy_string("the oldest one was deleted just now"));
    delivery_record_free(&record);
    return true;
}
