/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/buffer.h"
#include "command/arguments.h"
#include "command/command.h"
#include "config/load.h"
#include "config/show.h"

static const char show_help[] =
    "usage: postrider config show [--json]\n"
    "\n"
    "Prints every option with the value that is in effect, and whether it stands in the file.\n"
    "Passwords, secrets and the values of headers are never shown.\n"
    "\n"
    "      --json          for programs: file, config, set (keys in the file), secrets, keys\n"
    "  -c, --config FILE   default " COMMAND_DEFAULT_CONFIG "\n";

static const char reference_help[] =
    "usage: postrider config reference\n"
    "\n"
    "Prints every option with its default and what it may be, as a Markdown table.\n";

static const char help_text[] =
    "usage: postrider config show|reference [OPTION]...\n"
    "\n"
    "  postrider config show         the configuration that is in effect\n"
    "  postrider config reference    every option that there is\n"
    "\n"
    "\"postrider check\" finds what is wrong with a configuration.\n";

static int print(struct buffer *text)
{
    fputs(buffer_string(text), stdout);
    buffer_free(text);
    return COMMAND_OK;
}

static int run_show(const struct command *self, int argc, char **argv)
{
    bool json = false;
    const struct argument options[] = {{.name = "json", .flag = &json}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct config *config;
    struct buffer text;

    if (status != ARGUMENTS_OK)
        return status;
    config = command_load_config(arguments.config_file);
    if (config == NULL)
        return COMMAND_CONFIG;
    buffer_init(&text, SHOW_MAX_BYTES);
    if (json)
        show_append_json(config, &text);
    else
        show_append_yaml(config, &text);
    config_free(config);
    return print(&text);
}

static int run_reference(const struct command *self, int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = arguments_parse(self, argc, argv, &arguments);
    struct buffer text;

    if (status != ARGUMENTS_OK)
        return status;
    buffer_init(&text, SHOW_MAX_BYTES);
    show_append_reference(&text);
    return print(&text);
}

static const struct command command_config_show = {
    .name = "config show",
    .summary = "show the configuration that is in effect",
    .help = show_help,
    .run = run_show,
};

static const struct command command_config_reference = {
    .name = "config reference",
    .summary = "list every option",
    .help = reference_help,
    .run = run_reference,
};

static const struct command *const nested[] = {
    &command_config_show,
    &command_config_reference,
    NULL,
};

const struct command command_config = {
    .name = "config",
    .summary = "show the configuration that is in effect",
    .help = help_text,
    .nested = nested,
};
