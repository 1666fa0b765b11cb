/* SPDX-License-Identifier: MIT */
#include "core/percent.h"

#include <stdbool.h>
#include <string.h>

/* pchar without what is %XX, and what a query may have beside it. */
static bool may_stand(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != '\0' && strchr("-._~!$&'()*+,;=:@/?", c) != NULL;
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_encoded(const char *at)
{
    return at[0] == '%' && is_hexadecimal(at[1]) && is_hexadecimal(at[2]);
}

void percent_append(struct buffer *out, const char *text)
{
    const char *start = text; /* of what can be copied as it is */
    const char *at;

    for (at = text; *at != '\0'; at++) {
        if (may_stand(*at) || is_encoded(at))
            continue;
        buffer_append(out, start, (size_t)(at - start));
        buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*at);
        start = at + 1;
    }
    buffer_append(out, start, (size_t)(at - start));
}

void percent_append_value(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text > ' ' && *text <= '~' && *text != '%')
            buffer_append(out, text, 1);
        else
            buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}
