/* SPDX-License-Identifier: MIT */
#include "base/hint.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

/* What no shell sees anything in, at any place of a word. */
static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                            "_-./:@%+,";

static char *options;

char *hint_quoted(const char *text)
{
    size_t length = strlen(text);
    struct buffer out;

    if (length > 0 && strspn(text, plain) == length)
        return memory_copy_string(text);
    buffer_init(&out, 4 * length + 3); /* each quote becomes four bytes */
    buffer_append_string(&out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buffer_append_string(&out, "'\\''");
        else
            buffer_append(&out, text, 1);
    }
    buffer_append_string(&out, "'");
    return buffer_take(&out);
}

void hint_set_config(const char *file)
{
    char *word = file != NULL ? hint_quoted(file) : NULL;

    free(options);
    options = word != NULL ? memory_format(" -c %s", word) : NULL;
    free(word);
}

const char *hint_options(void)
{
    return options != NULL ? options : "";
}
