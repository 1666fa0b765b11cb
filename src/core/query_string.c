/* SPDX-License-Identifier: MIT */
#include "core/query_string.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

static int digit_of(char letter)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = letter == '\0' ? NULL : strchr(digits, tolower((unsigned char)letter));

    return at == NULL ? -1 : (int)(at - digits);
}

/* Writes to *to, and moves it on. False: a % has no two digits behind it. */
static bool decode(struct slice from, char **to)
{
    for (size_t i = 0; i < from.length; i++) {
        char letter = from.at[i];

        if (letter == '%') {
            int high = i + 2 < from.length ? digit_of(from.at[i + 1]) : -1;
            int low = high < 0 ? -1 : digit_of(from.at[i + 2]);

            if (low < 0)
                return false;
            letter = (char)(16 * high + low);
            i += 2;
        } else if (letter == '+') {
            letter = ' ';
        }
        *(*to)++ = letter;
    }
    return true;
}

static bool is_storable(const char *text, size_t length)
{
    struct buffer clean;
    bool is_same;

    buffer_init(&clean, (size_t)4 * SERVED_HEAD_MAX);
    text_append_clean(&clean, text, length);
    is_same = clean.length == length && memcmp(buffer_string(&clean), text, length) == 0;
    buffer_free(&clean);
    return is_same;
}

/* A name or a value: decoded to *at, and ended. NULL with error. */
static const char *take(struct slice from, char **at, struct error *error)
{
    char *start = *at;

    if (!decode(from, at)) {
        error_set(error, "the query string has a %% without two hexadecimal digits behind it");
        return NULL;
    }
    if (!is_storable(start, (size_t)(*at - start))) {
        error_set(error, "the query string has a text that is no UTF-8, or a NUL");
        return NULL;
    }
    *(*at)++ = '\0';
    return start;
}

static bool take_parameter(struct slice part, struct query_string *query, char **at,
                           struct error *error)
{
    const char *equals = memchr(part.at, '=', part.length);
    struct query_parameter *parameter = &query->parameters[query->count];
    size_t length;

    if (equals == NULL || equals == part.at)
        return error_set(error, "the query string is not NAME=VALUE joined by &");
    if (query->count == QUERY_STRING_PARAMETERS_MAX)
        return error_set(error, "the query string has more than %d parameters",
                         QUERY_STRING_PARAMETERS_MAX);
    length = (size_t)(equals - part.at);
    parameter->name = take((struct slice){part.at, length}, at, error);
    if (parameter->name == NULL)
        return false;
    parameter->value = take((struct slice){equals + 1, part.length - length - 1}, at, error);
    if (parameter->value == NULL)
        return false;
    if (query_string_find(query, parameter->name) != NULL)
        return error_set(error, "the parameter %.100s is there twice", parameter->name);
    query->count++;
    return true;
}

bool query_string_read(struct slice query, struct query_string *ret_query, struct error *error)
{
    char *at = ret_query->text;

    ret_query->count = 0;
    if (query.length >= SERVED_HEAD_MAX)
        return error_set(error, "the query string is too long");
    while (query.length > 0) {
        const char *mark = memchr(query.at, '&', query.length);
        size_t length = mark == NULL ? query.length : (size_t)(mark - query.at);

        if (!take_parameter((struct slice){query.at, length}, ret_query, &at, error))
            return false;
        if (mark != NULL && length + 1 == query.length)
            return error_set(error, "the query string is not NAME=VALUE joined by &");
        length += mark == NULL ? 0 : 1;
        query.at += length;
        query.length -= length;
    }
    return true;
}

const char *query_string_find(const struct query_string *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->parameters[i].name, name) == 0)
            return query->parameters[i].value;
    return NULL;
}
