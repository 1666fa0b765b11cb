/* SPDX-License-Identifier: MIT */
#include "command/command.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "base/suggest.h"

/* clang-format off */
const struct command *const commands[] = {
    &command_run,
    &command_serve,
    &command_migrate,
    &command_check,
    &command_config,
    &command_healthcheck,
    &command_status,
    &command_top,
    &command_audit,
    &command_event,
    &command_endpoint,
    &command_deliveries,
    &command_attempts,
    &command_dead,
    &command_replay,
    &command_erase,
    &command_explain,
    &command_secret,
    &command_token,
    &command_send,
    &command_version,
    &command_help,
    NULL,
};
/* clang-format on */

const char *command_last_word(const struct command *command)
{
    const char *space = strrchr(command->name, ' ');

    return space == NULL ? command->name : space + 1;
}

const struct command *command_find(const struct command *const *table, const char *word)
{
    for (; *table != NULL; table++)
        if (strcmp(command_last_word(*table), word) == 0)
            return *table;
    return NULL;
}

int command_fail(int status, const struct error *error)
{
    fflush(stdout);
    fprintf(stderr, "postrider: %s\n", error->message);
    if (error->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", error->hint);
    return status;
}

int command_usage_error(const struct command *self, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "postrider%s%s: ", self != NULL ? " " : "", self != NULL ? self->name : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (self != NULL)
        fprintf(stderr, "hint: \"postrider %s --help\" shows how to use it\n", self->name);
    else
        fprintf(stderr, "hint: \"postrider help\" lists the commands\n");
    return COMMAND_USAGE;
}

int command_unknown(const struct command *group, const char *word)
{
    struct suggestion best = {NULL, 0};

    for (const struct command *const *c = group != NULL ? group->nested : commands; *c; c++)
        suggest_consider(&best, word, command_last_word(*c));
    if (best.word != NULL)
        return command_usage_error(group, "unknown command \"%s\"; did you mean \"%s\"?", word,
                                   best.word);
    return command_usage_error(group, "unknown command \"%s\"", word);
}

static bool is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

static bool is_version(const char *word)
{
    return strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0;
}

static int missing_nested(const struct command *group)
{
    char names[256] = "";
    size_t used = 0;

    for (const struct command *const *c = group->nested; *c != NULL && used < sizeof(names); c++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
                                 command_last_word(*c));
    return command_usage_error(group, "a command is missing: one of %s", names);
}

/* "-c" or "--config", also shortened, whose value is the next word. */
static bool is_config_option(const char *word)
{
    return strcmp(word, "-c") == 0 ||
           (strlen(word) > 2 && strncmp(word, "--config", strlen(word)) == 0);
}

/*
 * Where the word stands that names a command of the table; argc: nowhere. Options may stand before
 * it, and which of them take a value is not known before the command is. So a word behind an option
 * is the command if the table has it, and else a value, unless no word is left that fits better.
 */
static int find_word(const struct command *const *table, int argc, char **argv)
{
    int fallback = argc;

    for (int i = 1; i < argc; i++) {
        if (is_config_option(argv[i]))
            i++;
        else if (argv[i][0] == '-')
            continue;
        else if (command_find(table, argv[i]) != NULL || i == 1 || argv[i - 1][0] != '-')
            return i;
        else if (fallback == argc)
            fallback = i;
    }
    return fallback;
}

/* Puts the word that names a command of the table first and the options before it behind it; false:
 * there is no such word. */
static bool bring_word_forward(const struct command *const *table, int argc, char **argv)
{
    int found = find_word(table, argc, argv);
    char *word = argv[found];

    if (found == argc)
        return false;
    memmove(&argv[2], &argv[1], (size_t)(found - 1) * sizeof(*argv));
    argv[1] = word;
    return true;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

/* Descends from a group to the command that argv names, and runs it. */
static int dispatch(const struct command *command, int argc, char **argv)
{
    while (command->nested != NULL) {
        const struct command *next;
        bool has_word = bring_word_forward(command->nested, argc, argv);

        if (has_word ? strcmp(argv[1], "help") == 0 : asks_for_help(argc, argv)) {
            fputs(command->help, stdout);
            return COMMAND_OK;
        }
        if (!has_word)
            return missing_nested(command);
        next = command_find(command->nested, argv[1]);
        if (next == NULL)
            return command_unknown(command, argv[1]);
        command = next;
        argc--;
        argv++;
    }
    return command->run(command, argc, argv);
}

/*
 * Text is UTF-8 everywhere; under a C locale (as in a container, or a systemd unit) libsmartcols
 * would print it as hexadecimal. Numbers keep the C locale: they go to files and programs.
 */
static void choose_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* A full disk must not look like success: output is only complete when it has been written. */
static int finish_output(int status)
{
    struct error error;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    error_set(&error, "cannot write to standard output: %s", strerror(errno));
    return command_fail(status == COMMAND_OK ? COMMAND_FAILED : status, &error);
}

int command_main(int argc, char **argv)
{
    const struct command *command = NULL;
    struct error error = {0};

    if (!process_hide_memory(&error))
        return command_fail(COMMAND_FAILED, &error);
    choose_locale();
    if (argc > 1 && is_help(argv[1]))
        command = &command_help;
    else if (argc > 1 && is_version(argv[1]))
        command = &command_version;
    else if (bring_word_forward(commands, argc, argv))
        command = command_find(commands, argv[1]);
    else if (asks_for_help(argc, argv))
        return finish_output(command_help.run(&command_help, 1, argv));
    else
        return command_usage_error(NULL, "no command was given");
    if (command == NULL)
        return command_unknown(NULL, argv[1]);
    return finish_output(dispatch(command, argc - 1, argv + 1));
}
