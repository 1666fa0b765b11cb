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

#define PROBLEMS_LIST_MAX 8

/*
 * Endpoints and origins that are listed by name, in "held" of the problem "breakers": what is
 * probed or left alone, for how long already, and when it is asked next; and in "held" of the
 * problem "secrets": whose secrets can't be opened; and in "endpoints" of "unread_secrets": whose
 * secrets can't all be read, while others sign. Longer URLs are left out.
 */
#define PROBLEMS_HELD_MAX     50
#define PROBLEMS_HELD_URL_MAX 500

/* A JSON array; the caller's. */
char *own_problems_describe(const struct worker *worker) MUST_USE;

#endif
