/* SPDX-License-Identifier: MIT */
#include "core/header.h"

#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 32 /* of a name that is refused */

/* A name that ends with a dash stands for all that begin with it. */
static const char *const reserved_names[] = {
    "connection",   "content-length",
    "content-type", "cookie",
    "expect",       "host",
    "keep-alive",   "proxy-",
    "te",           "trailer",
    "upgrade",      "user-agent",
    "webhook-",     "transfer-encoding",
    "x-event-id",   "x-delivery-attempt",
};

static bool is_token_character(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(reserved_names); i++) {
        const char *reserved = reserved_names[i];
        size_t length = strlen(reserved);

        if (reserved[length - 1] == '-' ? strncasecmp(name, reserved, length) == 0
                                        : strcasecmp(name, reserved) == 0)
            return true;
    }
    return false;
}

static bool check_name(const char *name, struct error *error)
{
    size_t length = strlen(name);

    if (length == 0)
        return error_set(error, "a header needs a name");
    for (size_t i = 0; i < length; i++)
        if (!is_token_character((unsigned char)name[i])) {
            /* What comes before is a token, so it is safe to show. */
            error_set(error, "the header name \"%.*s…\" has the byte 0x%02x at position %zu",
                      i < SHOWN_BYTES ? (int)i : SHOWN_BYTES, name,
                      (unsigned)(unsigned char)name[i], i + 1);
            return error_hint(error, "A name is made of letters, digits and !#$%%&'*+-.^_`|~");
        }
    if (length > HEADER_NAME_MAX_BYTES)
        return error_set(error, "the header name \"%.*s…\" has %zu bytes, more than %d",
                         SHOWN_BYTES, name, length, HEADER_NAME_MAX_BYTES);
    if (is_reserved(name)) {
        error_set(error, "the header \"%s\" is Postrider's own", name);
        return error_hint(error, "Choose another name, such as X-%s", name);
    }
    return true;
}

static bool check_value(const char *name, const char *value, struct error *error)
{
    size_t length = strlen(value);

    if (length > HEADER_VALUE_MAX_BYTES)
        return error_set(error, "the value of the header \"%s\" has %zu bytes, more than %d", name,
                         length, HEADER_VALUE_MAX_BYTES);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return error_set(error,
                             "the value of the header \"%s\" has the control character 0x%02x at "
                             "position %zu",
                             name, (unsigned)c, i + 1);
    }
    return true;
}

bool header_check(const char *name, const char *value, struct error *error)
{
    return check_name(name, error) && check_value(name, value, error);
}

bool header_is_of_events(const char *name, size_t length)
{
    static const char *const names[] = {"x-correlation-id", "x-causation-id",
                                        "traceparent",      "x-customer-id",
                                        "x-ordering-key",   "x-ordering-previous"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (length == strlen(names[i]) && strncasecmp(name, names[i], length) == 0)
            return true;
    return false;
}

bool header_is_credential(const char *name, size_t length)
{
    static const char *const words[] = {"auth", "token", "key", "secret", "password", "cookie"};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        for (size_t at = 0; at + strlen(words[i]) <= length; at++)
            if (strncasecmp(name + at, words[i], strlen(words[i])) == 0)
                return true;
    return false;
}
