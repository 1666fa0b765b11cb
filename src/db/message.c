/* SPDX-License-Identifier: MIT */
#include "db/message.h"

#include <stdio.h>
#include <string.h>

/* libpq ends its messages with a newline and may put several lines into one. */
void message_copy(char out[MESSAGE_SIZE], const char *message)
{
    size_t length;

    snprintf(out, MESSAGE_SIZE, "%s", message != NULL && *message != '\0' ? message : "no reason");
    length = strlen(out);
    while (length > 0 && out[length - 1] == '\n')
        out[--length] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
}
