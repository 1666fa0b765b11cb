/* SPDX-License-Identifier: MIT */
/*
 * command/status_watch.h: "postrider status --watch": one report after another, for pipes, logs and
 * a corner of the screen; "postrider top" reads it, too.
 *
 * On a terminal each report takes the place of the one before; elsewhere an empty line stands
 * between them, and with json each is one line, so that what reads it need not count braces. A
 * database that is away is said on standard error, once, and waited for. It ends by a signal, or
 * when nobody reads any more.
 */
#ifndef POSTRIDER_COMMAND_STATUS_WATCH_H
#define POSTRIDER_COMMAND_STATUS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "command/database.h"

struct status_show { /* how it is shown */
    bool is_check, json;
    bool is_watching;
    int64_t pause_ms; /* between two reports */
};

/* One report on standard output, and the exit status for it; false: it could not be read, and error
 * says why. (What took too long makes no error, though it leaves a message: db/overview.h.) */
bool status_show(const struct database *database, const struct status_show *show, int *ret_exit,
                 struct error *error) MUST_USE;

/* Returns when standard output is closed. A session that was lost is opened anew. */
int status_watch(struct database *database, const struct status_show *show);

#endif
