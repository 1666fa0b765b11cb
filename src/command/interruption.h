/* SPDX-License-Identifier: MIT */
/*
 * command/interruption.h: ends a command that changes rows between two of its transactions.
 *
 * From interruption_begin() on SIGINT, SIGTERM and SIGHUP do not end the process: the first one is
 * noted, and the statement that the session waits for is cancelled, so that the command can say
 * what is done and what is left. The second one ends the process as it would without this. A signal
 * that was ignored before, as by nohup, stays so. A standard output that is closed is an error of
 * writing then, instead of the end of the process.
 */
#ifndef POSTRIDER_COMMAND_INTERRUPTION_H
#define POSTRIDER_COMMAND_INTERRUPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "command/database.h"

void interruption_begin(const struct database *database);

/* Only the last of it. */
void interruption_bear_closed_output(void);

/* Before the database is closed. The signals stay noted. */
void interruption_end(void);

/* "SIGINT"; NULL while there was none. */
const char *interruption_name(void);

/* What a shell shows for a process that the signal has ended: 130, 143, 129. */
int interruption_status(void);

/* Whether the session's last error is nothing but the interruption. */
bool interruption_is_cause(const struct database *database);

/* Sleeps, at most until the signal. */
void interruption_sleep(int64_t us);

/* Writes out what was printed; false when standard output can't take it. */
bool interruption_flush(void) MUST_USE;

#endif
