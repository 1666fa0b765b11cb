/* SPDX-License-Identifier: MIT */
#include "http/transcript.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "core/header.h"

#define LINE_MAX_BYTES 8192

static const char *find_prefix(curl_infotype type)
{
    if (type == CURLINFO_TEXT)
        return "* ";
    if (type == CURLINFO_HEADER_IN)
        return "< ";
    if (type == CURLINFO_HEADER_OUT)
        return "> ";
    return NULL;
}

/* at is followed by another byte, if only by a NUL. U+0080 to U+009F, two bytes in UTF-8, are
 * control characters to some terminals; without its first byte the second is no character. */
static bool is_control(const unsigned char *at)
{
    return (at[0] < ' ' && at[0] != '\t') || at[0] == 0x7f ||
           (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

/* How much of a line may be shown: not the value of a credential that is sent. */
static size_t shown_length(const char *prefix, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);

    if (prefix[0] != '>' || colon == NULL || !header_is_credential(line, (size_t)(colon - line)))
        return length;
    return (size_t)(colon - line) + 1;
}

static void append_line(struct buffer *out, const char *prefix, const char *line, size_t length)
{
    size_t shown = shown_length(prefix, line, length);
    struct buffer clean;

    buffer_init(&clean, LINE_MAX_BYTES);
    text_append_clean(&clean, line, shown);
    if (shown < length)
        buffer_append_string(&clean, " ***");
    for (size_t i = 0; i < clean.length; i++) {
        if (is_control((const unsigned char *)clean.data + i))
            clean.data[i] = '?';
    }
    buffer_append_format(out, "%s%s\n", prefix, buffer_string(&clean));
    buffer_free(&clean);
}

void transcript_add(struct buffer *out, const char *prefix, const char *bytes, size_t length)
{
    while (length > 0 && !out->overflowed) {
        const char *newline = memchr(bytes, '\n', length);
        size_t taken = newline != NULL ? (size_t)(newline - bytes) + 1 : length;
        size_t shown = newline != NULL ? taken - 1 : taken;

        if (shown > 0 && bytes[shown - 1] == '\r')
            shown--;
        append_line(out, prefix, bytes, shown);
        bytes += taken;
        length -= taken;
    }
}

int transcript_on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *user)
{
    const char *prefix = find_prefix(type);

    (void)easy;
    if (prefix != NULL && user != NULL)
        transcript_add(user, prefix, data, size);
    return 0;
}
