/* SPDX-License-Identifier: MIT */
/*
 * compiler.h: attributes, and the way in which a bug ends the program.
 *
 * MUST_USE marks an expected failure: a return value that may not be ignored.
 * bug() is for states that cannot be: it prints file, line and reason, and aborts. It is never
 * used for bad input, a lost connection or a full disk.
 */
#ifndef POSTRIDER_BASE_COMPILER_H
#define POSTRIDER_BASE_COMPILER_H

#include <stddef.h>

#define MUST_USE              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define ARRAY_LENGTH(a)       (sizeof(a) / sizeof((a)[0]))

/* A number's constant as a text, for a statement or a message that is one. */
#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

_Noreturn void bug_at(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
