/* SPDX-License-Identifier: MIT */
/*
 * db/lanes.h: owning lanes, by leases in webhook_lanes, and the workers' rows in webhook_workers.
 *
 * Leases are taken and renewed by the database's clock. A request of a worker does nothing when a
 * later one of it has been executed: a connection that was lost may still bring it. Workers never
 * wait for each other: each locks its own row, then lanes with SKIP LOCKED. What to ask for is
 * core/lane_leases.h's decision; sets of lanes are bits.
 */
#ifndef POSTRIDER_DB_LANES_H
#define POSTRIDER_DB_LANES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/lane_leases.h"
#include "db/link.h"

/* What a worker says of itself. */
struct lanes_worker {
    const char *owner;
    const char *host;
    int64_t pid;
    const char *version;
    int64_t uptime_ms;
    bool is_leaving;
    int64_t lanes;
    int64_t in_flight;
    int64_t waiting;
    int64_t unwritten;
    uint64_t delivered, retried, failed;
    double rate;
    const char *problems;    /* the JSON of db/worker_problems.h */
    const char *attempt_log; /* the option's value */
    const char *busy;        /* the JSON of worker/own_load.h, as the next one */
    const char *defaults;
    int64_t timeout_ms; /* delivery.timeout */
};

/* A request of core/lane_leases.h, either kind. */
bool lanes_send(struct db_link *link, const struct lanes_worker *worker,
                const struct lane_leases_request *request, int64_t lease_ms,
                db_link_answered *on_answer, void *request_owner) MUST_USE;

/* Of an answer that is DB_ANSWERED: the lanes that were renewed or taken, and the picture. */
uint64_t lanes_renewed(const struct db_answer *answer, const struct lane_leases_request *request);
struct lane_shares_view lanes_view(const struct db_answer *answer);

/* The worker's end: hands all of its lanes back and removes its row. */
bool lanes_send_farewell(struct db_link *link, const char *owner, db_link_answered *on_answer,
                         void *request_owner) MUST_USE;

#endif
