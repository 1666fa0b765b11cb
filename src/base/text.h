/*
 * text.h: making bytes from outside fit to be stored and shown.
 */
#ifndef POSTRIDER_BASE_TEXT_H
#define POSTRIDER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/*
 * Appends length bytes as valid UTF-8 that PostgreSQL's text accepts: what is no UTF-8 and NUL
 * become U+FFFD, a sequence cut off at the end is left out. Stops before the buffer's maximum,
 * without setting overflowed.
 */
void text_append_clean(struct buffer *out, const void *bytes, size_t length);

/* 8-4-4-4-12 hexadecimal digits, either case, nothing else. */
bool text_is_uuid(const char *text);

#endif
