/* SPDX-License-Identifier: MIT */
/*
 * buffer.h: bytes that grow up to a mandatory maximum.
 *
 * The content is always followed by a NUL that is not counted, so data can be read as a C string
 * where it holds no NUL of its own. An append that would pass the maximum changes nothing,
 * returns false and sets overflowed, which stays set until buffer_clear(): a caller that appends
 * many pieces checks once at the end. Owned by whoever called buffer_init(); buffer_free() ends it.
 */
#ifndef POSTRIDER_BASE_BUFFER_H
#define POSTRIDER_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct buffer {
    char *data; /* never NULL after the first append */
    size_t length;
    size_t capacity;
    size_t maximum;
    bool overflowed;
};

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_free(struct buffer *buffer);

/* Forgets the content, keeps the memory. */
void buffer_clear(struct buffer *buffer);

bool buffer_append(struct buffer *buffer, const void *bytes, size_t length);
bool buffer_append_string(struct buffer *buffer, const char *text);
bool buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* The content as a C string, "" when nothing was appended. Valid until the next change. */
const char *buffer_string(const struct buffer *buffer);

/* Hands the memory over to the caller, who frees it; the buffer is empty afterwards. */
char *buffer_take(struct buffer *buffer) MUST_USE;

#endif
