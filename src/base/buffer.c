/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer){.maximum = maximum};
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->maximum);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->overflowed = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

/* Makes room for extra bytes and the NUL; false when that would pass the maximum. Grows by
 * doubling, but never beyond the maximum. */
static bool buffer_reserve(struct buffer *buffer, size_t extra)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : 256;

    if (extra > buffer->maximum - buffer->length) {
        buffer->overflowed = true;
        return false;
    }
    while (capacity < buffer->length + extra + 1)
        capacity *= 2;
    if (capacity > buffer->maximum)
        capacity = buffer->maximum + 1;
    if (capacity != buffer->capacity) {
        buffer->data = memory_resize(buffer->data, capacity, 1);
        buffer->capacity = capacity;
    }
    return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (!buffer_reserve(buffer, length))
        return false;
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return true;
}

bool buffer_append_string(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        bug("bad format \"%s\"", format);
    if (!buffer_reserve(buffer, (size_t)length))
        return false;
    va_start(args, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, args);
    va_end(args);
    buffer->length += (size_t)length;
    return true;
}

const char *buffer_string(const struct buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

char *buffer_take(struct buffer *buffer)
{
    char *data = buffer->data != NULL ? buffer->data : memory_copy_string("");

    buffer_init(buffer, buffer->maximum);
    return data;
}
