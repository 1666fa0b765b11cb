/* SPDX-License-Identifier: MIT */
/*
 * worker/endpoint_forgetting.h: when an endpoint leaves the memory.
 *
 * One that is idle is remembered for ENDPOINT_KEEP_US after its last delivery, one that was in
 * trouble for longer, and one that is promised to be left alone (Retry-After, the pause of a
 * breaker) until that is over at least. None goes of which a delivery, a note or an awaited read
 * of its backlog is left here.
 *
 * Customers choose how many there are: a URL may be another one for each delivery. Beyond
 * ENDPOINTS_MAX a new one takes the place of one that has nothing here but what it is remembered
 * for: an idle one, else of those with a promise the one for which that ends first. Rows of the
 * backlog of such a one are found again by a sweep. Where none can be spared, there are more.
 *
 * worker/endpoint.c makes room before it makes a new one; worker/worker.c reaps at the end of a
 * turn, now and then. Each does a limited number of steps, however many endpoints there are.
 */
#ifndef POSTRIDER_WORKER_ENDPOINT_FORGETTING_H
#define POSTRIDER_WORKER_ENDPOINT_FORGETTING_H

#include "worker/endpoint_states.h"

#define ENDPOINT_KEEP_US 60000000

/* One that was in trouble is remembered longer than what it was promised: its failures in a row. */
#define ENDPOINT_KEEP_TROUBLED_US 3600000000

/* So many are remembered by these times; more only when they can't be spared. */
#define ENDPOINTS_MAX 65536

/* For so long after a backlog has been given up, sweeps bring rows that were here before. */
#define ENDPOINTS_FULL_US 10000000

/* Room for one more: of who has been idle for longest, else of those whose promise ends first. */
void endpoints_make_room(struct endpoints *endpoints, int64_t now_us);

/* Frees idle endpoints that were not used for ENDPOINT_KEEP_US, and are promised nothing. */
void endpoints_reap(struct endpoints *endpoints, int64_t now_us);

/* Whatever is remembered of it; no delivery may point to it any more. */
void endpoint_free(struct endpoints *endpoints, struct endpoint *endpoint, int64_t now_us);

#endif
