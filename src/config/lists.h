/* SPDX-License-Identifier: MIT */
/*
 * config/lists.h: the options that are lists or mappings, made of scalars
 * (config/scalars.h). Called by config/values.c.
 *
 * Entries are checked one by one, so that each mistake has its own place, and repeated ones are
 * refused where repeating means nothing. A list replaces the whole list that was there.
 */
#ifndef POSTRIDER_CONFIG_LISTS_H
#define POSTRIDER_CONFIG_LISTS_H

#include <stdbool.h>
#include <yaml.h>

#include "config/reading.h"

/* False after adding at least one mistake. */
bool list_read(struct reading *reading, const struct config_option *option,
               const yaml_node_t *node) MUST_USE;

/* Frees what the option's field owns. */
void list_free(struct config *config, const struct config_option *option);

#endif
