/* SPDX-License-Identifier: MIT */
#include "config/render.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/redact.h"

void render_quoted(const char *text, struct buffer *out)
{
    buffer_append(out, "\"", 1);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append(out, "\\", 1);
        buffer_append(out, text, 1);
    }
    buffer_append(out, "\"", 1);
}

static void append_text(const struct config_option *option, const char *text, struct buffer *out)
{
    struct buffer redacted;

    if (!option->is_url) {
        render_quoted(text, out);
        return;
    }
    buffer_init(&redacted, out->maximum);
    redact_append_url(text, &redacted);
    render_quoted(buffer_string(&redacted), out);
    buffer_free(&redacted);
}

/* As few digits as give the same number again. */
static void append_number(double value, struct buffer *out)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_append_string(out, text);
}

static void append_separator(size_t i, struct buffer *out)
{
    if (i > 0)
        buffer_append_string(out, ", ");
}

/* What a header says can be a credential, and no rule tells which. */
static void append_headers(const struct config_headers *headers, struct buffer *out)
{
    buffer_append(out, "{", 1);
    for (size_t i = 0; i < headers->count; i++) {
        append_separator(i, out);
        render_quoted(headers->list[i].name, out);
        buffer_append_string(out, ": \"***\"");
    }
    buffer_append(out, "}", 1);
}

static void append_range(const struct address_range *range, struct buffer *out)
{
    char text[ADDRESS_RANGE_SIZE];

    address_range_format(range, text);
    buffer_append_format(out, "\"%s\"", text);
}

static void append_list(const struct config *config, const struct config_option *option,
                        struct buffer *out)
{
    const struct retry_policy *policy = &config->retry;

    if (option->kind == OPTION_HEADERS) {
        append_headers(option_field_const(config, option), out);
        return;
    }
    buffer_append(out, "[", 1);
    if (option->kind == OPTION_RANGES)
        for (size_t i = 0; i < config->network.allow_count; i++) {
            append_separator(i, out);
            append_range(&config->network.allow[i], out);
        }
    if (option->kind == OPTION_NAMES)
        for (size_t i = 0; i < config->http.hosts_count; i++) {
            append_separator(i, out);
            render_quoted(config->http.hosts[i], out);
        }
    if (option->kind == OPTION_STATUSES)
        for (int i = 0; i < policy->statuses_length; i++) {
            append_separator((size_t)i, out);
            buffer_append_format(out, "%d", policy->statuses[i]);
        }
    if (option->kind == OPTION_SCHEDULE)
        for (int i = 0; i < policy->schedule_length; i++) {
            append_separator((size_t)i, out);
            option_append_limit(option, policy->schedule_ms[i], out);
        }
    buffer_append(out, "]", 1);
}

void render_value(const struct config *config, const struct config_option *option,
                  struct buffer *out)
{
    const void *field = option_field_const(config, option);

    switch (option->kind) {
    case OPTION_TEXT:
        append_text(option, *(char *const *)field, out);
        break;
    case OPTION_CHOICE:
        buffer_append_string(out, option->choices[*(const int *)field]);
        break;
    case OPTION_BOOLEAN:
        buffer_append_string(out, *(const bool *)field ? "true" : "false");
        break;
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        option_append_limit(
            option, option->size == sizeof(int) ? *(const int *)field : *(const int64_t *)field,
            out);
        break;
    case OPTION_NUMBER:
        append_number(*(const double *)field, out);
        break;
    case OPTION_HEADERS:
    case OPTION_RANGES:
    case OPTION_NAMES:
    case OPTION_STATUSES:
    case OPTION_SCHEDULE:
        append_list(config, option, out);
        break;
    }
}
