/* SPDX-License-Identifier: MIT */
#include "explain/delivery_time.h"

#include <stdio.h>
#include <string.h>

const char *delivery_time(const char *utc, char text[DELIVERY_TIME_SIZE])
{
    size_t length = strcspn(utc, ".");

    if (utc[length] == '.')
        snprintf(text, DELIVERY_TIME_SIZE, "%.*s UTC", (int)length, utc);
    else
        snprintf(text, DELIVERY_TIME_SIZE, "%s", utc);
    if (strchr(text, 'T') != NULL && length > 10 && text[10] == 'T')
        text[10] = ' ';
    return text;
}
