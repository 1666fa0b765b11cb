/* SPDX-License-Identifier: MIT */
#include "service/reload.h"

#include <string.h>

#include "base/log.h"
#include "config/load.h"

struct config *reload_read(const struct config *in_force)
{
    struct config_mistakes mistakes;
    struct config *config = config_load(in_force->file, &mistakes);

    if (config != NULL)
        return config;
    for (size_t i = 0; i < mistakes.count; i++)
        log_event(LOG_LEVEL_ERROR, "configuration", LOG_TEXT("mistake", mistakes.lines[i]));
    log_event(LOG_LEVEL_ERROR, "the configuration was not reloaded; the old one stays in force",
              LOG_TEXT("config", in_force->file), LOG_NUMBER("mistakes", (int64_t)mistakes.count));
    config_mistakes_free(&mistakes);
    return NULL;
}

void reload_warn_of_kept(const struct reload_kept *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(kept[i].old, kept[i].new) != 0)
            log_event(LOG_LEVEL_WARNING,
                      "an option applies from the next start; until then the old value stays",
                      LOG_TEXT("option", kept[i].key));
}
