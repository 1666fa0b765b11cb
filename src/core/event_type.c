/* SPDX-License-Identifier: MIT */
#include "core/event_type.h"

#include <string.h>

/* strspn() goes by these and not by isalnum(), which knows more letters in some locales. */
#define PART_CHARACTERS          \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789_-"

/* Whether the first length bytes are parts joined by full stops. */
static bool are_parts(const char *text, size_t length)
{
    const char *end = text + length;

    for (;;) {
        size_t part = strspn(text, PART_CHARACTERS);

        if (part == 0)
            return false;
        text += part;
        if (text >= end)
            return true;
        if (*text++ != '.')
            return false;
    }
}

static bool refuse(const char *text, const char *what, struct error *error)
{
    if (strlen(text) > EVENT_TYPE_MAX)
        return error_set(error, "an event type has at most %d bytes, this one has %zu",
                         EVENT_TYPE_MAX, strlen(text));
    error_set(error, "\"%.100s\" is no %s", text, what);
    return error_hint(error, "parts of letters, digits, _ and -, joined by full stops, as in "
                             "order.paid");
}

bool event_type_check(const char *type, struct error *error)
{
    size_t length = strlen(type);

    return (length <= EVENT_TYPE_MAX && are_parts(type, length)) ||
           refuse(type, "event type", error);
}

bool event_type_check_pattern(const char *pattern, struct error *error)
{
    size_t length = strlen(pattern);

    if (strcmp(pattern, "*") == 0)
        return true;
    if (length > 2 && length <= EVENT_TYPE_MAX && strcmp(pattern + length - 2, ".*") == 0 &&
        strcspn(pattern, "*") == length - 1 && are_parts(pattern, length - 2))
        return true;
    return (length <= EVENT_TYPE_MAX && are_parts(pattern, length)) ||
           refuse(pattern, "event type, nor a pattern like order.*", error);
}
