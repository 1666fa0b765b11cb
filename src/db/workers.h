/* SPDX-License-Identifier: MIT */
/*
 * db/workers.h: who delivers, as webhook_workers and webhook_lanes say it; for db/overview.h.
 *
 * A worker that has lanes but no row (nobody but an operator makes such) is there as well, with
 * what is known of it. Reads only; the text belongs to the result.
 */
#ifndef POSTRIDER_DB_WORKERS_H
#define POSTRIDER_DB_WORKERS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define WORKERS_MAX 200 /* rows of an answer */

struct worker_record {
    const char *owner;
    const char *host; /* NULL: it has no row, and so on to problems */
    int64_t pid;
    const char *version;
    bool is_leaving;
    int64_t lanes;
    int64_t lease_ms; /* negative: expired */
    int64_t up_ms;
    int64_t seen_ms; /* ago */
    int64_t in_flight;
    int64_t waiting;
    int64_t unwritten;
    int64_t delivered;
    int64_t retried;
    int64_t failed;
    double rate;           /* deliveries a second */
    const char *problems;  /* the JSON of db/worker_problems.h */
    int64_t oldest_due_ms; /* in its lanes; -1: nothing is due, or it is not known */
};

struct lane_record {
    int64_t lane;
    const char *owner; /* may be NULL */
    bool is_free;      /* of nobody, or its lease has expired */
    int64_t due_ms;    /* the oldest due row's whose endpoint is not paused; -1: none */
};

/* Two statements without parameters, and what a row of their answers says. */
extern const char workers_sql[];
extern const char workers_lanes_sql[];
struct worker_record worker_record_at(const PGresult *result, int row);
struct lane_record lane_record_at(const PGresult *result, int row);

#endif
