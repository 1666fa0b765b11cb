/* SPDX-License-Identifier: MIT */
#include "core/permit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

#define LINE_SIZE ((size_t)ADDRESS_RANGE_SIZE * 2)
#define KEY_MAX   ((size_t)PERMIT_RANGES_MAX * ADDRESS_RANGE_SIZE + 4096)

static bool add_range(struct permit *permit, const char *line, size_t length, struct error *error)
{
    char text[LINE_SIZE];

    if (permit->allow_count == PERMIT_RANGES_MAX)
        return error_set(error, "allow lists more than %d ranges", PERMIT_RANGES_MAX);
    if (length >= sizeof(text))
        return error_set(error, "allow: \"%.40s…\" is not an IP address or range", line);
    memcpy(text, line, length);
    text[length] = '\0';
    if (!address_range_parse(text, &permit->allow[permit->allow_count], error))
        return error_prefix(error, "allow");
    permit->allow_count++;
    return true;
}

static bool read_allow(struct permit *permit, const char *lines, struct error *error)
{
    permit->allow = memory_new(PERMIT_RANGES_MAX, sizeof(*permit->allow));
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");

        if (!add_range(permit, lines, length, error))
            return false;
        lines += length;
        if (*lines == '\n')
            lines++;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    char text_a[ADDRESS_RANGE_SIZE], text_b[ADDRESS_RANGE_SIZE];

    address_range_format(a, text_a);
    address_range_format(b, text_b);
    return strcmp(text_a, text_b);
}

/* A space is in no range and in no certificate's name. */
static void make_key(struct permit *permit)
{
    struct buffer key;

    if (permit->allow_count > 1)
        qsort(permit->allow, permit->allow_count, sizeof(*permit->allow), compare);
    buffer_init(&key, KEY_MAX);
    for (size_t i = 0; i < permit->allow_count; i++) {
        char text[ADDRESS_RANGE_SIZE];

        address_range_format(&permit->allow[i], text);
        buffer_append_format(&key, "%s ", text);
    }
    if (permit->client_certificate != NULL)
        buffer_append_format(&key, "as %s ", permit->client_certificate);
    permit->key = buffer_take(&key);
}

bool permit_is_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strspn(text, allowed);

    return length > 0 && length <= PERMIT_NAME_MAX && text[length] == '\0' && text[0] != '.' &&
           text[0] != '-';
}

static bool take_name(struct permit *permit, const char *name, struct error *error)
{
    if (name == NULL)
        return true;
    if (!permit_is_name(name))
        return error_set(error, "client_certificate \"%.40s\" is not the name of one", name);
    permit->client_certificate = memory_copy_string(name);
    return true;
}

bool permit_make(const char *allow, const char *client_certificate, struct permit **ret_permit,
                 struct error *error)
{
    struct permit *permit;

    *ret_permit = NULL;
    if ((allow == NULL || allow[0] == '\0') && client_certificate == NULL)
        return true;
    permit = memory_new(1, sizeof(*permit));
    if (!read_allow(permit, allow != NULL ? allow : "", error) ||
        !take_name(permit, client_certificate, error)) {
        permit_free(permit);
        return false;
    }
    make_key(permit);
    *ret_permit = permit;
    return true;
}

void permit_free(struct permit *permit)
{
    if (permit == NULL)
        return;
    free(permit->key);
    free(permit->allow);
    free(permit->client_certificate);
    free(permit);
}
