/* SPDX-License-Identifier: MIT */
/*
 * terminal.h: text on a person's screen: how wide it is, and what may go there.
 *
 * Text from a database or a receiver can hold anything, also sequences that steer a terminal, so
 * all of it goes through terminal_clean() before it is printed for people. JSON output does not:
 * jansson escapes it. Widths count screen columns of UTF-8 text, not bytes.
 */
#ifndef POSTRIDER_COMMAND_TERMINAL_H
#define POSTRIDER_COMMAND_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/compiler.h"

/* Columns of the terminal that out writes to ($COLUMNS wins); 0 when it is none. */
size_t terminal_width(FILE *out);

/* A copy on one line: blanks for line ends and tabs, U+FFFD for what can't be printed. */
char *terminal_clean(const char *text) MUST_USE;

/* The screen columns of clean text. */
size_t terminal_columns(const char *text);

/* A copy of clean text that is at most width columns wide, with "…" for what is left out at its
 * end, or in its middle. */
char *terminal_cut(const char *text, size_t width, bool in_middle) MUST_USE;

/* Prints text, cleaned, with line ends between words where a terminal's line would be full; the
 * lines after the first begin with indent blanks, and the first is taken to be there already. */
void terminal_print_wrapped(const char *text, size_t indent, FILE *out);

#endif
