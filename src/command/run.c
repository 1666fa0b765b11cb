/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/log.h"
#include "command/arguments.h"
#include "command/command.h"
#include "worker/worker.h"

static const char help_text[] =
    "usage: postrider run [-c FILE]\n"
    "\n"
    "Delivers webhooks until it is stopped.\n"
    "\n"
    "  -c, --config FILE   the configuration (default " COMMAND_DEFAULT_CONFIG ")\n"
    "\n"
    "SIGTERM and SIGINT finish what is in flight (at most worker.drain_timeout), a second one "
    "stops at\n"
    "once. SIGHUP reads the configuration again. The log goes to standard error or the journal.\n"
    "Several workers on one database share its endpoints, and take over from one that has gone.\n";

/* The log is read elsewhere than in the directory that the worker was started in. */
static void make_hints_absolute(const char *file)
{
    char *path = realpath(file, NULL);

    if (path != NULL && strcmp(file, COMMAND_DEFAULT_CONFIG) != 0)
        hint_set_config(path);
    free(path);
}

static int run_run(const struct command *self, int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct config *config;

    if (status != ARGUMENTS_OK)
        return status;
    make_hints_absolute(arguments.config_file);
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    log_configure(config->log.level, config->log.format);
    return worker_run(config);
}

const struct command command_run = {
    .name = "run",
    .summary = "deliver webhooks until stopped",
    .help = help_text,
    .run = run_run,
};
