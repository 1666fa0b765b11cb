/* SPDX-License-Identifier: MIT */
/*
 * memory.h: allocation that does not fail.
 *
 * Sizes from outside are capped by the caller before they get here, so running out of memory
 * means that the machine has none left: the program says so and aborts, and systemd restarts it.
 * Everything returned is freed with free().
 */
#ifndef POSTRIDER_BASE_MEMORY_H
#define POSTRIDER_BASE_MEMORY_H

#include <stddef.h>

#include "base/compiler.h"

/* Zeroed memory for count objects of size bytes. */
void *memory_new(size_t count, size_t size) MUST_USE;

/* realloc() for count objects of size bytes; new parts are not zeroed. */
void *memory_resize(void *old, size_t count, size_t size) MUST_USE;

char *memory_copy_string(const char *text) MUST_USE;

/* A copy of length bytes, followed by a NUL that is not counted. */
char *memory_copy(const void *bytes, size_t length) MUST_USE;

/* free() for a text that may hold a password or secret: overwritten before. NULL is fine. */
void memory_free_secret(char *text);

/* A printf into fresh memory. */
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2) MUST_USE;

#endif
