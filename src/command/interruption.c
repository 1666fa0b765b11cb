/* SPDX-License-Identifier: MIT */
#include "command/interruption.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SQLSTATE_CANCELLED "57014"

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

static volatile sig_atomic_t noted;
static PGcancel *volatile running;

static void on_signal(int number)
{
    int saved = errno;
    char reason[256];

    if (noted == 0)
        noted = number;
    if (running != NULL) /* the answer to the statement tells whether it was taken */
        PQcancel(running, reason, sizeof(reason));
    errno = saved;
}

void interruption_bear_closed_output(void)
{
    signal(SIGPIPE, SIG_IGN);
}

void interruption_begin(const struct database *database)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;

    /* The next one finds the default, also while the handler still asks the server. */
    action.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
    running = PQgetCancel(db_session_connection(database->session));
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
        if (sigaction(signals[i].number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i].number, &action, NULL);
    interruption_bear_closed_output();
}

void interruption_end(void)
{
    PGcancel *cancel = running;

    running = NULL;
    PQfreeCancel(cancel);
}

const char *interruption_name(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++)
        if (signals[i].number == noted)
            return signals[i].name;
    return NULL;
}

int interruption_status(void)
{
    return 128 + noted;
}

bool interruption_is_cause(const struct database *database)
{
    return noted != 0 && strcmp(db_session_sqlstate(database->session), SQLSTATE_CANCELLED) == 0;
}

void interruption_sleep(int64_t us)
{
    struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    if (us > 0)
        while (noted == 0 && nanosleep(&wait, &wait) != 0 && errno == EINTR)
            continue;
}

bool interruption_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}
