/* SPDX-License-Identifier: MIT */
/*
 * worker/worker.h: the worker: the loop turn that runs the parts (worker/context.h).
 *
 * Every turn has the same order (worker.c):
 *   events → clock → signals → finished transfers → database answers → requirements → schema's
 *   version → history → leases → reload → start deliveries → ask for settings → ask to be woken →
 *   drop what was erased → ask for rows → write outcomes → endpoints' health → retention →
 *   metrics.listen → systemd → drain → free the forgotten
 * and the loop sleeps until an event or the first of the parts' next times.
 */
#ifndef POSTRIDER_WORKER_WORKER_H
#define POSTRIDER_WORKER_WORKER_H

struct config;

/* Runs until a signal ends it; takes over config. Returns the exit status of the process. */
int worker_run(struct config *config);

#endif
