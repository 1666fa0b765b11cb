/* SPDX-License-Identifier: MIT */
#include "db/array.h"

#include <string.h>

#include "base/compiler.h"
#include "base/text.h"

void array_init(struct array *array, size_t maximum)
{
    buffer_init(&array->text, maximum);
    array->is_ended = false;
}

void array_free(struct array *array)
{
    buffer_free(&array->text);
}

void array_begin(struct array *array)
{
    buffer_clear(&array->text);
    buffer_append(&array->text, "{", 1);
    array->is_ended = false;
}

static void separate(struct array *array)
{
    if (array->text.length > 1)
        buffer_append(&array->text, ",", 1);
}

void array_add_plain(struct array *array, const char *value)
{
    separate(array);
    buffer_append_string(&array->text, value);
}

void array_add_null(struct array *array)
{
    array_add_plain(array, "NULL");
}

void array_add_bool(struct array *array, bool value)
{
    array_add_plain(array, value ? "t" : "f");
}

void array_add_int(struct array *array, int64_t value)
{
    char digits[TEXT_INTEGER_SIZE];

    array_add_plain(array, text_integer(value, digits));
}

void array_add_seconds(struct array *array, int64_t ms)
{
    const char fraction[] = {'.', (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10),
                             (char)('0' + ms % 10)};

    array_add_int(array, ms / 1000);
    buffer_append(&array->text, fraction, sizeof(fraction));
}

void array_add_text(struct array *array, const char *value)
{
    if (value == NULL) {
        array_add_null(array);
        return;
    }
    /* Quoted whatever it is: without quotes the text NULL would be none, and an empty one a
     * mistake. */
    separate(array);
    buffer_append(&array->text, "\"", 1);
    for (;;) {
        size_t plain = strcspn(value, "\"\\");

        buffer_append(&array->text, value, plain);
        value += plain;
        if (*value == '\0')
            break;
        buffer_append(&array->text, "\\", 1);
        buffer_append(&array->text, value++, 1);
    }
    buffer_append(&array->text, "\"", 1);
}

const char *array_end(struct array *array)
{
    if (!array->is_ended)
        buffer_append(&array->text, "}", 1);
    array->is_ended = true;
    if (array->text.overflowed)
        bug("an array of more than %zu bytes", array->text.maximum);
    return buffer_string(&array->text);
}
