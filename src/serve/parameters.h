/* SPDX-License-Identifier: MIT */
/*
 * serve/parameters.h: what a route's query string may say, checked before PostgreSQL sees it.
 *
 * A route has a list of parameters; each gives one value or more to the question, in the order of
 * the list, whether it is there or not. One that is in no list is refused: it is most likely a
 * filter whose name is mistyped, and the answer would be more than was asked for.
 */
#ifndef POSTRIDER_SERVE_PARAMETERS_H
#define POSTRIDER_SERVE_PARAMETERS_H

#include <stdbool.h>

#include "base/error.h"
#include "core/query_string.h"
#include "serve/questions.h"

/* Texts that are owned; NULL is SQL's. */
struct parameter_values {
    int count;
    char *values[QUESTION_VALUES_MAX];
};

/* Adds the values of a text. What is wrong with it: "is not a UUID"; NULL: nothing. */
typedef const char *parameter_read(const char *text, struct parameter_values *values);

struct parameter {
    const char *name; /* NULL ends a list */
    parameter_read *read;
    int width;            /* values; 0 is 1 */
    const char *standard; /* read when it is not there; NULL: as many NULLs */
};

parameter_read parameter_uuid, parameter_time, parameter_text, parameter_limit;

/* Up to 50, with commas between them: an array. */
parameter_read parameter_uuids;

parameter_read parameter_status_code, parameter_delivery_status, parameter_endpoint_state,
    parameter_replay_state;

/* Seconds, or a number with s, m, h or d; given as seconds. */
parameter_read parameter_step;

/* A URL or the id of an endpoint: two values, of which one is NULL. */
parameter_read parameter_endpoint;

/* core/cursor.h: two values. */
parameter_read parameter_cursor;

/* A feed's: three values. */
parameter_read parameter_feed_cursor;

#define PARAMETER_CURSOR                                       \
    {                                                          \
        .name = "cursor", .read = parameter_cursor, .width = 2 \
    }
#define PARAMETER_LIMIT                                            \
    {                                                              \
        .name = "limit", .read = parameter_limit, .standard = "50" \
    }

/* A copy of it; NULL is SQL's. */
void parameter_values_add(struct parameter_values *values, const char *value);
void parameter_values_free(struct parameter_values *values);

/* Adds to the values, which are freed in any case. False with error. */
bool parameters_read(const struct parameter *list, const struct query_string *query,
                     struct parameter_values *values, struct error *error) MUST_USE;

#endif
