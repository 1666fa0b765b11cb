/* SPDX-License-Identifier: MIT */
/*
 * link_timer.h: lets the time pass that a link waits for, without waiting.
 *
 * The timer is a private matter of db/link.c, so it is looked for among the loop's events.
 */
#ifndef POSTRIDER_TESTS_LINK_TIMER_H
#define POSTRIDER_TESTS_LINK_TIMER_H

#include <stdbool.h>

struct db_link;
struct event_base;

/* Its timer fires in the next turn of the loop. False when the link waits for no time. */
bool link_timer_fire(struct event_base *base, const struct db_link *link);

#endif
