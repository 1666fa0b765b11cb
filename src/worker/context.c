/* SPDX-License-Identifier: MIT */
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
