/* SPDX-License-Identifier: MIT */
/*
 * command/secret.h: the subcommands of "postrider secret".
 *
 * A new secret is shown once, on standard output and nothing else with it, so that it can go into a
 * file or a secret store; what to do with it is said on standard error.
 */
#ifndef POSTRIDER_COMMAND_SECRET_H
#define POSTRIDER_COMMAND_SECRET_H

#include "command/command.h"

extern const struct command command_secret_new;
extern const struct command command_secret_rotate;
extern const struct command command_secret_list;
extern const struct command command_secret_revoke;
extern const struct command command_secret_rekey;

#endif
