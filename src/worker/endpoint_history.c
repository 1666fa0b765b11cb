/* SPDX-License-Identifier: MIT */
#include "worker/endpoint_history.h"

#include <stdlib.h>

#include "base/memory.h"

void endpoint_count(struct endpoints *endpoints, struct endpoint *endpoint,
                    const struct history_outcome *outcome)
{
    if (endpoint->history == NULL) {
        endpoint->history = memory_new(1, sizeof(*endpoint->history));
        TAILQ_INSERT_TAIL(&endpoints->counted, endpoint, in_counted);
    }
    history_count(endpoint->history, outcome);
}

/* All of them are added up here, once a period, so that an outcome is counted in one place. */
void endpoint_close_history(struct endpoints *endpoints, struct endpoint *endpoint)
{
    if (endpoint->history == NULL)
        return;
    history_add(&endpoints->history.all, endpoint->history);
    history_offer(&endpoints->history, endpoint->customer_id, endpoint->url, endpoint->history);
    TAILQ_REMOVE(&endpoints->counted, endpoint, in_counted);
    free(endpoint->history);
    endpoint->history = NULL;
}

void endpoints_take_history(struct endpoints *endpoints, struct history_period *ret_period)
{
    struct endpoint *endpoint;

    while ((endpoint = TAILQ_FIRST(&endpoints->counted)) != NULL)
        endpoint_close_history(endpoints, endpoint);
    *ret_period = endpoints->history;
    endpoints->history = (struct history_period){.left_out = 0};
}
