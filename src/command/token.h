/* SPDX-License-Identifier: MIT */
/*
 * command/token.h: the members of "postrider token".
 */
#ifndef POSTRIDER_COMMAND_TOKEN_H
#define POSTRIDER_COMMAND_TOKEN_H

#include "command/command.h"

extern const struct command command_token_new;
extern const struct command command_token_rotate;
extern const struct command command_token_list;
extern const struct command command_token_revoke;

#endif
