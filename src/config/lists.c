/* SPDX-License-Identifier: MIT */
#include "config/lists.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/document.h"
#include "config/scalars.h"
#include "core/header.h"

/* The entries of a sequence node; 0 after a mistake, or when there are none. */
static bool read_sequence(struct reading *reading, const struct config_option *option,
                          const yaml_node_t *node, size_t *ret_count)
{
    size_t count;

    if (node->type != YAML_SEQUENCE_NODE) {
        bool is_null = node->type == YAML_SCALAR_NODE && document_scalar_kind(node) == SCALAR_NULL;

        return reading_refuse(reading, option, document_place(node), "%s",
                              is_null ? "it has no value (write [] for none)"
                              : node->type == YAML_SCALAR_NODE ? "a single value is not a list"
                                                               : "a mapping is not a list");
    }
    count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > option->entries_max)
        return reading_refuse(reading, option, document_place(node), "it has %zu entries", count);
    *ret_count = count;
    return true;
}

static const yaml_node_t *entry(struct reading *reading, const yaml_node_t *node, size_t i)
{
    return yaml_document_get_node(reading->document, node->data.sequence.items.start[i]);
}

static bool refuse_repeated(struct reading *reading, const struct config_option *option,
                            const yaml_node_t *node)
{
    mistakes_add(reading->mistakes, document_place(node), option->key,
                 "%.64s is in the list twice; keep one", document_scalar_text(node));
    return false;
}

static bool read_status(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node, struct retry_policy *policy)
{
    int64_t value;

    if (!scalar_read_integer(reading, option, node, &value))
        return false;
    if (value == 410)
        return reading_refuse(reading, option, document_place(node),
                              "410 (Gone) always disables the endpoint");
    for (int i = 0; i < policy->statuses_length; i++)
        if (policy->statuses[i] == value)
            return refuse_repeated(reading, option, node);
    policy->statuses[policy->statuses_length++] = (int)value;
    return true;
}

static bool read_statuses(struct reading *reading, const struct config_option *option,
                          const yaml_node_t *node)
{
    struct retry_policy read = {0};
    struct retry_policy *policy = &reading->config->retry;
    size_t count = 0;
    bool ok = true;

    if (!read_sequence(reading, option, node, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        ok &= read_status(reading, option, entry(reading, node, i), &read);
    if (ok) {
        memcpy(policy->statuses, read.statuses, sizeof(read.statuses));
        policy->statuses_length = read.statuses_length;
    }
    return ok;
}

/* Equal delays one after another are as good as any. */
static bool read_schedule(struct reading *reading, const struct config_option *option,
                          const yaml_node_t *node)
{
    int64_t delays_ms[RETRY_SCHEDULE_MAX] = {0};
    struct retry_policy *policy = &reading->config->retry;
    size_t count = 0;
    bool ok = true;

    if (!read_sequence(reading, option, node, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        ok &= scalar_read_integer(reading, option, entry(reading, node, i), &delays_ms[i]);
    if (ok) {
        memcpy(policy->schedule_ms, delays_ms, sizeof(delays_ms));
        policy->schedule_length = (int)count;
    }
    return ok;
}

/* "message; hint" of a parser that says both, its hint as a sentence. */
static bool refuse_entry(struct reading *reading, const struct config_option *option,
                         struct place place, struct error *error)
{
    size_t length = strlen(error->hint);

    if (length > 0 && error->hint[length - 1] == '.')
        length--;
    error->hint[0] = (char)tolower((unsigned char)error->hint[0]);
    mistakes_add(reading->mistakes, place, option->key, "%s%s%.*s", error->message,
                 length > 0 ? "; " : "", (int)length, error->hint);
    return false;
}

static bool is_same_range(const struct address_range *a, const struct address_range *b)
{
    return a->prefix_bits == b->prefix_bits && a->port == b->port &&
           a->address.is_ipv6 == b->address.is_ipv6 &&
           memcmp(a->address.bytes, b->address.bytes, a->address.is_ipv6 ? 16 : 4) == 0;
}

static bool read_range(struct reading *reading, const struct config_option *option,
                       const yaml_node_t *node, struct address_range *ranges, size_t *count)
{
    const char *text = scalar_read_text(reading, option, node);
    struct error error;

    if (text == NULL)
        return false;
    if (!address_range_parse(text, &ranges[*count], &error))
        return refuse_entry(reading, option, document_place(node), &error);
    for (size_t i = 0; i < *count; i++)
        if (is_same_range(&ranges[i], &ranges[*count]))
            return refuse_repeated(reading, option, node);
    (*count)++;
    return true;
}

static bool read_ranges(struct reading *reading, const struct config_option *option,
                        const yaml_node_t *node)
{
    struct address_range *ranges;
    size_t length = 0;
    size_t count = 0;
    bool ok = true;

    if (!read_sequence(reading, option, node, &length))
        return false;
    ranges = memory_new(length, sizeof(*ranges));
    for (size_t i = 0; i < length; i++)
        ok &= read_range(reading, option, entry(reading, node, i), ranges, &count);
    if (!ok) {
        free(ranges);
        return false;
    }
    free(reading->config->network.allow);
    reading->config->network.allow = ranges;
    reading->config->network.allow_count = count;
    return true;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static bool read_name(struct reading *reading, const struct config_option *option,
                      const yaml_node_t *node, char **names, size_t *count)
{
    const char *text = scalar_read_text(reading, option, node);
    struct error error = {0};

    if (text == NULL)
        return false;
    if (!option->check(text, &error)) {
        mistakes_add(reading->mistakes, document_place(node), option->key, "\"%.64s\" %s", text,
                     error.message);
        return false;
    }
    for (size_t i = 0; i < *count; i++)
        if (strcasecmp(names[i], text) == 0)
            return refuse_repeated(reading, option, node);
    names[(*count)++] = memory_copy_string(text);
    return true;
}

static bool read_names(struct reading *reading, const struct config_option *option,
                       const yaml_node_t *node)
{
    char **names;
    size_t length = 0;
    size_t count = 0;
    bool ok = true;

    if (!read_sequence(reading, option, node, &length))
        return false;
    names = memory_new(length + 1, sizeof(*names));
    for (size_t i = 0; i < length; i++)
        ok &= read_name(reading, option, entry(reading, node, i), names, &count);
    if (!ok) {
        free_names(names, count);
        return false;
    }
    free_names(reading->config->http.hosts, reading->config->http.hosts_count);
    reading->config->http.hosts = names;
    reading->config->http.hosts_count = count;
    return true;
}

static void free_headers(struct config_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(headers[i].name);
        memory_free_secret(headers[i].value);
    }
    free(headers);
}

/* Names differ by more than their case: a receiver could read only one of them. */
static bool read_header(struct reading *reading, const struct config_option *option,
                        const yaml_node_pair_t *pair, struct config_header *headers, size_t *count)
{
    const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
    const yaml_node_t *node = yaml_document_get_node(reading->document, pair->value);
    const char *name = document_scalar_text(key);
    const char *value;
    struct error error;

    if (name == NULL)
        return reading_refuse(reading, option, document_place(key),
                              "a header's name is plain text");
    value = scalar_read_text(reading, option, node);
    if (value == NULL)
        return false;
    if (!header_check(name, value, &error))
        return refuse_entry(reading, option, document_place(key), &error);
    for (size_t i = 0; i < *count; i++)
        if (strcasecmp(headers[i].name, name) == 0) {
            mistakes_add(reading->mistakes, document_place(key), option->key,
                         "the header \"%s\" is there twice; keep one", name);
            return false;
        }
    headers[*count].name = memory_copy_string(name);
    headers[(*count)++].value = memory_copy_string(value);
    return true;
}

static bool read_headers(struct reading *reading, const struct config_option *option,
                         const yaml_node_t *node)
{
    const yaml_node_pair_t *pairs;
    struct config_headers *into;
    struct config_header *headers;
    size_t length;
    size_t count = 0;
    bool ok = true;

    if (node->type != YAML_MAPPING_NODE)
        return reading_refuse(reading, option, document_place(node),
                              "it is not a mapping (write {} for none)");
    pairs = node->data.mapping.pairs.start;
    length = (size_t)(node->data.mapping.pairs.top - pairs);
    if (length > option->entries_max)
        return reading_refuse(reading, option, document_place(node), "it has %zu entries", length);
    headers = memory_new(length, sizeof(*headers));
    for (size_t i = 0; i < length; i++)
        ok &= read_header(reading, option, &pairs[i], headers, &count);
    if (!ok) {
        free_headers(headers, count);
        return false;
    }
    into = option_field(reading->config, option);
    free_headers(into->list, into->count);
    *into = (struct config_headers){count, headers};
    return true;
}

bool list_read(struct reading *reading, const struct config_option *option, const yaml_node_t *node)
{
    if (option->kind == OPTION_HEADERS)
        return read_headers(reading, option, node);
    if (option->kind == OPTION_RANGES)
        return read_ranges(reading, option, node);
    if (option->kind == OPTION_NAMES)
        return read_names(reading, option, node);
    if (option->kind == OPTION_STATUSES)
        return read_statuses(reading, option, node);
    return read_schedule(reading, option, node);
}

void list_free(struct config *config, const struct config_option *option)
{
    if (option->kind == OPTION_HEADERS) {
        const struct config_headers *headers = option_field_const(config, option);

        free_headers(headers->list, headers->count);
    }
    if (option->kind == OPTION_RANGES)
        free(config->network.allow);
    else if (option->kind == OPTION_NAMES)
        free_names(config->http.hosts, config->http.hosts_count);
}
