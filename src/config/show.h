/* SPDX-License-Identifier: MIT */
/*
 * config/show.h: a configuration as people and programs read it, and the table as Markdown.
 *
 * Everything comes from the table of options. Never a secret: passwords in URLs and the values of
 * headers are masked, of signing secrets only their number is told.
 */
#ifndef POSTRIDER_CONFIG_SHOW_H
#define POSTRIDER_CONFIG_SHOW_H

#include "base/buffer.h"
#include "config/config.h"

#define SHOW_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* YAML with a comment behind each value that says where it comes from. */
void show_append_yaml(const struct config *config, struct buffer *out);

/*
 * One JSON object: "file", "config" (nested as in the file; durations and sizes as texts), "set"
 * (the keys that stood in the file) and "secrets" (their number).
 */
void show_append_json(const struct config *config, struct buffer *out);

/* The reference in docs/configuration.md: one row for each option. */
void show_append_reference(struct buffer *out);

#endif
