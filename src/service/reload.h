/* SPDX-License-Identifier: MIT */
/*
 * service/reload.h: reading the configuration again, and what the log says of it.
 */
#ifndef POSTRIDER_SERVICE_RELOAD_H
#define POSTRIDER_SERVICE_RELOAD_H

#include <stddef.h>

#include "config/config.h"

/* The file of the one in force, read again. NULL: it has mistakes, which have been logged, and the old one stays in
 * force. Belongs to the caller. */
struct config *reload_read(const struct config *in_force) MUST_USE;

/* What the process was started with and keeps: "database.url" and its values, old and new. */
struct reload_kept {
    const char *key, *old, *new;
};

/* A warning for each that has another value now. */
void reload_warn_of_kept(const struct reload_kept *kept, size_t count);

#endif
