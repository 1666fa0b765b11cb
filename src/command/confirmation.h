/* SPDX-License-Identifier: MIT */
/*
 * command/confirmation.h: asks on the terminal before something is done.
 *
 * The question goes to standard error, so that standard output stays the result's. Only "y" and
 * "yes" are a yes, and where nobody can be asked there is none: a script says --yes.
 */
#ifndef POSTRIDER_COMMAND_CONFIRMATION_H
#define POSTRIDER_COMMAND_CONFIRMATION_H

#include <stdbool.h>

/* Whether there is a terminal to ask on. */
bool confirmation_can_ask(void);

/* "Make 12 deliveries?" */
bool confirmation_ask(const char *question);

#endif
