/* SPDX-License-Identifier: MIT */
/*
 * command/waiting.h: waits until every transaction has ended that may not see what the command has
 * seen (db/older_transactions.h), and says on standard error which ones it waits for.
 */
#ifndef POSTRIDER_COMMAND_WAITING_H
#define POSTRIDER_COMMAND_WAITING_H

#include "base/error.h"
#include "command/database.h"

/*
 * To be called after the commit in question was seen, between interruption_begin() and
 * interruption_end(). True when all have ended, or when a signal came: interruption_name() tells.
 */
bool waiting_for_older(const struct database *database, struct error *error) MUST_USE;

#endif
