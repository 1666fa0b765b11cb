/* SPDX-License-Identifier: MIT */
#include "listen/accepting.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "listen/socket.h"

#define IN_ONE_TURN 64
#define TELL_US     INT64_C(60000000)

struct accepting {
    const struct listen_socket *socket;
    accepting_client *on_client;
    void *owner;
    struct event *acceptable, *pause;
    bool has_room;
    bool is_pausing;
    bool is_short;   /* the log has said that clients can't be taken */
    int64_t tell_us; /* not before */
};

static void watch(const struct accepting *accepting)
{
    bool is_wanted = accepting->has_room && !accepting->is_pausing;

    if ((is_wanted ? event_add(accepting->acceptable, NULL) : event_del(accepting->acceptable)) !=
        0)
        bug("the listening socket could not be watched");
}

static void pause_for(struct accepting *accepting, int cause)
{
    int64_t now_us = clock_monotonic_us();
    const struct timeval after = {.tv_usec = ACCEPTING_PAUSE_US};
    const char *hint = cause == EMFILE ? "raise LimitNOFILE= of the unit, or \"ulimit -n\" of who "
                                         "starts it, and start it again"
                       : cause == ENFILE ? "raise fs.file-max with sysctl"
                                         : "look what else the machine has run out of";

    accepting->is_pausing = true;
    if (evtimer_add(accepting->pause, &after) != 0)
        bug("timer could not be set");
    watch(accepting);
    if (accepting->is_short || now_us < accepting->tell_us)
        return;
    accepting->is_short = true;
    accepting->tell_us = now_us + TELL_US;
    log_event(LOG_LEVEL_ERROR, "clients can't be accepted and have to wait",
              LOG_TEXT("option", accepting->socket->key), LOG_TEXT("error", strerror(cause)),
              LOG_TEXT("hint", hint));
}

static void note_enough(struct accepting *accepting)
{
    if (accepting->is_short)
        log_event(LOG_LEVEL_INFO, "clients are accepted again",
                  LOG_TEXT("option", accepting->socket->key));
    accepting->is_short = false;
}

/* The system takes a descriptor before it looks whether a client is there. */
static bool somebody_waits(int listening)
{
    struct pollfd asked = {.fd = listening, .events = POLLIN};

    return poll(&asked, 1, 0) == 1;
}

/* An error of the client's connection, which Linux tells of here: accept(2). */
static bool is_clients(int cause)
{
    static const int causes[] = {EINTR,       ECONNABORTED, EPERM,     EPROTO,
                                 ENOPROTOOPT, ENETDOWN,     EHOSTDOWN, EHOSTUNREACH,
                                 ENETUNREACH, ENONET,       EOPNOTSUPP};

    for (size_t i = 0; i < ARRAY_LENGTH(causes); i++)
        if (cause == causes[i])
            return true;
    return false;
}

static void on_acceptable(evutil_socket_t listening, short what, void *argument)
{
    struct accepting *accepting = argument;

    (void)what;
    for (int i = 0; i < IN_ONE_TURN && accepting->has_room; i++) {
        int socket = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket >= 0)
            accepting_set_room(accepting, accepting->on_client(accepting->owner, socket));
        else if (errno == EAGAIN) {
            note_enough(accepting);
            return;
        } else if (!is_clients(errno)) {
            int cause = errno;

            if (somebody_waits(listening))
                pause_for(accepting, cause);
            return;
        }
    }
}

static void on_pause_over(evutil_socket_t socket, short what, void *argument)
{
    struct accepting *accepting = argument;

    (void)socket;
    (void)what;
    accepting->is_pausing = false;
    watch(accepting);
}

struct accepting *accepting_new(struct event_base *base, const struct listen_socket *socket,
                                accepting_client *on_client, void *owner)
{
    struct accepting *accepting = memory_new(1, sizeof(*accepting));

    accepting->socket = socket;
    accepting->on_client = on_client;
    accepting->owner = owner;
    accepting->acceptable =
        event_new(base, socket->socket, EV_READ | EV_PERSIST, on_acceptable, accepting);
    accepting->pause = evtimer_new(base, on_pause_over, accepting);
    if (accepting->acceptable == NULL || accepting->pause == NULL)
        bug("an event could not be made");
    accepting->has_room = true;
    watch(accepting);
    return accepting;
}

void accepting_free(struct accepting *accepting)
{
    if (accepting == NULL)
        return;
    event_free(accepting->acceptable);
    event_free(accepting->pause);
    free(accepting);
}

void accepting_set_room(struct accepting *accepting, bool has_room)
{
    if (accepting->has_room == has_room)
        return;
    accepting->has_room = has_room;
    watch(accepting);
}
