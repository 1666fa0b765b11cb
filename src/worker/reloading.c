/* SPDX-License-Identifier: MIT */
#include "worker/reloading.h"

#include "base/log.h"
#include "config/load.h"
#include "service/reload.h"
#include "worker/configuring.h"
#include "worker/sending.h"
#include "worker/supervision.h"

/* False: the old one stays in force. */
static bool reload(struct worker *worker)
{
    struct config *config = reload_read(worker->config);
    struct error error;

    if (config == NULL)
        return false;
    /* What the links to the database were made of. */
    const struct reload_kept kept[] = {
        {"database.url", worker->config->database.url, config->database.url},
        {"database.schema", worker->config->database.schema, config->database.schema}};

    reload_warn_of_kept(kept, ARRAY_LENGTH(kept));
    if (!sending_replace_engine(worker, config, &error)) {
        log_event(LOG_LEVEL_ERROR, "the configuration was not reloaded; the old one stays in force",
                  LOG_TEXT("error", error.message));
        config_free(config);
        return false;
    }
    /* The old one belongs to the retired engine, which is freed when its requests have ended. */
    configuring_apply(worker, config);
    log_event(LOG_LEVEL_INFO, "configuration reloaded", LOG_TEXT("config", config->file));
    return true;
}

void reloading_step(struct worker *worker)
{
    /* One at a time: the engine of the configuration before must have finished its requests. */
    if (!worker->loop.is_reload_wanted || worker->phase != WORKER_RUNNING ||
        sending_is_replacing(worker))
        return;
    worker->loop.is_reload_wanted = false;
    supervision_note_reloading();
    worker->meters.has_reload_failed = !reload(worker);
    supervision_note_ready(worker);
}
