/* SPDX-License-Identifier: MIT */
/*
 * config/document.h: from the bytes of a file to libyaml's document tree.
 *
 * Refuses what a configuration does not need and what would surprise: bytes that are no UTF-8,
 * control characters, several documents, anchors, aliases, tags, and nesting deeper than
 * DOCUMENT_DEPTH_MAX (which also keeps libyaml's scanner, quadratic in open brackets, from taking
 * minutes). A first pass over the events finds all of these with their places; only a text that
 * libyaml can read to its end becomes a tree.
 *
 * Plain scalars have the types of YAML 1.2's core schema (YAML 1.2.2, 10.3.2): yes, no and on are
 * texts. A quoted scalar is a text, whatever it looks like.
 */
#ifndef POSTRIDER_CONFIG_DOCUMENT_H
#define POSTRIDER_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "config/mistakes.h"

#define DOCUMENT_DEPTH_MAX 16

enum scalar_kind { SCALAR_NULL, SCALAR_BOOLEAN, SCALAR_INTEGER, SCALAR_NUMBER, SCALAR_TEXT };

/*
 * False when there is no tree; mistakes can have been added either way. A tree has to be freed
 * with yaml_document_delete(). Its root is NULL when the text is empty.
 */
bool document_parse(const char *text, size_t length, struct mistakes *mistakes,
                    yaml_document_t *ret_document) MUST_USE;

struct place document_place(const yaml_node_t *node);

/* What a scalar node is; node must be one. */
enum scalar_kind document_scalar_kind(const yaml_node_t *node);

/* The scalar's text, or NULL when node is no scalar or its text holds a NUL. */
const char *document_scalar_text(const yaml_node_t *node);

#endif
