/* SPDX-License-Identifier: MIT */
#include "command/status_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/status_report.h"

#define CLEAR_SCREEN "\x1b[H\x1b[2J"

static bool may_clear(const struct status_show *show)
{
    const char *terminal = getenv("TERM");

    return !show->json && isatty(STDOUT_FILENO) == 1 && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

static void begin_report(const struct status_show *show, bool is_first)
{
    if (may_clear(show))
        fputs(CLEAR_SCREEN, stdout);
    else if (!is_first && !show->json)
        fputc('\n', stdout);
}

/* In the report's own form where a program reads it. */
static void tell_absence(const struct status_show *show, const struct error *error)
{
    if (show->json)
        status_report_print_error_json(error->message, stdout);
    fprintf(stderr, "postrider: %s; waiting\n", error->message);
}

/* Whatever was wrong with the session: a new one tells whether it still is. */
static bool open_again(struct database *database, struct error *error)
{
    db_session_close(database->session);
    database->session =
        db_session_open(database->config->database.url, database->config->database.schema, error);
    return database->session != NULL;
}

static void sleep_ms(int64_t ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&wait, NULL);
}

/* Shows one, if there is a session for it. */
static bool show_next(struct database *database, const struct status_show *show, bool is_first,
                      bool was_away, struct error *error)
{
    int ignored;

    if (was_away && !open_again(database, error))
        return false;
    begin_report(show, is_first);
    return status_show(database, show, &ignored, error);
}

int status_watch(struct database *database, const struct status_show *show)
{
    bool is_away = false;

    for (bool is_first = true;; is_first = false) {
        struct error error = {0};
        bool was_away = is_away;

        is_away = !show_next(database, show, is_first, was_away, &error);
        if (is_away && !was_away)
            tell_absence(show, &error);
        if (fflush(stdout) != 0 || ferror(stdout))
            return COMMAND_FAILED;
        sleep_ms(show->pause_ms);
    }
}
