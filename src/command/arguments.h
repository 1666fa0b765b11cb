/* SPDX-License-Identifier: MIT */
/*
 * arguments.h: the command line of one command, on getopt_long.
 *
 * Every command has -c/--config FILE and -h/--help besides its own options. Options and positional
 * values may be mixed, "--" ends the options, long names may be shortened while they are
 * unambiguous. A mistake is said in one line that names the option, with a hint. The configuration
 * goes into hint_options(), so commands that messages name from then on read the same one.
 *
 *     bool json = false;
 *     int64_t limit = 50;
 *     const struct argument options[] = {
 *         {.name = "json", .flag = &json},
 *         {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = 1000},
 *         {0}};
 *     struct arguments arguments = {.options = options, .values_name = "ID", .values_max = 1};
 *     int status = arguments_parse(self, argc, argv, &arguments);
 *     if (status != ARGUMENTS_OK)
 *         return status;
 */
#ifndef POSTRIDER_COMMAND_ARGUMENTS_H
#define POSTRIDER_COMMAND_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/command.h"

#define ARGUMENTS_OK          (-1)
#define ARGUMENTS_OPTIONS_MAX 32
#define ARGUMENT_LIST_MAX     64

/* An option that may be given more than once. */
struct argument_list {
    size_t count;
    const char *values[ARGUMENT_LIST_MAX];
};

/* One option; exactly one of the pointers is set and says what it takes. name NULL ends a table. */
struct argument {
    const char *name; /* the long form, without the dashes */
    char letter;      /* the short form, 0 = none */
    bool *flag;       /* takes no value */
    const char **text;
    const char **uuid;
    int64_t *integer;     /* from minimum to maximum */
    int64_t *duration_ms; /* "2h", at least minimum ms */
    struct argument_list *list;
    int64_t minimum;
    int64_t maximum;
};

struct arguments {
    /* Set by the caller. */
    const struct argument *options; /* NULL = only the common ones */
    const char *values_name;        /* what a positional value is, for messages: "URL", "ID" */
    int values_min;
    int values_max;
    /* Set by arguments_parse(). */
    const char *config_file; /* never NULL */
    int count;
    char **values; /* the positional values */
};

/* ARGUMENTS_OK, or the exit status to end with: the mistake or the help has been printed. */
int arguments_parse(const struct command *self, int argc, char **argv,
                    struct arguments *arguments) MUST_USE;

#endif
