/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/hint.h"
#include "command/command.h"
#include "config/load.h"

struct config *command_load_config(const char *file)
{
    struct config_mistakes mistakes = {0};
    struct config *config = config_load(file, &mistakes);

    if (config == NULL) {
        fflush(stdout);
        for (size_t i = 0; i < mistakes.count; i++)
            fprintf(stderr, "postrider: %s\n", mistakes.lines[i]);
        fprintf(stderr,
                "hint: \"postrider check%s\" checks it again; "
                "\"postrider config reference\" lists every key\n",
                hint_options());
    }
    config_mistakes_free(&mistakes);
    return config;
}
