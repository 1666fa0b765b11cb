/* SPDX-License-Identifier: MIT */
/*
 * hint.h: commands of Postrider that a message names, so that they can be pasted.
 *
 * A command that is pasted must read the configuration of the one that named it. So whoever names
 * one puts hint_options() behind it:
 *
 *     error_hint(error, "run \"postrider migrate%s\"", hint_options());
 *
 * scripts/check-hints finds those that don't. What comes from outside, as a role's name, goes
 * through hint_quoted(). One text for the whole process, set once by the command line.
 */
#ifndef POSTRIDER_BASE_HINT_H
#define POSTRIDER_BASE_HINT_H

#include "base/compiler.h"

/* The configuration that this process was started with; NULL when it is the default one. */
void hint_set_config(const char *file);

/* "" or " -c FILE", quoted for a shell. Valid until the next hint_set_config(). */
const char *hint_options(void);

/* One word of a shell: the text itself where no quotes are needed. The caller frees it. */
char *hint_quoted(const char *text) MUST_USE;

#endif
