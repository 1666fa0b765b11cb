/* SPDX-License-Identifier: MIT */
#include "config/tree.h"

#include <stdio.h>
#include <string.h>

#include "config/document.h"
#include "config/keys.h"
#include "config/values.h"

/* One mapping of the file: the top level or a section. */
struct level {
    const char *section; /* "" = the top level */
    const yaml_node_t *node;
};

static void read_option(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *key, const yaml_node_t *value)
{
    size_t i = option_index(option);

    if (reading->places[i].line > 0) {
        mistakes_add(reading->mistakes, document_place(key), option->key,
                     "a second time; the first is in line %zu, keep one", reading->places[i].line);
        return;
    }
    reading->places[i] = document_place(value);
    reading->config->is_set[i] = true;
    reading->is_wrong[i] = !value_read(reading, option, value);
}

static void read_level(struct reading *reading, const struct level *level);

/* A section without a value is one whose lines are all commented out. */
static void read_section(struct reading *reading, const char *section, const yaml_node_t *value)
{
    const struct level level = {section, value};
    struct buffer words;

    if (value->type == YAML_SCALAR_NODE && document_scalar_kind(value) == SCALAR_NULL)
        return;
    if (value->type == YAML_MAPPING_NODE) {
        read_level(reading, &level);
        return;
    }
    buffer_init(&words, 1024);
    key_append_names(section, &words);
    mistakes_add(reading->mistakes, document_place(value), section,
                 "a %s can't stand here; allowed: a mapping of %s",
                 value->type == YAML_SEQUENCE_NODE ? "list" : "single value",
                 words.length > 0 ? buffer_string(&words) : "nothing in this version");
    buffer_free(&words);
}

/* Repeated sections: of the pairs before, one has the same key. */
static const yaml_node_t *find_earlier(const struct reading *reading, const struct level *level,
                                       const yaml_node_pair_t *pair)
{
    const char *name = document_scalar_text(yaml_document_get_node(reading->document, pair->key));

    for (const yaml_node_pair_t *p = level->node->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *key = yaml_document_get_node(reading->document, p->key);
        const char *text = document_scalar_text(key);

        if (text != NULL && strcmp(text, name) == 0)
            return key;
    }
    return NULL;
}

static void read_known(struct reading *reading, const struct level *level,
                       const yaml_node_pair_t *pair, const char *full)
{
    const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(reading->document, pair->value);
    const struct config_option *option = option_find(full);
    const yaml_node_t *earlier;

    if (option != NULL) {
        read_option(reading, option, key, value);
        return;
    }
    earlier = find_earlier(reading, level, pair);
    if (earlier != NULL)
        mistakes_add(reading->mistakes, document_place(key), full,
                     "a second time; the first is in line %zu, put all its keys there",
                     document_place(earlier).line);
    read_section(reading, full, value);
}

/* The value is an alias, which has been refused: what it stands for began before its key. */
static bool is_alias(const yaml_node_t *key, const yaml_node_t *value)
{
    return value->start_mark.index < key->start_mark.index;
}

static void read_pair(struct reading *reading, const struct level *level,
                      const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
    const char *name = document_scalar_text(key);
    char full[KEY_SIZE];

    if (is_alias(key, yaml_document_get_node(reading->document, pair->value)))
        return;
    if (name == NULL) {
        mistakes_add(reading->mistakes, document_place(key),
                     *level->section != '\0' ? level->section : NULL,
                     "a key that is not plain text; write NAME: VALUE");
        return;
    }
    /* Cut when it is longer than any that is known. */
    snprintf(full, sizeof(full), "%s%s%s", level->section, *level->section != '\0' ? "." : "",
             name);
    if (strchr(name, '.') == NULL &&
        (option_find(full) != NULL || option_find_section(full) != NULL))
        read_known(reading, level, pair, full);
    else
        key_refuse_unknown(reading->mistakes, document_place(key), level->section, name, full);
}

static void read_level(struct reading *reading, const struct level *level)
{
    const yaml_node_pair_t *end = level->node->data.mapping.pairs.top;

    for (const yaml_node_pair_t *pair = level->node->data.mapping.pairs.start;
         pair < end && !reading->mistakes->is_cut; pair++)
        read_pair(reading, level, pair);
}

static void read_root(struct reading *reading)
{
    const yaml_node_t *root = yaml_document_get_root_node(reading->document);
    const struct level level = {"", root};
    struct buffer words;

    if (root == NULL ||
        (root->type == YAML_SCALAR_NODE && document_scalar_kind(root) == SCALAR_NULL))
        return; /* empty, or comments only: all defaults */
    if (root->type == YAML_MAPPING_NODE) {
        read_level(reading, &level);
        return;
    }
    buffer_init(&words, 1024);
    key_append_names("", &words);
    mistakes_add(reading->mistakes, document_place(root), NULL,
                 "the file is not a mapping; allowed: %s", buffer_string(&words));
    buffer_free(&words);
}

/* One of them may be a password. libyaml's own buffers are out of reach. */
static void wipe_scalars(const yaml_document_t *document)
{
    for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
}

void tree_read(struct reading *reading, const char *text, size_t length)
{
    yaml_document_t document;

    if (!document_parse(text, length, reading->mistakes, &document))
        return;
    reading->document = &document;
    read_root(reading);
    reading->document = NULL;
    wipe_scalars(&document);
    yaml_document_delete(&document);
}
