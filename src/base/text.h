/* SPDX-License-Identifier: MIT */
/*
 * text.h: making bytes from outside fit to be stored and shown; and what every delivery needs of
 * printf, without printf, whose "%s" and "%d" cost hundreds of instructions each.
 */
#ifndef POSTRIDER_BASE_TEXT_H
#define POSTRIDER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define TEXT_INTEGER_SIZE 24

/*
 * Appends length bytes as valid UTF-8 that PostgreSQL's text accepts: what is no UTF-8 and NUL
 * become U+FFFD, a sequence cut off at the end is left out. Stops before the buffer's maximum,
 * without setting overflowed.
 */
void text_append_clean(struct buffer *out, const void *bytes, size_t length);

/* Copies as much of from as fits into size bytes (at least 1) with the NUL; returns its length. */
size_t text_copy(char *to, size_t size, const char *from);

/* To the letter. */
bool text_begins_with(const char *text, const char *beginning);

/* The decimal digits of a number, in text, but not from its start. */
const char *text_integer(int64_t number, char text[TEXT_INTEGER_SIZE]);

/* The word that goes with a number: one of them, or the plural. */
const char *text_plural(int64_t number, const char *one, const char *many);

/* 8-4-4-4-12 hexadecimal digits, either case, nothing else. */
bool text_is_uuid(const char *text);

#endif
