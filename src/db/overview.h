/* SPDX-License-Identifier: MIT */
/*
 * db/overview.h: the state of the whole queue, cheap on tables of any size.
 *
 * Every count ends at a limit and every statement after OVERVIEW_TIMEOUT_MS, since somebody in
 * trouble asks, of a database that may be in trouble: what could not be found out in time is
 * unknown, not an error. Uses the indexes that the worker and retention need anyway; so what was
 * delivered is counted by the time of creation, not of delivery. Reads only.
 */
#ifndef POSTRIDER_DB_OVERVIEW_H
#define POSTRIDER_DB_OVERVIEW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/alerts.h"
#include "db/replays.h"
#include "db/session.h"
#include "db/workers.h"

#define OVERVIEW_TIMEOUT_MS  3000
#define OVERVIEW_BUSY_MAX    8
#define OVERVIEW_FAILING_MAX 12
#define OVERVIEW_LATE_MS     60000 /* a row that is due for longer is late */
#define OVERVIEW_PARTS_MAX   20

struct overview_count {
    int64_t number; /* -1: unknown */
    bool is_more;   /* counting ended at the limit */
};

struct overview_created {
    struct overview_count total;
    struct overview_count delivered;
    struct overview_count pending;
    struct overview_count failed;
};

struct overview_endpoint {
    const char *url;
    struct overview_count due;
    struct overview_count retrying; /* attempted, and due later */
    struct overview_count failures; /* attempts of the last hour, from the attempt log */
    const char *last_error;         /* may be NULL */
    bool is_disabled;               /* for one customer at least */
    const char *oldest_delivery;    /* the pending one that is due first; NULL: there is none */
};

/* Text belongs to the overview. */
struct overview {
    const char *now;
    const char *database;

    bool has_workers; /* they could be read */
    size_t worker_count;
    struct worker_record *workers; /* those that are alive first */
    size_t lane_count;
    struct lane_record *lanes;
    int64_t free_lanes; /* owned by nobody, or by a lease that has expired; -1: unknown */

    struct overview_count due;
    struct overview_count later;    /* not attempted, and due later */
    struct overview_count retrying; /* attempted, and due later */
    int64_t pending_estimate;       /* of the last vacuum or analyze; -1: none */
    int64_t oldest_due_ms;          /* -1: nothing is due; or unknown, with due_free_lanes */
    int64_t due_free_lanes;         /* lanes with due rows that no worker owns; -1: unknown */
    int64_t late_lanes;             /* owned, and with a row that is due for OVERVIEW_LATE_MS */

    struct overview_created last_minute; /* by created_at */
    struct overview_created last_hour;

    struct overview_count dead;
    struct overview_count dead_last_minute;
    struct overview_count dead_last_hour;
    struct overview_count dead_without_secret; /* of those of the last hour */
    struct overview_count failures_last_minute;
    struct overview_count failures_last_hour;

    size_t replay_count;
    struct replay *replays; /* those that have not finished */

    bool has_alerts; /* they could be read */
    size_t alert_count;
    struct alert_record *alerts; /* those that are open */

    size_t endpoint_count;
    struct overview_endpoint *endpoints; /* those with the most to do, those that fail the most */
    struct overview_count failing_endpoints; /* in the last hour; those that are not shown too */
    int64_t disabled_endpoints;              /* -1: unknown */
    int64_t paused_endpoints;                /* likewise */
    const char *paused_since;                /* the first of them; NULL: there is none */
    struct overview_count blocked_keys;      /* ordering keys that wait behind a dead letter */
    const char *blocked_head;                /* the first delivery of one; NULL: there is none */

    PGresult *results[OVERVIEW_PARTS_MAX]; /* what the text is in */
    size_t results_count;
};

bool overview_read(struct db_session *session, struct overview *ret_overview,
                   struct error *error) MUST_USE;
void overview_free(struct overview *overview);

#endif
