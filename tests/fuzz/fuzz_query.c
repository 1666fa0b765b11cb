/* SPDX-License-Identifier: MIT */
/*
 * fuzz_query.c: query strings, and the cursors and times in them. What is let through, PostgreSQL
 * takes: valid UTF-8 without NUL, a UUID, a time that there is.
 */
#include "base/buffer.h"
#include "base/text.h"
#include "core/cursor.h"
#include "core/query_string.h"
#include "core/rfc3339.h"
#include "fuzz.h"

static void check_text(const char *text)
{
    struct buffer clean;

    buffer_init(&clean, 4 * SERVED_HEAD_MAX);
    text_append_clean(&clean, text, strlen(text));
    demand(strcmp(buffer_string(&clean), text) == 0, "a text that can't be stored");
    buffer_free(&clean);
}

static void check_cursor(const char *text)
{
    struct cursor cursor;

    if (!cursor_read(text, &cursor))
        return;
    demand(text_is_uuid(cursor.id), "a cursor without an id");
    demand(rfc3339_is_moment(cursor.time) || strstr(cursor.time, "infinity") != NULL,
           "a cursor without a time");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice given = {(const char *)data, size};
    struct query_string query;
    struct error error;

    if (!query_string_read(given, &query, &error)) {
        demand(error.message[0] != '\0', "refused without a word");
        return 0;
    }
    demand(query.count <= QUERY_STRING_PARAMETERS_MAX, "too many");
    for (size_t i = 0; i < query.count; i++) {
        check_text(query.parameters[i].name);
        check_text(query.parameters[i].value);
        demand(query_string_find(&query, query.parameters[i].name) == query.parameters[i].value,
               "a name that is there twice");
        check_cursor(query.parameters[i].value);
    }
    return 0;
}
