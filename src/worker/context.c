#include "worker/context.h"

#include <stdlib.h>

#include "base/log.h"

bool worker_is_connected(const struct worker *worker)
{
    return db_link_is_up(worker->reading) && db_link_is_up(worker->writing);
}

void worker_give_up(struct worker *worker, const char *message, const char *hint)
{
    log_event(LOG_LEVEL_ERROR, message, LOG_TEXT("hint", hint));
    worker->exit_status = EXIT_FAILURE;
    worker->phase = WORKER_DONE;
}

void worker_drop_waiting(struct worker *worker)
{
    struct delivery *delivery = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_WAITING]);
    bool keeps_owned = worker_is_connected(worker) && worker->phase != WORKER_DONE;

    while (delivery != NULL) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);

        if (!keeps_owned || !finder_owns(&worker->finding.finder, delivery->lane)) {
            endpoint_remove(&worker->endpoints, delivery, worker->now_us);
            delivery_drop(&worker->deliveries, delivery);
        }
        delivery = next;
    }
    for (struct endpoint *at = worker->endpoints.by_key; at != NULL; at = at->by_key.next)
        if (!keeps_owned || !finder_owns(&worker->finding.finder, at->backlog.lane))
            endpoint_forget_backlog(&worker->endpoints, at, worker->now_us);
}
