/* SPDX-License-Identifier: MIT */
#include "core/keep_alive.h"

#include <string.h>
#include <strings.h>

#define NUMBER_MAX INT64_C(1000000000) /* all that is more is this */

static const char separators[] = ",; \t";

/* The digits behind "name =", quoted or not; NULL when the parameter is another one. */
static const char *find_digits(const char *parameter, const char *name)
{
    size_t length = strlen(name);
    const char *at = parameter + length;

    if (strncasecmp(parameter, name, length) != 0)
        return NULL;
    at += strspn(at, " \t");
    if (*at != '=')
        return NULL;
    at++;
    at += strspn(at, " \t\"");
    return *at >= '0' && *at <= '9' ? at : NULL;
}

static void take_number(const char *parameter, const char *name, int64_t *known)
{
    const char *digit = find_digits(parameter, name);
    int64_t number = 0;

    if (digit == NULL)
        return;
    for (; *digit >= '0' && *digit <= '9' && number < NUMBER_MAX; digit++)
        number = number * 10 + (*digit - '0');
    if (number > NUMBER_MAX)
        number = NUMBER_MAX;
    if (*known == KEEP_ALIVE_UNSAID || number < *known)
        *known = number;
}

void keep_alive_read(struct keep_alive *known, const char *value)
{
    const char *at = value + strspn(value, separators);

    while (*at != '\0') {
        take_number(at, "timeout", &known->timeout_s);
        take_number(at, "max", &known->max_requests);
        at += strcspn(at, separators);
        at += strspn(at, separators);
    }
}
