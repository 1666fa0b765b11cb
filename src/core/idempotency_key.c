/* SPDX-License-Identifier: MIT */
#include "core/idempotency_key.h"

#include <string.h>

static const char not_ascii[] = "Idempotency-Key has characters other than visible ASCII";
static const char too_long[] = "Idempotency-Key has more than 255 characters";
static const char empty[] = "Idempotency-Key is empty";

static bool refuse(const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return false;
}

/* first: the lowest character that may stand there. */
static bool add(char letter, char first, char key[], size_t *length, const char **ret_reason)
{
    if (letter < first || letter > '~')
        return refuse(not_ascii, ret_reason);
    if (*length == IDEMPOTENCY_KEY_MAX)
        return refuse(too_long, ret_reason);
    key[(*length)++] = letter;
    return true;
}

static bool finish(char key[], size_t length, const char **ret_reason)
{
    key[length] = '\0';
    return length > 0 || refuse(empty, ret_reason);
}

static bool read_bare(const char *value, size_t length, char key[], const char **ret_reason)
{
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        if (value[i] != '\0' && strchr("\",;\\", value[i]) != NULL)
            return refuse("Idempotency-Key has a quote, \\, comma or semicolon: put it in quotes",
                          ret_reason);
        if (!add(value[i], '!', key, &written, ret_reason))
            return false;
    }
    return finish(key, written, ret_reason);
}

/* value[0] is the quote. */
static bool read_quoted(const char *value, size_t length, char key[], const char **ret_reason)
{
    size_t written = 0;
    size_t i = 1;

    for (; i < length && value[i] != '"'; i++) {
        if (value[i] == '\\' && ++i < length && value[i] != '"' && value[i] != '\\')
            return refuse("Idempotency-Key has a \\ that stands before neither \" nor \\",
                          ret_reason);
        if (i < length && !add(value[i], ' ', key, &written, ret_reason))
            return false;
    }
    if (i + 1 != length)
        return refuse("Idempotency-Key does not end with its closing quote", ret_reason);
    return finish(key, written, ret_reason);
}

bool idempotency_key_read(const char *value, size_t length, char ret_key[IDEMPOTENCY_KEY_MAX + 1],
                          const char **ret_reason)
{
    return length > 0 && value[0] == '"' ? read_quoted(value, length, ret_key, ret_reason)
                                         : read_bare(value, length, ret_key, ret_reason);
}
