/* SPDX-License-Identifier: MIT */
/*
 * core/scheduler_states.h: the parts of the scheduler that its files share.
 *
 *   scheduler.c          who is there, and whose turn it is
 *   scheduler_results.c  what the result of a request says
 *   scheduler_states.c   where an entry belongs: its state and list, and what its origin lets
 * through
 *
 * Nobody else includes this; core/scheduler.h is the contract.
 */
#ifndef POSTRIDER_CORE_SCHEDULER_STATES_H
#define POSTRIDER_CORE_SCHEDULER_STATES_H

#include "core/scheduler.h"

/* Besides the reserve. */
bool scheduler_has_free_slots(const struct scheduler *scheduler);

/* The one setter; lists and timers follow it. at_us: with SCHEDULER_TIMED. */
void scheduler_set_state(struct scheduler *scheduler, struct scheduler_entry *entry,
                         enum scheduler_state state, int64_t at_us);

/* Puts an entry where it belongs after something has changed. */
void scheduler_settle(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us,
                      bool has_had_turn);

/* The same for all of an origin, whose breaker has opened or closed. */
void scheduler_settle_all(struct scheduler *scheduler, struct scheduler_origin *origin,
                          int64_t now_us);

/* Notes what it is taken for now, and reports a change. */
void scheduler_note_standing(struct scheduler *scheduler, struct scheduler_entry *entry);

/* How many requests more may go to it now. */
int scheduler_origin_room(const struct scheduler *scheduler, const struct scheduler_origin *origin,
                          int64_t now_us);

/* Lets through as many of those that wait for it as there is room for. */
void scheduler_serve_origin(struct scheduler *scheduler, struct scheduler_origin *origin,
                            int64_t now_us);

/* To when its breaker lets a probe through, if anybody waits. */
void scheduler_set_origin_timer(struct scheduler *scheduler, struct scheduler_origin *origin,
                                int64_t now_us);

void scheduler_note_origin_trouble(struct scheduler *scheduler, struct scheduler_origin *origin);

#endif
