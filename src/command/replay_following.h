/* SPDX-License-Identifier: MIT */
/*
 * command/replay_following.h: asks for a replay and follows it until it has ended.
 *
 * While it follows, the command carries batches out itself, as workers do: whoever has the row's
 * lock is first. So a replay needs no worker, and it goes on in one when the command has ended.
 */
#ifndef POSTRIDER_COMMAND_REPLAY_FOLLOWING_H
#define POSTRIDER_COMMAND_REPLAY_FOLLOWING_H

#include "command/dead_report.h"

/* Makes the row; its id goes into the report. */
bool replay_ask(const struct database *database, const struct dead_letter_filter *filter,
                int64_t rate, struct dead_report *report, struct error *error) MUST_USE;

/* Until it has ended or the command is interrupted (*ret_is_done false). False with error, also
 * when somebody else has stopped it. */
bool replay_follow(const struct database *database, struct dead_report *report, bool *ret_is_done,
                   struct error *error) MUST_USE;

#endif
