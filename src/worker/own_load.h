/* SPDX-License-Identifier: MIT */
/*
 * worker/own_load.h: what this worker does just now, and by which limits, as its row in
 * webhook_workers says it: for the page, which reads neither a worker's memory nor its configuration.
 *
 * Both are made for every renewal of the lease, and bounded: of the endpoints that have requests in
 * flight or deliveries waiting OWN_LOAD_LOOKED are looked at, and the OWN_LOAD_ENDPOINTS with the
 * most in flight are named. Readers pass over what they don't know, and a member never gets another
 * meaning (as in db/worker_problems.h).
 */
#ifndef POSTRIDER_WORKER_OWN_LOAD_H
#define POSTRIDER_WORKER_OWN_LOAD_H

#include "worker/context.h"

#define OWN_LOAD_ENDPOINTS 50
#define OWN_LOAD_LOOKED    1000 /* deliveries in flight, and as many endpoints that wait */

/*
 * An array of objects, the most in flight first; the caller's:
 *   customer, url  whose it is
 *   in_flight      requests
 *   slots          how many it may have at a time as things are: its window
 *   limited        why it gets no further one although deliveries wait: "slots" (its own are all
 *                  taken), "rate" (its rate limit), "origin" (those of its origin); absent: it isn't
 */
char *own_load_busy(const struct worker *worker) MUST_USE;

/* What holds for an endpoint whose row says nothing else: an object with the names that endpoints have
 * in the API. The caller's. */
char *own_load_defaults(const struct config *config) MUST_USE;

#endif
