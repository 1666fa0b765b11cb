/* SPDX-License-Identifier: MIT */
/*
 * config/keys.h: what is said about a key that does not exist.
 *
 * The nearest name of the same section, else the section that has this name, else all names that
 * could stand here.
 */
#ifndef POSTRIDER_CONFIG_KEYS_H
#define POSTRIDER_CONFIG_KEYS_H

#include "base/buffer.h"
#include "config/mistakes.h"

#define KEY_SIZE 128 /* longer than any key of the table, with its NUL */

/* name as it stands in section ("" = the top level), key as it is shown. */
void key_refuse_unknown(struct mistakes *mistakes, struct place place, const char *section,
                        const char *name, const char *key);

/* Appends "url, schema"; for "" the sections and the options of the top level. */
void key_append_names(const char *section, struct buffer *out);

#endif
