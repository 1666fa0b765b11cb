/* SPDX-License-Identifier: MIT */
#include "config/show.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "config/render.h"

#define COMMENT_COLUMN 44

static bool begins_section(const struct config_option *option)
{
    size_t length = option_section_length(option);

    return option == option_table || length != option_section_length(option - 1) ||
           strncmp(option->key, option[-1].key, length) != 0;
}

static void append_origin(const struct config *config, const struct config_option *option,
                          const char *value, struct buffer *out)
{
    bool is_default = strcmp(value, option->default_text) == 0;

    if (config->is_set[option_index(option)])
        buffer_append_format(out, is_default ? "# set to its default" : "# set, default %s",
                             option->default_text);
    else if (is_default)
        buffer_append_string(out, "# default");
    else /* rules.c: delivery.connect_timeout */
        buffer_append_format(out, "# default %s, limited by another option", option->default_text);
    if (strcmp(option->key, "signing.secret_file") == 0 && config->signing.secrets.count > 0)
        buffer_append_format(out, ", %zu secret%s", config->signing.secrets.count,
                             config->signing.secrets.count > 1 ? "s" : "");
    if (strcmp(option->key, "signing.key_file") == 0 && config->signing.keys.count > 0)
        buffer_append_format(out, ", %zu key%s", config->signing.keys.count,
                             config->signing.keys.count > 1 ? "s" : "");
}

static void append_yaml_option(const struct config *config, const struct config_option *option,
                               struct buffer *out)
{
    size_t section_length = option_section_length(option);
    size_t start;
    struct buffer value;

    buffer_init(&value, SHOW_MAX_BYTES);
    render_value(config, option, &value);
    if (section_length > 0 && begins_section(option))
        buffer_append_format(out, "%.*s:\n", (int)section_length, option->key);
    start = out->length;
    buffer_append_format(out, "%s%s: %s ", section_length > 0 ? "  " : "", option_name(option),
                         buffer_string(&value));
    while (out->length - start < COMMENT_COLUMN && buffer_append(out, " ", 1))
        continue;
    append_origin(config, option, buffer_string(&value), out);
    buffer_append(out, "\n", 1);
    buffer_free(&value);
}

void show_append_yaml(const struct config *config, struct buffer *out)
{
    for (size_t i = 0; i < option_count; i++)
        append_yaml_option(config, &option_table[i], out);
}

static json_t *schedule_json(const struct config *config, const struct config_option *option)
{
    json_t *list = json_array();
    struct buffer delay;

    buffer_init(&delay, 64);
    for (int i = 0; i < config->retry.schedule_length; i++) {
        buffer_clear(&delay);
        option_append_limit(option, config->retry.schedule_ms[i], &delay);
        json_array_append_new(list, json_string(buffer_string(&delay)));
    }
    buffer_free(&delay);
    return list;
}

/* What has no units is written as YAML in a form that is JSON too. */
static json_t *value_json(const struct config *config, const struct config_option *option)
{
    struct buffer text;
    json_t *value;

    if (option->kind == OPTION_SCHEDULE)
        return schedule_json(config, option);
    buffer_init(&text, SHOW_MAX_BYTES);
    render_value(config, option, &text);
    if (option->kind == OPTION_DURATION || option->kind == OPTION_SIZE ||
        option->kind == OPTION_CHOICE)
        value = json_string(buffer_string(&text));
    else
        value = json_loads(buffer_string(&text), JSON_DECODE_ANY, NULL);
    if (value == NULL)
        bug("%s is not JSON: %s", option->key, buffer_string(&text));
    buffer_free(&text);
    return value;
}

/* The object of the option's section, made when it is not there yet. */
static json_t *section_json(json_t *root, const struct config_option *option)
{
    size_t length = option_section_length(option);
    json_t *section;
    char name[64];

    if (length == 0)
        return root;
    snprintf(name, sizeof(name), "%.*s", (int)length, option->key);
    section = json_object_get(root, name);
    if (section == NULL) {
        section = json_object();
        json_object_set_new(root, name, section);
    }
    return section;
}

void show_append_json(const struct config *config, struct buffer *out)
{
    json_t *values = json_object();
    json_t *set = json_array();
    json_t *all;
    json_t *file;
    char *text;

    for (size_t i = 0; i < option_count; i++) {
        json_object_set_new(section_json(values, &option_table[i]), option_name(&option_table[i]),
                            value_json(config, &option_table[i]));
        if (config->is_set[i])
            json_array_append_new(set, json_string(option_table[i].key));
    }
    all = json_object();
    file = json_string(config->file);
    json_object_set_new(all, "file", file != NULL ? file : json_null()); /* no UTF-8 */
    json_object_set_new(all, "config", values);
    json_object_set_new(all, "set", set);
    json_object_set_new(all, "secrets", json_integer((json_int_t)config->signing.secrets.count));
    json_object_set_new(all, "keys", json_integer((json_int_t)config->signing.keys.count));
    text = json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    buffer_append_string(out, text);
    buffer_append(out, "\n", 1);
    free(text);
    json_decref(all);
}

void show_append_reference(struct buffer *out)
{
    buffer_append_string(out, "| key | default | what it may be | what it is |\n"
                              "|---|---|---|---|\n");
    for (size_t i = 0; i < option_count; i++) {
        buffer_append_format(out, "| `%s` | `%s` | ", option_table[i].key,
                             option_table[i].default_text);
        option_append_allowed(&option_table[i], out);
        buffer_append_format(out, " | %s |\n", option_table[i].description);
    }
}
