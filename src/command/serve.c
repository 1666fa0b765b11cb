/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/log.h"
#include "command/arguments.h"
#include "command/command.h"
#include "config/load.h"

static const char help_text[] =
    "usage: postrider serve [-c FILE]\n"
    "\n"
    "Answers HTTP requests until it is stopped: POST /v1/events publishes events, the rest of\n"
    "/v1 shows and changes what there is. GET /v1/openapi.json says what there is to ask.\n"
    "\n"
    "  -c, --config FILE   the configuration (default " COMMAND_DEFAULT_CONFIG ")\n"
    "\n"
    "Its configuration is one of its own: it holds no keys, so signing.* and\n"
    "network.client_certificates must not be set, and its role in the database is one of its own\n"
    "(\"postrider migrate --grant-serve ROLE\"). \"postrider token new\" lets clients in.\n"
    "SIGTERM and SIGINT answer what was asked, a second one stops at once. SIGHUP reads the\n"
    "configuration again. The log goes to standard error or the journal.\n";

/* The log is read elsewhere than in the directory that it was started in. */
static void make_hints_absolute(const char *file)
{
    char *path = realpath(file, NULL);

    if (path != NULL && strcmp(file, COMMAND_DEFAULT_CONFIG) != 0)
        hint_set_config(path);
    free(path);
}

/* Who listens to strangers has no secrets to lose. */
static bool check_config(const struct config *config, struct error *error)
{
    const struct {
        const char *key, *value;
    } keys[] = {{"signing.secret_file", config->signing.secret_file},
                {"signing.key_file", config->signing.key_file},
                {"network.client_certificates", config->network.client_certificates}};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (keys[i].value[0] == '\0')
            continue;
        error_set(error, "%s: %s is set, but \"postrider serve\" is to hold no keys", config->file,
                  keys[i].key);
        return error_hint(error, "give it a configuration of its own, with -c");
    }
    if (config->http.listen[0] != '\0')
        return true;
    error_set(error, "%s: http.listen is empty", config->file);
    return error_hint(error, "name an address and a port, or unix:/PATH");
}

static int run_serve(const struct command *self, int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct error error = {0};
    struct config *config;

    if (status != ARGUMENTS_OK)
        return status;
    make_hints_absolute(arguments.config_file);
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    if (!check_config(config, &error)) {
        config_free(config);
        return command_fail(COMMAND_CONFIG, &error);
    }
    log_configure(config->log.level, config->log.format);
    return serve_run(config);
}

const struct command command_serve = {
    .name = "serve",
    .summary = "serve the HTTP API until stopped",
    .help = help_text,
    .run = run_serve,
};
