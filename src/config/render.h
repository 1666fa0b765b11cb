/* SPDX-License-Identifier: MIT */
/*
 * config/render.h: one option's value as text. The inverse of config/values.h.
 */
#ifndef POSTRIDER_CONFIG_RENDER_H
#define POSTRIDER_CONFIG_RENDER_H

#include "base/buffer.h"
#include "config/config.h"
#include "config/options.h"

/*
 * Appends the value as YAML in one line, in the form of the table's default_text. Passwords and
 * the values of headers are masked.
 */
void render_value(const struct config *config, const struct config_option *option,
                  struct buffer *out);

/* Appends text in double quotes. */
void render_quoted(const char *text, struct buffer *out);

#endif
