/* SPDX-License-Identifier: MIT */
/*
 * worker/own_problems.h: what is wrong here, as this worker's row in webhook_workers says it.
 *
 * A short list that "postrider status" shows beside the worker: each with a name of one word for
 * programs and a sentence without its full stop. It is made for every renewal of the lease, so it
 * is what holds then, and bounded in number and size. Parts of the worker add to it here; what
 * concerns one delivery is the log's and the attempt log's.
 */
#ifndef POSTRIDER_WORKER_OWN_PROBLEMS_H
#define POSTRIDER_WORKER_OWN_PROBLEMS_H

#include "worker/context.h"

struct lane_leases;

/*
 * The JSON of db/worker_problems.h; the caller's. Lanes are leasing's, which asks for this: leases are
 * its own as they are now, cut_off_us is since when rows can't be read while outcomes can be written
 * (0: they can).
 */
char *own_problems_describe(const struct worker *worker, const struct lane_leases *leases,
                            int64_t cut_off_us) MUST_USE;

#endif
