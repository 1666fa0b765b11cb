/* SPDX-License-Identifier: MIT */
/*
 * command/event.h: the subcommands of "postrider event".
 */
#ifndef POSTRIDER_COMMAND_EVENT_H
#define POSTRIDER_COMMAND_EVENT_H

#include "command/command.h"

extern const struct command command_event_publish;
extern const struct command command_event_list;
extern const struct command command_event_show;
extern const struct command command_event_trace;
extern const struct command command_event_backfill;

#endif
