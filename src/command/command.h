/* SPDX-License-Identifier: MIT */
/*
 * command/command.h: the subcommands of postrider, one file each behind one table.
 *
 * Exit status: COMMAND_OK, COMMAND_FAILED (it was tried and failed), COMMAND_USAGE (the command
 * line is wrong), COMMAND_CONFIG (the configuration is wrong; systemd does not restart on it). A
 * command writes its result to standard output and everything else to standard error.
 */
#ifndef POSTRIDER_COMMAND_COMMAND_H
#define POSTRIDER_COMMAND_COMMAND_H

#include "base/error.h"
#include "config/config.h"

#define COMMAND_OK     0
#define COMMAND_FAILED 1
#define COMMAND_USAGE  2
#define COMMAND_CONFIG 78

#define COMMAND_DEFAULT_CONFIG "/etc/postrider/config.yaml"

struct command {
    const char *name;    /* as typed after "postrider": "status", "dead list" */
    const char *summary; /* one line for "postrider help" */
    const char *help;    /* all of "postrider NAME --help"; begins with "usage: " */
    /* argv[0] is the last word of the command's name. */
    int (*run)(const struct command *self, int argc, char **argv);
    /* A group ("dead") has these instead of run; NULL ends them. */
    const struct command *const *nested;
};

extern const struct command command_run;
extern const struct command command_serve;
extern const struct command command_migrate;
extern const struct command command_check;
extern const struct command command_config;
extern const struct command command_healthcheck;
extern const struct command command_status;
extern const struct command command_top;
extern const struct command command_audit;
extern const struct command command_event;
extern const struct command command_deliveries;
extern const struct command command_attempts;
extern const struct command command_endpoint;
extern const struct command command_dead;
extern const struct command command_replay;
extern const struct command command_erase;
extern const struct command command_explain;
extern const struct command command_send;
extern const struct command command_secret;
extern const struct command command_token;
extern const struct command command_version;
extern const struct command command_help;

/* In the order of "postrider help"; NULL ends it. In command.c: add your command there. */
extern const struct command *const commands[];

/* main() of the program. */
int command_main(int argc, char **argv);

/* The command with this last word in a NULL-terminated table, or NULL. */
const struct command *command_find(const struct command *const *table, const char *word);

/* "dead list" → "list" */
const char *command_last_word(const struct command *command);

/* An unknown command: says so, with the nearest one that exists; returns COMMAND_USAGE. */
int command_unknown(const struct command *group, const char *word);

/* "postrider: message" and "hint: …" on standard error; returns status. */
int command_fail(int status, const struct error *error);

/* Prints a usage mistake and where to look; returns COMMAND_USAGE. */
int command_usage_error(const struct command *self, const char *format, ...) PRINTF_LIKE(2, 3);

/* Loads the configuration (configuration.c) or prints every mistake in it and returns NULL: exit
 * COMMAND_CONFIG. */
struct config *command_load_config(const char *file);

#endif
