/* SPDX-License-Identifier: MIT */
#include "service/loop.h"

#include <event2/event.h>
#include <signal.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"

static const int caught[] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    struct loop *loop = argument;

    (void)what;
    if (number == SIGHUP)
        loop->is_reload_wanted = true;
    else
        loop->stops_wanted++;
}

/* That it ends the wait is all. */
static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

/* Else libevent would write lines of its own form to standard error. */
static void on_libevent_message(int severity, const char *message)
{
    log_event(severity >= EVENT_LOG_WARN ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
              "libevent has something to say", LOG_TEXT("error", message));
}

static void catch_signals(struct loop *loop)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LENGTH(caught); i++) {
        loop->signals[i] = evsignal_new(loop->base, caught[i], on_signal, loop);
        if (loop->signals[i] == NULL || event_add(loop->signals[i], NULL) != 0)
            bug("signal %d could not be caught", caught[i]);
    }
}

void loop_init(struct loop *loop)
{
    *loop = (struct loop){0};
    event_set_log_callback(on_libevent_message);
    loop->base = event_base_new();
    if (loop->base == NULL)
        bug("the event loop could not be made");
    loop->timer = evtimer_new(loop->base, on_timer, loop);
    if (loop->timer == NULL)
        bug("timer could not be made");
    catch_signals(loop);
}

static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LENGTH(caught); i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void loop_free(struct loop *loop)
{
    block_signals();
    for (size_t i = 0; i < ARRAY_LENGTH(loop->signals); i++)
        event_free(loop->signals[i]);
    event_free(loop->timer);
    event_base_free(loop->base);
}

int64_t loop_wait(struct loop *loop)
{
    if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
        bug("the event loop failed");
    return clock_monotonic_us();
}

void loop_wake_at(struct loop *loop, int64_t time_us)
{
    int64_t wait_us = time_us - clock_monotonic_us();
    struct timeval after;

    if (wait_us < 0)
        wait_us = 0;
    after = (struct timeval){wait_us / 1000000, wait_us % 1000000};
    if (evtimer_add(loop->timer, &after) != 0)
        bug("timer could not be set");
}
