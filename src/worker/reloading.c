/* SPDX-License-Identifier: MIT */
#include "worker/reloading.h"

#include <string.h>

#include "base/log.h"
#include "config/load.h"
#include "worker/configuring.h"
#include "worker/sending.h"
#include "worker/supervision.h"

static void log_mistakes(const struct config *old, struct config_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        log_event(LOG_LEVEL_ERROR, "configuration", LOG_TEXT("mistake", mistakes->lines[i]));
    log_event(LOG_LEVEL_ERROR, "the configuration was not reloaded; the old one stays in force",
              LOG_TEXT("config", old->file), LOG_NUMBER("mistakes", (int64_t)mistakes->count));
}

/* What the links to the database were made of. */
static void log_restart_keys(const struct config *old, const struct config *new)
{
    const struct {
        const char *key, *old, *new;
    } texts[] = {{"database.url", old->database.url, new->database.url},
                 {"database.schema", old->database.schema, new->database.schema}};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (strcmp(texts[i].old, texts[i].new) != 0)
            log_event(LOG_LEVEL_WARNING,
                      "an option applies from the next start; until then the old value stays",
                      LOG_TEXT("option", texts[i].key));
}

/* False: the old one stays in force. */
static bool reload(struct worker *worker)
{
    struct config_mistakes mistakes;
    struct config *config = config_load(worker->config->file, &mistakes);
    struct error error;

    if (config == NULL) {
        log_mistakes(worker->config, &mistakes);
        config_mistakes_free(&mistakes);
        return false;
    }
    log_restart_keys(worker->config, config);
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
    if (!worker->is_reload_wanted || worker->phase != WORKER_RUNNING ||
        sending_is_replacing(worker))
        return;
    worker->is_reload_wanted = false;
    supervision_note_reloading();
    worker->meters.has_reload_failed = !reload(worker);
    supervision_note_ready(worker);
}
