/* SPDX-License-Identifier: MIT */
/*
 * db/array.h: a PostgreSQL array as text, for unnest().
 *
 * array_begin(), any number of appends, array_end() gives the text, which lives until the next
 * array_begin() or array_free(), and the same when it is asked for again. Owned by the caller;
 * reused from statement to statement.
 */
#ifndef POSTRIDER_DB_ARRAY_H
#define POSTRIDER_DB_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct array {
    struct buffer text;
    bool is_ended;
};

/* maximum bytes: more is a bug of the caller, who limits what goes into one statement. */
void array_init(struct array *array, size_t maximum);
void array_free(struct array *array);

void array_begin(struct array *array);
void array_add_null(struct array *array);
void array_add_int(struct array *array, int64_t value);
void array_add_bool(struct array *array, bool value);
/* Milliseconds as seconds with a fraction, for make_interval() and float8 parameters. */
void array_add_seconds(struct array *array, int64_t ms);
/* What needs no quotes: a uuid, a time. */
void array_add_plain(struct array *array, const char *value);
/* Any text; NULL is SQL's NULL. */
void array_add_text(struct array *array, const char *value);
const char *array_end(struct array *array);

#endif
