/* SPDX-License-Identifier: MIT */
/*
 * core/window.h: how many requests an endpoint, or an origin, may have in flight.
 *
 * An endpoint's starts at WINDOW_START and doubles with each round of successes until the first
 * failure; from then on a round of successes adds one, and a failure takes one away (the additive
 * feedback of Postfix's queue manager, SCHEDULER_README), so that a receiver that fails a share p
 * of its requests settles near (1 - p) / p. When a breaker closes, and after a 429 or a Retry-After
 * (core/scheduler.h), it restarts at 1 without the doubling: a receiver that comes back gets its
 * backlog as a ramp. Always between 1 and the limit.
 *
 * Limit of the method: it feels failures, not slowness; what a slow receiver may occupy is bounded
 * by the limit and by core/scheduler.h's reserve.
 */
#ifndef POSTRIDER_CORE_WINDOW_H
#define POSTRIDER_CORE_WINDOW_H

#include <stdbool.h>

#define WINDOW_START 4

struct window {
    int limit;
    double size;
    bool is_doubling; /* there was no failure yet */
};

/* WINDOW_START, or the limit where there is no reason to begin carefully. */
void window_init(struct window *window, int limit, int size);

/* A smaller limit holds at once; to a larger one it grows. */
void window_set_limit(struct window *window, int limit);

void window_note_success(struct window *window);
void window_note_failure(struct window *window);

/* After an outage, or when less is asked for: one at a time, and slowly more. */
void window_restart(struct window *window);

/* Requests that may be in flight now, at least 1. */
int window_size(const struct window *window);

#endif
