/* SPDX-License-Identifier: MIT */
/*
 * worker/context.h: what the parts of the worker share.
 *
 * One thread, one libevent loop, one struct worker. Each part is one file with its own state. Most
 * have a step that does what can be done now, and a _next_us() that says when it will have
 * something to do without an event: reloading acts on what others have told, and needs no time;
 * refilling is asked by finding's step. Callbacks translate an event and return; new work
 * starts only in the steps, which the loop turn (worker.c) runs in its written order. A part
 * changes its own state, which nobody else can see, and calls what other parts' headers offer; it
 * never runs another part's step.
 *
 * What is kept of the configuration is set in worker/configuring.c; all else is read from
 * worker->config each time that it matters.
 */
#ifndef POSTRIDER_WORKER_CONTEXT_H
#define POSTRIDER_WORKER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "db/link.h"
#include "service/loop.h"
#include "worker/delivery.h"
#include "worker/endpoint.h"
#include "worker/meters.h"

#define WORKER_NEVER    INT64_MAX
#define WORKER_NO_CLOCK INT64_MIN

enum worker_phase {
    WORKER_RUNNING,
    WORKER_DRAINING, /* SIGTERM: lanes go to others, what is in flight ends */
    WORKER_DONE,     /* the loop ends */
};

struct worker {
    struct config *config; /* the one in force */
    struct loop loop;
    int64_t now_us;   /* of this turn */
    int64_t clock_us; /* the database's clock less now_us; WORKER_NO_CLOCK: nobody knows */
    bool may_send;    /* in this turn: running or draining, connected, schema and requirements met,
                       lanes owned */
    enum worker_phase phase;
    int64_t drain_until_us;
    int exit_status;

    struct db_link *reading; /* finds rows, loads settings */
    struct db_link *writing; /* records outcomes, leases, cleans up */
    bool is_schema_checked;  /* its version fits: connecting.c says so */
    int64_t reap_us;         /* next look at idle endpoints */

    struct deliveries deliveries;
    struct endpoints endpoints;
    struct meters meters;

    /* Each part's own: what it is made of stands in its .c, and others ask by its header. */
    struct alerting *alerting;
    struct charting *charting;
    struct checking *checking;
    struct connecting *connecting;
    struct disabling *disabling;
    struct erasing *erasing;
    struct finding *finding;
    struct leasing *leasing;
    struct loading *loading;
    struct monitoring *monitoring;
    struct promises *promises;
    struct promoted *promoted;
    struct promoting *promoting;
    struct recording *recording;
    struct refilling *refilling;
    struct replaying *replaying;
    struct reporting *reporting;
    struct requiring *requiring;
    struct retaining *retaining;
    struct sending *sending;
    struct supervision *supervision;
    struct tracing *tracing;
    struct waking *waking;
};

/* True while both links to the database are up. */
bool worker_is_connected(const struct worker *worker);

/* Ends the loop with an error line: something that an operator must mend. */
void worker_give_up(struct worker *worker, const char *message, const char *hint);

#endif
