/* SPDX-License-Identifier: MIT */
/*
 * moment_option.h: an option whose value is a point in time, as in --since 2h.
 */
#ifndef POSTRIDER_COMMAND_MOMENT_OPTION_H
#define POSTRIDER_COMMAND_MOMENT_OPTION_H

#include "command/command.h"
#include "command/database.h"
#include "db/moment.h"

/*
 * Resolves *text, when it is not NULL, into moment, and points it there. COMMAND_OK, or an exit
 * status with the message said.
 */
int moment_option(const struct command *self, const struct database *database, const char *option,
                  const char **text, char moment[MOMENT_SIZE]) MUST_USE;

#endif
