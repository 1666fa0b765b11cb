/* SPDX-License-Identifier: MIT */
#include "worker/counting.h"

#include "base/compiler.h"
#include "core/position.h"
#include "http/request.h"
#include "worker/endpoint_history.h"

static int64_t first_delay_us(const struct worker *worker, const struct delivery *delivery)
{
    int64_t due_us, delay_us;

    if (delivery->attempts > 0 || worker->clock_us == WORKER_NO_CLOCK)
        return -1;
    due_us = position_time_us(delivery->due_at);
    if (due_us == INT64_MIN)
        return -1;
    delay_us = delivery->started_us + worker->clock_us - due_us;
    return delay_us > 0 ? delay_us : 0;
}

void counting_outcome(struct worker *worker, const struct delivery *delivery)
{
    struct history_outcome outcome = {
        .kind = delivery->outcome.kind,
        .was_sent = delivery->outcome.counts_attempt,
        .status = delivery->response_status,
        .duration_us = delivery->finished_us - delivery->started_us,
        .first_delay_us = first_delay_us(worker, delivery),
    };

    if (outcome.was_sent && outcome.first_delay_us >= 0)
        meter_note(&worker->meters.first_attempt_delay, outcome.first_delay_us);
    endpoint_count(&worker->endpoints, delivery->endpoint, &outcome);
}

/* Those of a connection are 0 on one that was kept. */
static void count_phases(struct meters *meters, const struct http_timings *timings)
{
    const struct {
        enum phase_meter phase;
        int64_t at_us;
    } ends[] = {{PHASE_LOOKUP, timings->dns_us},
                {PHASE_CONNECT, timings->connect_us},
                {PHASE_TLS, timings->tls_us},
                {PHASE_FIRST_BYTE, timings->first_byte_us}};
    int64_t before_us = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        if (ends[i].at_us <= 0)
            continue;
        meter_note(&meters->phases[ends[i].phase], ends[i].at_us - before_us);
        before_us = ends[i].at_us;
    }
    meter_note(&meters->phases[PHASE_TOTAL], timings->total_us);
}

void counting_attempt(struct worker *worker, const struct http_response *response)
{
    struct meters *meters = &worker->meters;
    enum history_status status = history_status(response->status);

    if (response->result == ATTEMPT_UNSENDABLE)
        return;
    if (response->result == ATTEMPT_ANSWERED && status != HISTORY_NONE)
        meters->answers[status]++;
    else
        meters->failures[response->result]++;
    count_phases(meters, &response->timings);
}
