/* SPDX-License-Identifier: MIT */
#include "command/moment_option.h"

#include <string.h>

/* SQLSTATE class 22 is a value that PostgreSQL can't read; all else is trouble of its own. */
int moment_option(const struct command *self, const struct database *database, const char *option,
                  const char **text, char moment[MOMENT_SIZE])
{
    struct error error = {0};

    if (*text == NULL)
        return COMMAND_OK;
    if (moment_resolve(database->session, *text, moment, &error)) {
        *text = moment;
        return COMMAND_OK;
    }
    if (strncmp(db_session_sqlstate(database->session), "22", 2) != 0)
        return database_fail(database, &error);
    return command_usage_error(
        self, "--%s: \"%s\" is no time; write how long ago, as in 2h, or \"2031-05-17 12:00\"",
        option, *text);
}
