/* SPDX-License-Identifier: MIT */
#include "command/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

#define COMMON_OPTIONS 2 /* config, help */

/* The tables that getopt_long reads; a long option's value is its index + LONG_BASE. */
#define LONG_BASE 256

struct getopt_tables {
    struct option longs[ARGUMENTS_OPTIONS_MAX + COMMON_OPTIONS + 1];
    char shorts[2 * (ARGUMENTS_OPTIONS_MAX + COMMON_OPTIONS) + 2];
};

static void add_option(struct getopt_tables *tables, size_t index, const char *name, char letter,
                       bool takes_value, int value)
{
    size_t used = strlen(tables->shorts);

    tables->longs[index] =
        (struct option){name, takes_value ? required_argument : no_argument, NULL, value};
    if (letter == 0)
        return;
    tables->shorts[used++] = letter;
    if (takes_value)
        tables->shorts[used] = ':';
}

static void fill_tables(struct getopt_tables *tables, const struct argument *options)
{
    size_t count = 0;

    *tables = (struct getopt_tables){.shorts = ":"}; /* ':' first: tell a missing value apart */
    for (; options != NULL && options[count].name != NULL; count++) {
        if (count == ARGUMENTS_OPTIONS_MAX)
            bug("more than %d options", ARGUMENTS_OPTIONS_MAX);
        add_option(tables, count, options[count].name, options[count].letter,
                   options[count].flag == NULL, LONG_BASE + (int)count);
    }
    add_option(tables, count, "config", 'c', true, 'c');
    add_option(tables, count + 1, "help", 'h', false, 'h');
}

static const struct argument *find_option(const struct argument *options, int value)
{
    if (value >= LONG_BASE)
        return &options[value - LONG_BASE];
    while (options->letter != value)
        options++;
    return options;
}

static int unknown_option(const struct command *self, const struct getopt_tables *tables,
                          const char *typed)
{
    struct suggestion best = {NULL, 0};
    size_t matches = 0;
    size_t length = strcspn(typed + 2, "=");

    if (optopt != 0 && optopt < LONG_BASE && typed[1] != '-')
        return command_usage_error(self, "unknown option -%c", optopt);
    if (optopt != 0)
        return command_usage_error(self, "option %.*s takes no value", (int)length + 2, typed);
    for (const struct option *o = tables->longs; o->name != NULL; o++) {
        matches += strncmp(o->name, typed + 2, length) == 0;
        suggest_consider(&best, typed + 2, o->name);
    }
    if (matches > 1)
        return command_usage_error(self, "option %s could be more than one", typed);
    if (best.word != NULL)
        return command_usage_error(self, "unknown option %s; did you mean --%s?", typed, best.word);
    return command_usage_error(self, "unknown option %s", typed);
}

static int store_integer(const struct command *self, const struct argument *option,
                         const char *value)
{
    struct error error;
    int64_t number;

    if (!units_parse_integer(value, &number, &error))
        return command_usage_error(self, "--%s: %s", option->name, error.message);
    if (number < option->minimum || number > option->maximum)
        return command_usage_error(self, "--%s: %lld is not between %lld and %lld", option->name,
                                   (long long)number, (long long)option->minimum,
                                   (long long)option->maximum);
    *option->integer = number;
    return ARGUMENTS_OK;
}

static int store_duration(const struct command *self, const struct argument *option,
                          const char *value)
{
    struct error error;
    int64_t ms;

    if (!units_parse_duration_ms(value, &ms, &error))
        return command_usage_error(self, "--%s: %s", option->name, error.message);
    if (ms < option->minimum) {
        char text[UNITS_TEXT_SIZE];

        return command_usage_error(self, "--%s: must be at least %s", option->name,
                                   units_format_duration_ms(option->minimum, text));
    }
    *option->duration_ms = ms;
    return ARGUMENTS_OK;
}

static int store_option(const struct command *self, const struct argument *option,
                        const char *value)
{
    if (option->flag != NULL)
        *option->flag = true;
    else if (option->text != NULL)
        *option->text = value;
    else if (option->integer != NULL)
        return store_integer(self, option, value);
    else if (option->duration_ms != NULL)
        return store_duration(self, option, value);
    else if (option->uuid != NULL) {
        if (!text_is_uuid(value))
            return command_usage_error(self, "--%s: \"%s\" is not a UUID", option->name, value);
        *option->uuid = value;
    } else if (option->list != NULL) {
        if (option->list->count == ARGUMENT_LIST_MAX)
            return command_usage_error(self, "--%s: given more than %d times", option->name,
                                       ARGUMENT_LIST_MAX);
        option->list->values[option->list->count++] = value;
    }
    return ARGUMENTS_OK;
}

static int check_values(const struct command *self, const struct arguments *arguments)
{
    if (arguments->count > arguments->values_max)
        return command_usage_error(self, "unexpected argument \"%s\"",
                                   arguments->values[arguments->values_max]);
    if (arguments->count < arguments->values_min)
        return command_usage_error(self, "%s is missing", arguments->values_name);
    return ARGUMENTS_OK;
}

static int parse_options(const struct command *self, int argc, char **argv,
                         const struct getopt_tables *tables, struct arguments *arguments)
{
    int status = ARGUMENTS_OK;

    opterr = 0;
    optind = 0; /* glibc: start afresh */
    while (status == ARGUMENTS_OK) {
        int value = getopt_long(argc, argv, tables->shorts, tables->longs, NULL);

        if (value == -1)
            return ARGUMENTS_OK;
        if (value == 'h') {
            fputs(self->help, stdout);
            return COMMAND_OK;
        }
        if (value == '?')
            status = unknown_option(self, tables, argv[optind - 1]);
        else if (value == ':')
            status = command_usage_error(self, "option %s needs a value", argv[optind - 1]);
        else if (value == 'c')
            arguments->config_file = optarg;
        else
            status = store_option(self, find_option(arguments->options, value), optarg);
    }
    return status;
}

int arguments_parse(const struct command *self, int argc, char **argv, struct arguments *arguments)
{
    struct getopt_tables tables;
    bool is_default;
    int status;

    fill_tables(&tables, arguments->options);
    arguments->config_file = COMMAND_DEFAULT_CONFIG;
    status = parse_options(self, argc, argv, &tables, arguments);
    if (status != ARGUMENTS_OK)
        return status;
    is_default = strcmp(arguments->config_file, COMMAND_DEFAULT_CONFIG) == 0;
    hint_set_config(is_default ? NULL : arguments->config_file);
    arguments->count = argc - optind;
    arguments->values = argv + optind;
    return check_values(self, arguments);
}
