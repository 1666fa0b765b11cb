/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD";

/* Length of the valid UTF-8 sequence (RFC 3629) at bytes; 0 invalid, -1 cut off by the end. */
static int sequence_length(const unsigned char *bytes, size_t left)
{
    unsigned char first = bytes[0];
    unsigned char low = 0x80, high = 0xBF;
    int length;

    if (first < 0x80)
        return first == 0 ? 0 : 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= left)
            return -1;
        if (bytes[i] < low || bytes[i] > high)
            return 0;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

void text_append_clean(struct buffer *out, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    size_t left = length;

    while (left > 0) {
        int sequence = sequence_length(at, left);
        size_t used = sequence > 0 ? (size_t)sequence : 1;
        const void *piece = sequence > 0 ? (const void *)at : replacement;
        size_t size = sequence > 0 ? used : sizeof(replacement) - 1;

        if (sequence < 0 || size > out->maximum - out->length)
            return;
        buffer_append(out, piece, size);
        at += used;
        left -= used;
    }
}

size_t text_copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    to[length] = '\0';
    return length;
}

bool text_begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

const char *text_integer(int64_t number, char text[TEXT_INTEGER_SIZE])
{
    char *at = text + TEXT_INTEGER_SIZE - 1;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;

    *at = '\0';
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        *--at = '-';
    return at;
}

const char *text_plural(int64_t number, const char *one, const char *many)
{
    return number == 1 ? one : many;
}

bool text_is_uuid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        char c = text[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? c != '-' : !is_hex)
            return false;
    }
    return text[36] == '\0';
}
