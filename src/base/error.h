/* SPDX-License-Identifier: MIT */
/*
 * error.h: an expected failure, as text for a person.
 *
 * A function that can fail takes a struct error * as its last argument and returns false (or
 * NULL) after setting it; it does not log as well. The message says what is wrong and where, the
 * hint what to do. Both are cut at their capacity, never allocated. The caller owns the struct.
 */
#ifndef POSTRIDER_BASE_ERROR_H
#define POSTRIDER_BASE_ERROR_H

#include <stdbool.h>

#include "base/compiler.h"

struct error {
    char message[1024];
    char hint[512];
};

/* Sets the message, clears the hint; returns false, so that "return error_set(…)" reads well. */
bool error_set(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds a hint to the message that is there; returns false too. */
bool error_hint(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "context: " before the message that is there; returns false too. */
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
