/* SPDX-License-Identifier: MIT */
#include "db/hosts.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static unsigned count_entries(const char *list)
{
    unsigned count = 1;

    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

/* The list from its entry turn on, then those before; one entry stands for all of them. */
static char *rotated(const char *list, unsigned turn)
{
    struct buffer text;
    const char *middle = list;

    if (list == NULL || count_entries(list) == 1)
        return NULL;
    for (turn %= count_entries(list); turn > 0; turn--)
        middle = strchr(middle, ',') + 1;
    buffer_init(&text, strlen(list) + 1);
    buffer_append_string(&text, middle);
    if (middle > list) {
        buffer_append_string(&text, ",");
        buffer_append(&text, list, (size_t)(middle - list) - 1);
    }
    return buffer_take(&text);
}

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

void hosts_rotate(const char *url, unsigned turn, struct hosts *ret)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);

    *ret = (struct hosts){NULL, NULL, NULL};
    /* What is wrong with the URL, libpq says when the connection is begun. */
    if (options == NULL)
        return;
    ret->host = rotated(value_of(options, "host"), turn);
    ret->hostaddr = rotated(value_of(options, "hostaddr"), turn);
    ret->port = rotated(value_of(options, "port"), turn);
    PQconninfoFree(options);
}

void hosts_free(struct hosts *hosts)
{
    free(hosts->host);
    free(hosts->hostaddr);
    free(hosts->port);
}
