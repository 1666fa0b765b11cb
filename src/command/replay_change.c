/* SPDX-License-Identifier: MIT */
/* "replay stop" and "replay resume". */
#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "command/replay.h"
#include "command/report.h"

#define OPTIONS_HELP                                                       \
    "\n"                                                                   \
    "      --json              for programs: the replay, as in \"show\"\n" \
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n"

static const char stop_help[] =
    "usage: postrider replay stop [OPTION]... ID\n"
    "\n"
    "Stops a replay after the batch in progress. What is pending again by then is sent; the rest\n"
    "stays as it is, until \"postrider replay resume\".\n" OPTIONS_HELP;

static const char resume_help[] =
    "usage: postrider replay resume [OPTION]... ID\n"
    "\n"
    "Lets a replay that was stopped go on where it was, with few rows at first.\n" OPTIONS_HELP;

typedef bool replay_change(struct db_session *session, const char *id, bool *ret_is_changed,
                           struct error *error);

/* What it is already is no failure; what has ended can't be changed. */
static int report(const struct replay *replay, const char *verb, bool is_changed, bool json)
{
    struct error error = {0};
    char count[REPLAY_COUNT_SIZE];

    if (replay->finished_at != NULL && !is_changed) {
        error_set(&error, "replay %s has %s already", replay->id, replay_state(replay));
        error_hint(&error, "\"postrider replay show %s%s\" shows it", replay->id, hint_options());
        return command_fail(COMMAND_FAILED, &error);
    }
    if (json)
        report_print_json(replay_json(replay), stdout);
    else if (is_changed)
        printf("%s; %s done\n", verb, replay_count(replay, count));
    else
        printf("nothing to do: it is %s; %s done\n", replay_state(replay),
               replay_count(replay, count));
    return COMMAND_OK;
}

static int change(const struct database *database, const char *id, replay_change *apply,
                  const char *verb, bool json)
{
    struct replay_list list;
    struct error error = {0};
    bool is_changed;
    int status;

    if (!apply(database->session, id, &is_changed, &error))
        return database_fail(database, &error);
    status = replay_find(database, id, &list);
    if (status != COMMAND_OK)
        return status;
    status = report(&list.rows[0], verb, is_changed, json);
    replays_list_free(&list);
    return status;
}

static int run_change(const struct command *self, int argc, char **argv, replay_change *apply,
                      const char *verb)
{
    struct database database;
    const char *id;
    bool json = false;
    int status = replay_open(self, argc, argv, &json, &id, &database);

    if (status != ARGUMENTS_OK)
        return status;
    status = change(&database, id, apply, verb, json);
    database_close(&database);
    return status;
}

static int run_stop(const struct command *self, int argc, char **argv)
{
    return run_change(self, argc, argv, replays_stop, "stopped");
}

static int run_resume(const struct command *self, int argc, char **argv)
{
    return run_change(self, argc, argv, replays_resume, "resumed");
}

const struct command command_replay_stop = {
    .name = "replay stop",
    .summary = "stop a replay",
    .help = stop_help,
    .run = run_stop,
};

const struct command command_replay_resume = {
    .name = "replay resume",
    .summary = "let a replay go on that was stopped",
    .help = resume_help,
    .run = run_resume,
};
