/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "command/command.h"

static const char help_text[] = "usage: postrider help [COMMAND]\n"
                                "\n"
                                "Lists the commands, or shows how to use one of them.\n";

static void list_commands(void)
{
    puts("Postrider delivers webhooks from a PostgreSQL table.\n"
         "\n"
         "usage: postrider COMMAND [OPTION]...\n");
    for (const struct command *const *c = commands; *c != NULL; c++)
        printf("  %-12s %s\n", (*c)->name, (*c)->summary);
    puts("\n"
         "Every command takes -c, --config FILE (default " COMMAND_DEFAULT_CONFIG ")\n"
         "and --help. Options may stand before the command or behind it.\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.");
}

static int run_help(const struct command *self, int argc, char **argv)
{
    const struct command *command = NULL;

    (void)self;
    if (argc < 2 || argv[1][0] == '-') {
        list_commands();
        return COMMAND_OK;
    }
    for (int i = 1; i < argc; i++) {
        const struct command *const *table = command != NULL ? command->nested : commands;
        const struct command *found = table != NULL ? command_find(table, argv[i]) : NULL;

        if (found == NULL && table == NULL)
            return command_usage_error(command, "unexpected argument \"%s\"", argv[i]);
        if (found == NULL)
            return command_unknown(command, argv[i]);
        command = found;
    }
    fputs(command->help, stdout);
    return COMMAND_OK;
}

const struct command command_help = {
    .name = "help",
    .summary = "list the commands, or show how to use one",
    .help = help_text,
    .run = run_help,
};
