/* SPDX-License-Identifier: MIT */
/*
 * command/replay.h: what the subcommands of "postrider replay" share: how a replay is shown.
 */
#ifndef POSTRIDER_COMMAND_REPLAY_H
#define POSTRIDER_COMMAND_REPLAY_H

#include <jansson.h>
#include <stdbool.h>

#include "command/arguments.h"
#include "command/database.h"
#include "db/replays.h"

extern const struct command command_replay_list;
extern const struct command command_replay_show;
extern const struct command command_replay_stop;
extern const struct command command_replay_resume;

/* "running", "stopped", "finished", "failed". */
const char *replay_state(const struct replay *replay);

/* It is a test or a doctor of an endpoint, and no dead letters are chosen by it. */
bool replay_is_check(const struct replay *replay);

/* Why rows were left as they are, behind a colon. */
const char *replay_skip_reason(const char *kind);

/* About how long it takes from now on; -1: nobody knows. */
int64_t replay_left_ms(const struct replay *replay);

/* "1200 of 5000"; "1200" when nobody has counted. */
#define REPLAY_COUNT_SIZE 64
const char *replay_count(const struct replay *replay, char text[REPLAY_COUNT_SIZE]);

/* An object with all of it; the caller's. */
json_t *replay_json(const struct replay *replay) MUST_USE;

/* For the commands with one ID: COMMAND_OK with one row in the list, or an exit status, with the
 * message said. */
int replay_find(const struct database *database, const char *id, struct replay_list *ret_list);

/* Reads the command line of a command with one ID, and opens the database. */
int replay_open(const struct command *self, int argc, char **argv, bool *json, const char **ret_id,
                struct database *ret_database);

#endif
