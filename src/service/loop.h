/* SPDX-License-Identifier: MIT */
/*
 * service/loop.h: the event loop of a process that systemd starts: its timer, and its signals.
 *
 * SIGTERM and SIGINT are counted, SIGHUP is noted; whoever owns the loop acts on them in its turn and takes them off.
 * SIGPIPE is ignored. A loop must stay where it is in memory until loop_free(). Whatever can't be had ends the
 * process: there is nothing to do without it.
 */
#ifndef POSTRIDER_SERVICE_LOOP_H
#define POSTRIDER_SERVICE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

struct loop {
    struct event_base *base;
    struct event *timer;
    struct event *signals[3];
    int stops_wanted; /* SIGTERM and SIGINT that were not acted on yet */
    bool is_reload_wanted;
};

void loop_init(struct loop *loop);

/* Blocks the signals first: whoever asks again for an end that has come must not make it a death. The process has
 * nothing left to do but to end. */
void loop_free(struct loop *loop);

/* Waits until something happens, but not beyond what loop_wake_at() said last; returns the time after it. */
int64_t loop_wait(struct loop *loop);

/* By clock_monotonic_us(); a time that is past ends the next wait at once. */
void loop_wake_at(struct loop *loop, int64_t time_us);

static inline int64_t loop_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
