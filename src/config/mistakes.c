/* SPDX-License-Identifier: MIT */
#include "config/mistakes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"

#define LINE_MAX_BYTES ((size_t)4096)

/* Control characters of ASCII, and those that Unicode puts behind C2: some terminals obey both. */
static char *printable(const char *text)
{
    struct buffer clean;
    struct buffer out;

    buffer_init(&clean, LINE_MAX_BYTES);
    text_append_clean(&clean, text, strnlen(text, LINE_MAX_BYTES));
    buffer_init(&out, LINE_MAX_BYTES * 4);
    for (const char *c = buffer_string(&clean); *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        unsigned char next = (unsigned char)c[1];

        if (byte < ' ' || byte == 0x7f)
            buffer_append_format(&out, "\\x%02x", (unsigned)byte);
        else if (byte == 0xC2 && next < 0xA0)
            buffer_append_format(&out, "\\x%02x", (unsigned)(unsigned char)*++c);
        else
            buffer_append(&out, c, 1);
    }
    buffer_free(&clean);
    return buffer_take(&out);
}

void mistakes_add(struct mistakes *mistakes, struct place place, const char *key,
                  const char *format, ...)
{
    struct buffer line;
    char text[LINE_MAX_BYTES];
    va_list args;

    if (mistakes->count == ARRAY_LENGTH(mistakes->items)) {
        mistakes->is_cut = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buffer_init(&line, 2 * sizeof(text));
    if (key != NULL)
        buffer_append_format(&line, "%s: ", key);
    buffer_append_string(&line, text);
    mistakes->items[mistakes->count++] = (struct mistake){place, printable(buffer_string(&line))};
    buffer_free(&line);
}

/* Places are not all different, and the order of finding them is part of the order. */
static bool is_before(const struct mistake *a, const struct mistake *b)
{
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line;
    return a->place.column < b->place.column;
}

static void sort(struct mistakes *mistakes)
{
    for (size_t i = 1; i < mistakes->count; i++) {
        struct mistake item = mistakes->items[i];
        size_t at = i;

        for (; at > 0 && is_before(&item, &mistakes->items[at - 1]); at--)
            mistakes->items[at] = mistakes->items[at - 1];
        mistakes->items[at] = item;
    }
}

static char *format_line(const char *file, const struct mistake *mistake)
{
    char *shown = printable(file);
    char *line;

    if (mistake->place.line == 0)
        line = memory_format("%s: %s", shown, mistake->text);
    else
        line = memory_format("%s:%zu:%zu: %s", shown, mistake->place.line, mistake->place.column,
                             mistake->text);
    free(shown);
    return line;
}

void mistakes_move(struct mistakes *mistakes, struct config_mistakes *ret_lines)
{
    sort(mistakes);
    *ret_lines = (struct config_mistakes){0};
    for (size_t i = 0; i < mistakes->count; i++) {
        ret_lines->lines[ret_lines->count++] = format_line(mistakes->file, &mistakes->items[i]);
        free(mistakes->items[i].text);
    }
    if (mistakes->is_cut) {
        const struct mistake more = {.text = (char[]){"there are more mistakes after these"}};

        ret_lines->lines[ret_lines->count++] = format_line(mistakes->file, &more);
    }
    mistakes->count = 0;
    mistakes->is_cut = false;
}

void config_mistakes_free(struct config_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        free(mistakes->lines[i]);
    *mistakes = (struct config_mistakes){0};
}
