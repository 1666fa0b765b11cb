/* SPDX-License-Identifier: MIT */
/*
 * core/query_string.h: the parameters behind the question mark of a request, read strictly.
 *
 * NAME=VALUE, joined by &. A plus sign is a blank, as in forms; % takes two hexadecimal digits.
 * Refused are what is no valid UTF-8 and NUL, since PostgreSQL would refuse them, a name without a
 * value, and a name that is there twice: readers differ in which of the two they mean.
 *
 * Pure. The copies are in the struct.
 */
#ifndef POSTRIDER_CORE_QUERY_STRING_H
#define POSTRIDER_CORE_QUERY_STRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"
#include "core/served_head.h"

#define QUERY_STRING_PARAMETERS_MAX 32

struct query_parameter {
    const char *name, *value; /* in text */
};

struct query_string {
    size_t count;
    struct query_parameter parameters[QUERY_STRING_PARAMETERS_MAX];
    char text[SERVED_HEAD_MAX + QUERY_STRING_PARAMETERS_MAX];
};

/* False with error: it can't be read. */
bool query_string_read(struct slice query, struct query_string *ret_query,
                       struct error *error) MUST_USE;

/* NULL: it is not there. */
const char *query_string_find(const struct query_string *query, const char *name);

#endif
