/*
 * config/values.h: one option's value, from a YAML node into struct config (render.h: and back).
 *
 * A wrong value is said with its place and with what is allowed, and leaves the field as it was.
 * Lists and mappings stand in config/lists.c. Numbers are read with the locale's decimal
 * point, and LC_NUMERIC is "C" in this program (command/command.c).
 */
#ifndef POSTRIDER_CONFIG_VALUES_H
#define POSTRIDER_CONFIG_VALUES_H

#include <stdbool.h>
#include <yaml.h>

#include "config/config.h"
#include "config/mistakes.h"
#include "config/options.h"

/* A file that is being read; arrays go by the option's place in the table. */
struct reading {
    struct config *config;
    struct mistakes *mistakes;
    yaml_document_t *document;
    struct place places[CONFIG_OPTIONS_MAX]; /* of the value; line 0: not in the file */
    bool is_wrong[CONFIG_OPTIONS_MAX];
};

/* False after adding at least one mistake. */
bool value_read(struct reading *reading, const struct config_option *option,
                const yaml_node_t *node) MUST_USE;

/* Frees what the option's field owns. */
void value_free(struct config *config, const struct config_option *option);

/* The option's field, which has the type that its kind says. */
void *value_field(struct config *config, const struct config_option *option);
const void *value_field_const(const struct config *config, const struct config_option *option);

/* Adds "WHAT; allowed: …" and returns false. */
bool value_refuse(struct reading *reading, const struct config_option *option, struct place place,
                  const char *format, ...) PRINTF_LIKE(4, 5);

/* A scalar that is a whole number (or a duration) within the option's range, as lists hold it. */
bool value_read_integer(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node, int64_t *ret_value) MUST_USE;

/* A scalar's text; NULL after a mistake. */
const char *value_read_text(struct reading *reading, const struct config_option *option,
                            const yaml_node_t *node) MUST_USE;

#endif
