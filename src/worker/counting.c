/* SPDX-License-Identifier: MIT */
#include "worker/counting.h"

#include "core/position.h"
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

    endpoint_count(&worker->endpoints, delivery->endpoint, &outcome);
}
