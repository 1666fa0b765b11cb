/* SPDX-License-Identifier: MIT */
/*
 * config/mistakes.h: what is wrong with a file, gathered while it is read.
 *
 * Kept with their places, handed over as lines in the file's order. At most CONFIG_MISTAKES_MAX
 * are kept; the last line then says that there are more. Lines hold no control characters, and
 * what the file says is cut where it is quoted, so a hostile file can't disturb a terminal.
 */
#ifndef POSTRIDER_CONFIG_MISTAKES_H
#define POSTRIDER_CONFIG_MISTAKES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define CONFIG_MISTAKES_MAX 100

/* What is wrong with a file, in its order, as it is handed over. */
struct config_mistakes {
    size_t count;
    char *lines[CONFIG_MISTAKES_MAX];
};

/* Counted from 1; line 0 is the file as a whole. */
struct place {
    size_t line;
    size_t column;
};

struct mistake {
    struct place place;
    char *text; /* all that follows "file:line:column: " */
};

struct mistakes {
    const char *file; /* not owned */
    size_t count;
    bool is_cut; /* there were more than are kept: a reader may stop */
    struct mistake items[CONFIG_MISTAKES_MAX - 1];
};

/* key may be NULL. */
void mistakes_add(struct mistakes *mistakes, struct place place, const char *key,
                  const char *format, ...) PRINTF_LIKE(4, 5);

/* Moves them into *ret_lines, sorted; mistakes is empty afterwards. */
void mistakes_move(struct mistakes *mistakes, struct config_mistakes *ret_lines);

void config_mistakes_free(struct config_mistakes *mistakes);

#endif
