/* SPDX-License-Identifier: MIT */
#include "config/reading.h"

#include <stdarg.h>
#include <stdio.h>

#define ALLOWED_MAX 512

/* The table is written for docs/configuration.md too. */
static void drop_backticks(struct buffer *text)
{
    char *to = text->data;

    for (const char *from = text->data; *from != '\0'; from++)
        if (*from != '`')
            *to++ = *from;
    *to = '\0';
    text->length = (size_t)(to - text->data);
}

bool reading_refuse(struct reading *reading, const struct config_option *option, struct place place,
                    const char *format, ...)
{
    struct buffer allowed;
    char what[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    buffer_init(&allowed, ALLOWED_MAX);
    option_append_allowed(option, &allowed);
    drop_backticks(&allowed);
    mistakes_add(reading->mistakes, place, option->key, "%s; allowed: %s", what,
                 buffer_string(&allowed));
    buffer_free(&allowed);
    return false;
}
