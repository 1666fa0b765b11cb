/* SPDX-License-Identifier: MIT */
/*
 * config/values.h: one option's value, from a YAML node into struct config (render.h: and back).
 *
 * A wrong value is said with its place and with what is allowed, and leaves the field as it was.
 * Which of the two reads it is decided here: config/scalars.c has what is a single value, and
 * config/lists.c what is a list or a mapping, made of scalars.
 */
#ifndef POSTRIDER_CONFIG_VALUES_H
#define POSTRIDER_CONFIG_VALUES_H

#include <stdbool.h>
#include <yaml.h>

#include "config/reading.h"

/* False after adding at least one mistake. */
bool value_read(struct reading *reading, const struct config_option *option,
                const yaml_node_t *node) MUST_USE;

/* Frees what the option's field owns. */
void value_free(struct config *config, const struct config_option *option);

#endif
