#include "config/render.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/lists.h"
#include "config/redact.h"
#include "config/values.h"

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

void render_value(const struct config *config, const struct config_option *option,
                  struct buffer *out)
{
    const void *field = value_field_const(config, option);

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
    case OPTION_STATUSES:
    case OPTION_SCHEDULE:
        list_append(config, option, out);
        break;
    case OPTION_LATER:
        break;
    }
}
