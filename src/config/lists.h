/*
 * config/lists.h: the options that are lists or mappings. Called by config/values.c.
 *
 * Entries are checked one by one, so that each mistake has its own place, and repeated ones are
 * refused where repeating means nothing. A list replaces the whole list that was there.
 */
#ifndef POSTRIDER_CONFIG_LISTS_H
#define POSTRIDER_CONFIG_LISTS_H

#include <stdbool.h>
#include <yaml.h>

#include "config/values.h"

bool list_read(struct reading *reading, const struct config_option *option,
               const yaml_node_t *node) MUST_USE;
void list_append(const struct config *config, const struct config_option *option,
                 struct buffer *out);
void list_free(struct config *config, const struct config_option *option);

#endif
