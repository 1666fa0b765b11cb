/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_history.h: the counts of core/history.h, of each endpoint and of all of them.
 *
 * An endpoint has counts from its first outcome in a period to the period's end; one that is
 * freed before leaves them to the period. Memory: 200 bytes for each that has outcomes.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_HISTORY_H
#define POSTRIDER_WORKER_ENDPOINT_HISTORY_H

#include "worker/endpoint_states.h"

void endpoint_count(struct endpoints *endpoints, struct endpoint *endpoint,
                    const struct history_outcome *outcome);

/* Ends the period: what it had is the caller's (history_period_clear()), and a new one begins. */
void endpoints_take_history(struct endpoints *endpoints, struct history_period *ret_period);

/* The endpoint's counts go to the period, whatever becomes of it. */
void endpoint_close_history(struct endpoints *endpoints, struct endpoint *endpoint);

#endif
