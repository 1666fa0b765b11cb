/* SPDX-License-Identifier: MIT */
#include "config/scalars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/units.h"
#include "config/document.h"

#define SHOWN_BYTES      64
#define SHOWN_SIZE       (SHOWN_BYTES + 8)
#define KIND_BIT(scalar) (1u << (scalar))

static const char duration_form[] = " (250ms, 10s, 5m, 4h, 7d)";
static const char size_form[] = " (512, 64KiB, 1MiB, 2GiB)";

/*
 * The text for a message: cut, quoted unless it looks like a number, or only mentioned when it may
 * be a password.
 */
static const char *shown(const struct config_option *option, const char *text,
                         char buffer[SHOWN_SIZE])
{
    const char *quote = *text != '\0' && strchr("0123456789+-.", *text) != NULL ? "" : "\"";

    if (option->is_private)
        return "the value";
    snprintf(buffer, SHOWN_SIZE, "%s%.*s%s%s", quote, SHOWN_BYTES, text,
             strlen(text) > SHOWN_BYTES ? "…" : "", quote);
    return buffer;
}

/* What a value of the option's kind, or an entry of its list, is called. */
static const char *kind_noun(enum option_kind kind)
{
    switch (kind) {
    case OPTION_BOOLEAN:
        return "a boolean";
    case OPTION_INTEGER:
    case OPTION_STATUSES:
        return "a whole number";
    case OPTION_NUMBER:
        return "a number";
    case OPTION_DURATION:
    case OPTION_SCHEDULE:
        return "a duration";
    case OPTION_SIZE:
        return "a size";
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_HEADERS:
    case OPTION_RANGES:
    case OPTION_NAMES:
        break;
    }
    return "text";
}

static bool refuse_kind(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node, enum scalar_kind kind)
{
    const char *text = document_scalar_text(node);
    struct place place = document_place(node);
    char quoted[SHOWN_SIZE];

    if (kind == SCALAR_NULL)
        return reading_refuse(reading, option, place, "it has no value");
    if (kind == SCALAR_TEXT && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return reading_refuse(reading, option, place, "%s in quotes is text and not %s",
                              shown(option, text, quoted), kind_noun(option->kind));
    if (strcmp(kind_noun(option->kind), "text") == 0)
        return reading_refuse(reading, option, place, "%s is %s and not text unless it is quoted",
                              shown(option, text, quoted),
                              kind == SCALAR_BOOLEAN ? "a boolean" : "a number");
    return reading_refuse(reading, option, place, "%s is not %s", shown(option, text, quoted),
                          kind_noun(option->kind));
}

/* The scalar's text when it is of one of the kinds in the set of KIND_BITs; else NULL. */
static const char *read_scalar(struct reading *reading, const struct config_option *option,
                               const yaml_node_t *node, unsigned kinds)
{
    struct place place = document_place(node);
    enum scalar_kind kind;

    if (node->type != YAML_SCALAR_NODE) {
        reading_refuse(reading, option, place, "%s can't stand here",
                       node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping");
        return NULL;
    }
    if (document_scalar_text(node) == NULL) {
        reading_refuse(reading, option, place, "it holds a NUL character");
        return NULL;
    }
    kind = document_scalar_kind(node);
    if ((kinds & KIND_BIT(kind)) == 0) {
        refuse_kind(reading, option, node, kind);
        return NULL;
    }
    return document_scalar_text(node);
}

const char *scalar_read_text(struct reading *reading, const struct config_option *option,
                             const yaml_node_t *node)
{
    return read_scalar(reading, option, node, KIND_BIT(SCALAR_TEXT));
}

static bool has_control_character(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static bool read_text(struct reading *reading, const struct config_option *option,
                      const yaml_node_t *node)
{
    const char *text = scalar_read_text(reading, option, node);
    struct place place = document_place(node);
    char **field = option_field(reading->config, option);
    char quoted[SHOWN_SIZE];
    struct error error;

    if (text == NULL)
        return false;
    if (has_control_character(text))
        return reading_refuse(reading, option, place, "it holds a control character");
    if ((int64_t)strlen(text) > option->maximum)
        return reading_refuse(reading, option, place, "it has %zu bytes, more than %lld",
                              strlen(text), (long long)option->maximum);
    if ((int64_t)strlen(text) < option->minimum)
        return reading_refuse(reading, option, place, "it is empty");
    if (*text != '\0' && option->check != NULL && !option->check(text, &error))
        return reading_refuse(reading, option, place, "%s %s", shown(option, text, quoted),
                              error.message);
    free(*field);
    *field = memory_copy_string(text);
    return true;
}

static bool read_choice(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node)
{
    const char *text = scalar_read_text(reading, option, node);
    char quoted[SHOWN_SIZE];

    if (text == NULL)
        return false;
    for (int i = 0; option->choices[i] != NULL; i++)
        if (strcmp(text, option->choices[i]) == 0) {
            *(int *)option_field(reading->config, option) = i;
            return true;
        }
    return reading_refuse(reading, option, document_place(node), "%s is not one of its values",
                          shown(option, text, quoted));
}

static bool read_boolean(struct reading *reading, const struct config_option *option,
                         const yaml_node_t *node)
{
    const char *text = read_scalar(reading, option, node, KIND_BIT(SCALAR_BOOLEAN));

    if (text == NULL)
        return false;
    *(bool *)option_field(reading->config, option) = *text == 't' || *text == 'T';
    return true;
}

static bool is_prefixed_number(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'o');
}

/* A scalar that YAML takes for an integer; decimal digits that are too many for an int64_t become
 * the largest or smallest one, which no range includes. */
static bool parse_integer(const char *text, int64_t *ret_value)
{
    struct error ignored;

    if (is_prefixed_number(text))
        return false;
    if (*text == '+')
        text++;
    if (!units_parse_integer(text, ret_value, &ignored))
        *ret_value = *text == '-' ? INT64_MIN : INT64_MAX;
    return true;
}

static bool is_unit_kind(enum option_kind kind)
{
    return kind == OPTION_DURATION || kind == OPTION_SCHEDULE || kind == OPTION_SIZE;
}

/* "250" is taken for a text or a number by YAML; the unit decides. */
static bool read_quantity(struct reading *reading, const struct config_option *option,
                          const yaml_node_t *node, const char **ret_text, int64_t *ret_value)
{
    const char *text =
        read_scalar(reading, option, node,
                    KIND_BIT(SCALAR_TEXT) | KIND_BIT(SCALAR_INTEGER) | KIND_BIT(SCALAR_NUMBER));
    bool is_size = option->kind == OPTION_SIZE;
    char quoted[SHOWN_SIZE];
    struct error ignored;

    if (text == NULL)
        return false;
    *ret_text = text;
    if (is_size ? units_parse_size_bytes(text, ret_value, &ignored)
                : units_parse_duration_ms(text, ret_value, &ignored))
        return true;
    return reading_refuse(reading, option, document_place(node), "%s is not %s%s",
                          shown(option, text, quoted), kind_noun(option->kind),
                          is_size ? size_form : duration_form);
}

static bool read_plain_integer(struct reading *reading, const struct config_option *option,
                               const yaml_node_t *node, const char **ret_text, int64_t *ret_value)
{
    const char *text = read_scalar(reading, option, node, KIND_BIT(SCALAR_INTEGER));
    char quoted[SHOWN_SIZE];

    if (text == NULL)
        return false;
    *ret_text = text;
    if (parse_integer(text, ret_value))
        return true;
    return reading_refuse(reading, option, document_place(node), "%s is not a decimal number",
                          shown(option, text, quoted));
}

bool scalar_read_integer(struct reading *reading, const struct config_option *option,
                         const yaml_node_t *node, int64_t *ret_value)
{
    const char *text = "";
    int64_t value = 0;
    char quoted[SHOWN_SIZE];

    if (is_unit_kind(option->kind) ? !read_quantity(reading, option, node, &text, &value)
                                   : !read_plain_integer(reading, option, node, &text, &value))
        return false;
    if (value < option->minimum || value > option->maximum)
        return reading_refuse(reading, option, document_place(node), "%s is too %s",
                              shown(option, text, quoted),
                              value < option->minimum ? "small" : "large");
    *ret_value = value;
    return true;
}

static bool read_integer(struct reading *reading, const struct config_option *option,
                         const yaml_node_t *node)
{
    void *field = option_field(reading->config, option);
    int64_t value = 0;

    if (!scalar_read_integer(reading, option, node, &value))
        return false;
    if (option->size == sizeof(int))
        *(int *)field = (int)value;
    else
        *(int64_t *)field = value;
    return true;
}

static bool read_number(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node)
{
    const char *text =
        read_scalar(reading, option, node, KIND_BIT(SCALAR_INTEGER) | KIND_BIT(SCALAR_NUMBER));
    char quoted[SHOWN_SIZE];
    char *end;
    double value;

    if (text == NULL)
        return false;
    value = strtod(text, &end);
    if (is_prefixed_number(text) || *end != '\0') /* 0x10, .inf and .nan */
        return reading_refuse(reading, option, document_place(node), "%s is not a decimal number",
                              shown(option, text, quoted));
    if (!(value >= (double)option->minimum && value <= (double)option->maximum))
        return reading_refuse(reading, option, document_place(node), "%s is too %s",
                              shown(option, text, quoted),
                              value < (double)option->minimum ? "small" : "large");
    *(double *)option_field(reading->config, option) = value;
    return true;
}

bool scalar_read(struct reading *reading, const struct config_option *option,
                 const yaml_node_t *node)
{
    switch (option->kind) {
    case OPTION_TEXT:
        return read_text(reading, option, node);
    case OPTION_CHOICE:
        return read_choice(reading, option, node);
    case OPTION_BOOLEAN:
        return read_boolean(reading, option, node);
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return read_integer(reading, option, node);
    case OPTION_NUMBER:
        return read_number(reading, option, node);
    case OPTION_HEADERS:
    case OPTION_RANGES:
    case OPTION_NAMES:
    case OPTION_STATUSES:
    case OPTION_SCHEDULE:
        break;
    }
    bug("the option %s has no single value", option->key);
}

void scalar_free(struct config *config, const struct config_option *option)
{
    if (option->kind == OPTION_TEXT)
        memory_free_secret(*(char **)option_field(config, option));
}
