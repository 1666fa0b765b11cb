/*
 * config/load.h: from a YAML file to a struct config.
 *
 * Reports every mistake in one go (unknown or duplicate key, wrong type, bad unit, out of range,
 * bad CIDR, file that can't be read …), each as "file:line:column: key: what is wrong; what is
 * allowed". Built on libyaml's document tree; aliases and more than CONFIG_FILE_MAX_BYTES are
 * refused. A secret_file with a relative path is looked for in $CREDENTIALS_DIRECTORY, then beside
 * the configuration file; its content is never shown.
 */
#ifndef POSTRIDER_CONFIG_LOAD_H
#define POSTRIDER_CONFIG_LOAD_H

#include <stddef.h>

#include "config/config.h"

#define CONFIG_FILE_MAX_BYTES ((size_t)1024 * 1024)
#define CONFIG_MISTAKES_MAX   100

/* What is wrong with a file, in its order. */
struct config_mistakes {
    size_t count;
    char *lines[CONFIG_MISTAKES_MAX];
};

/* NULL with at least one mistake; the caller frees both with the functions below and config_free().
 */
struct config *config_load(const char *file, struct config_mistakes *ret_mistakes) MUST_USE;

void config_mistakes_free(struct config_mistakes *mistakes);

/* A configuration of nothing but defaults. */
struct config *config_new_default(void) MUST_USE;

#endif
