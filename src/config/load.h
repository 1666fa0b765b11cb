/* SPDX-License-Identifier: MIT */
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
#include "config/mistakes.h"

#define CONFIG_FILE_MAX_BYTES ((size_t)1024 * 1024)

/*
 * NULL with at least one mistake. The caller frees both, with config_free() and
 * config_mistakes_free().
 */
struct config *config_load(const char *file, struct config_mistakes *ret_mistakes) MUST_USE;

/* A configuration of nothing but defaults. */
struct config *config_new_default(void) MUST_USE;

/* Wipes the secrets. NULL is fine. */
void config_free(struct config *config);

#endif
