/* SPDX-License-Identifier: MIT */
/*
 * config/scalars.h: a YAML scalar as a value: text, choice, boolean, number, duration or size.
 *
 * Called by config/values.c for options that have one value, and by config/lists.c for entries.
 * Numbers are read with the locale's decimal point, and LC_NUMERIC is "C" in this program
 * (command/command.c). What reads returns false, or NULL, after adding at least one mistake.
 */
#ifndef POSTRIDER_CONFIG_SCALARS_H
#define POSTRIDER_CONFIG_SCALARS_H

#include <stdbool.h>
#include <yaml.h>

#include "config/reading.h"

/* Into the option's field, which has one value. */
bool scalar_read(struct reading *reading, const struct config_option *option,
                 const yaml_node_t *node) MUST_USE;

/* Frees what that field owns. */
void scalar_free(struct config *config, const struct config_option *option);

/* A whole number (or a duration) within the option's range, as lists hold it. */
bool scalar_read_integer(struct reading *reading, const struct config_option *option,
                         const yaml_node_t *node, int64_t *ret_value) MUST_USE;

/* The text belongs to the document. */
const char *scalar_read_text(struct reading *reading, const struct config_option *option,
                             const yaml_node_t *node) MUST_USE;

#endif
