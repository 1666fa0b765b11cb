/* SPDX-License-Identifier: MIT */
/*
 * config/reading.h: a file that is being read into a struct config.
 *
 * Whoever reads a part of it (a value, a list, a file that it names) is given the reading, and says
 * through it what is wrong. A wrong value leaves its field as it was. Nothing here reads anything.
 */
#ifndef POSTRIDER_CONFIG_READING_H
#define POSTRIDER_CONFIG_READING_H

#include <stdbool.h>
#include <yaml.h>

#include "config/config.h"
#include "config/mistakes.h"
#include "config/options.h"

/* Borrows all that it points to; arrays go by the option's place in the table. */
struct reading {
    struct config *config;
    struct mistakes *mistakes;
    yaml_document_t *document;
    struct place places[CONFIG_OPTIONS_MAX]; /* of the value; line 0: not in the file */
    bool is_wrong[CONFIG_OPTIONS_MAX];
};

/* Adds "WHAT; allowed: …" and returns false. */
bool reading_refuse(struct reading *reading, const struct config_option *option, struct place place,
                    const char *format, ...) PRINTF_LIKE(4, 5);

#endif
