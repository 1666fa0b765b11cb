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
    &command_migrate,
    &command_check,
    &command_config,
    &command_status,
    &command_audit,
    &command_dead,
    &command_explain,
    &command_secret,
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
    const char *what = word[0] == '-' ? "option" : "command";

    for (const struct command *const *c = group != NULL ? group->nested : commands; *c; c++)
        suggest_consider(&best, word, command_last_word(*c));
    if (best.word != NULL)
        return command_usage_error(group, "unknown %s \"%s\"; did you mean \"%s\"?", what, word,
                                   best.word);
    if (word[0] == '-')
        return command_usage_error(group, "unknown option \"%s\"; options go after the command",
                                   word);
    return command_usage_error(group, "unknown command \"%s\"", word);
}

static bool is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
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

/* Descends from a group to the command that argv names, and runs it. */
static int dispatch(const struct command *command, int argc, char **argv)
{
    while (command->nested != NULL) {
        const struct command *next;

        if (argc > 1 && (is_help(argv[1]) || strcmp(argv[1], "help") == 0)) {
            fputs(command->help, stdout);
            return COMMAND_OK;
        }
        if (argc < 2)
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
    if (argc < 2)
        return command_usage_error(NULL, "no command was given");
    if (is_help(argv[1]))
        command = &command_help;
    else if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)
        command = &command_version;
    else
        command = command_find(commands, argv[1]);
    if (command == NULL)
        return command_unknown(NULL, argv[1]);
    return finish_output(dispatch(command, argc - 1, argv + 1));
}
