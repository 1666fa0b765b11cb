/*
 * worker/context.h: what the parts of the worker share.
 *
 * One thread, one libevent loop, one struct worker. Each part is one file with its own state below,
 * a step that does what can be done now, and a _next_us() that says when it will have something to
 * do without an event. Callbacks translate an event and return; new work starts only in the steps,
 * which the loop turn (worker.c) runs in its written order. A part changes its own state and calls
 * what other parts' headers offer; it never runs another part's step.
 */
#ifndef POSTRIDER_WORKER_CONTEXT_H
#define POSTRIDER_WORKER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/finder.h"
#include "core/gathering.h"
#include "core/idleness.h"
#include "core/leases.h"
#include "core/outages.h"
#include "core/returns.h"
#include "core/standstill.h"
#include "core/wall_guard.h"
#include "db/due.h"
#include "db/endpoint_health.h"
#include "db/endpoints.h"
#include "db/link.h"
#include "db/outcomes.h"
#include "db/retention.h"
#include "http/engine.h"
#include "worker/delivery.h"
#include "worker/endpoint.h"

#define WORKER_NEVER INT64_MAX

struct event;
struct event_base;

/* Rows are read into the queues (finding.c). */
struct finding {
    struct finder finder;
    struct due_reader reader;
    struct finder_plan plan; /* of the outstanding read */
    bool is_reading;         /* a read or a fetch is outstanding */
    int64_t started_us;      /* of it */
    int found_count;         /* ids that were found without their rows, to be fetched */
    char (*found)[37];       /* FINDER_ROWS_MAX of them */
    bool was_refill;         /* the last read was one: they take turns with the others */
    int refills_count;       /* of the outstanding refill */
    struct refill {
        struct backlog *backlog;
        int rows; /* that came */
        bool has_last;
        struct position last;
    } refills[DUE_REFILL_MAX];
};

enum waking_state {
    WAKING_UNKNOWN, /* whether this connection may listen */
    WAKING_ASKED,   /* the database is being asked, or told to listen */
    WAKING_READY,
    WAKING_UNAVAILABLE,
};

/* Producers wake an idle worker (waking.c). */
struct waking {
    enum waking_state state;
    struct idleness idleness;
    int64_t admitted_noted; /* of deliveries.admitted */
    bool is_notified;       /* a read must follow */
    int64_t asked_until_us; /* producers notify until then */
    int64_t poll_us;        /* the next poll while crowded */
};

/* Settings of endpoints are loaded (loading.c). */
struct loading {
    struct endpoint_loader loader;
    int count; /* endpoints in the outstanding request, 0 = none */
    struct endpoint *endpoints[ENDPOINTS_LOAD_MAX];
    int64_t not_before_us; /* after a refusal */
};

/* An HTTP engine and the configuration that it was made of. */
struct sending_engine {
    struct http_engine *engine;
    struct config *config;
};

/* Requests are made (sending.c). */
struct sending {
    size_t slots; /* requests at a time: worker.max_in_flight, or what open files allow */
    struct sending_engine current;
    struct sending_engine retired; /* of the configuration before, until its requests have ended */
    struct request_headers headers;
    struct buffer signature;
};

/* Outcomes are written (recording.c). */
struct recording {
    struct outcome_writer writer;
    struct gathering gathering;
    struct standstill standstill;
    struct returns returns;
    bool is_writing;
    enum outcome_part part; /* that is being written */
    int64_t not_before_us;  /* after a refusal that was no record's fault */
    int refused_alike;      /* such refusals in a row */
    int64_t alone_until_us; /* outcomes are written alone: what goes with them was refused */
    size_t batch_limit;   /* halved when a batch is refused, to find the record that is to blame */
    size_t held;          /* outcomes that were refused or undone, and are written again */
    char reason[160];     /* why the last one of them was not taken */
    bool is_owed_refused; /* the part that is owed was refused once */
    bool has_alone;       /* a batch was written so since the start */
    unsigned owed;        /* parts of the last batch that are not written yet, a bit each */
    int64_t returned_us;  /* when a row last came back again and again; 0 = never */
    char returned[37];    /* ... its id */
};

/* Deleting what was kept for long enough (cleaning.c). */
struct cleaning {
    bool is_running;
    int64_t due_us; /* the next batch */
};

/* Endpoints that do nothing but fail are written down (disabling.c). */
struct disabling {
    struct endpoint_health_writer writer;
    bool is_writing;
};

/* What the database must give, and whether it does (requiring.c). */
struct requiring {
    bool is_asking;
    bool is_known; /* since the connection was made */
    bool is_met;
    bool bars_version, bars_lanes; /* what is unmet refuses to read the version, to own lanes */
    int unmet;
    char *problem, *action; /* of the first that is unmet; NULL: it was all met when last asked */
    int64_t asked_us;
    int64_t refused_us; /* the pause after it was refused; 0: it was not */
    int64_t due_us;     /* asked again */
    int64_t tell_us;    /* told again */
    int64_t tell_pause_us;
};

/* Lanes are owned (leasing.c). */
struct leasing {
    char owner[128];
    char host[64];
    int64_t started_us;
    struct leases leases;
    uint64_t applied;                    /* the lanes that the reader owns */
    uint64_t left_at_read[SHARES_LANES]; /* number of the last read when the lane was left */
    bool is_releasing;
    bool is_released;
    int logged_lanes;   /* the number that was last said; -1 = none was */
    int64_t cut_off_us; /* since then rows can't be read; 0 = they can */
    int64_t sampled_us; /* the rate: deliveries between two renewals */
    uint64_t sampled_count;
    double rate;
};

/* Lines of the log that would be too many, when all endpoints get into the same trouble (report.c).
 */
struct reporting {
    int64_t hold_us; /* when the last one was written; 0 = never */
    int64_t holds_unlogged;
    int64_t removal_us; /* the same of what retention deletes */
    struct retention_counts removals_unlogged;
    int64_t unsettled_us; /* the same of outcomes that do not stay */
    int64_t unsettled_unlogged;
    int64_t unread_us; /* the same of secrets that can't be read beside others */
    int64_t unread_unlogged;
};

/* Since the start; for the status line. */
struct worker_totals {
    uint64_t delivered, retried, failed;
};

enum worker_phase {
    WORKER_RUNNING,
    WORKER_DRAINING, /* SIGTERM: lanes go to others, what is in flight ends */
    WORKER_DONE,     /* the loop ends */
};

struct worker {
    struct config *config; /* the one in force */
    struct event_base *base;
    struct event *tick;
    struct event *signals[3];
    int64_t now_us; /* of this turn */
    bool may_send;  /* in this turn: running, connected, schema and requirements met, lanes owned */
    enum worker_phase phase;
    int64_t drain_until_us;
    int exit_status;
    bool is_reload_wanted;
    int stops_wanted; /* SIGTERM and SIGINT that were not acted on yet */

    struct db_link *reading; /* finds rows, loads settings */
    struct db_link *writing; /* records outcomes, leases, cleans up */
    bool is_schema_checked;
    bool is_checking_schema;
    int64_t check_schema_us, check_pause_us; /* the next check, after a refusal */
    struct requiring requiring;
    struct outages outages;

    struct deliveries deliveries;
    struct endpoints endpoints;
    struct finding finding;
    struct waking waking;
    struct loading loading;
    struct sending sending;
    struct recording recording;
    struct disabling disabling;
    struct leasing leasing;
    struct worker_totals totals;
    struct reporting reporting;
    struct cleaning cleaning_deliveries, cleaning_endpoints;
    struct wall_guard wall;     /* the time that retention goes by */
    int64_t watchdog_us;        /* 0 = systemd doesn't want pings */
    int64_t ping_us;            /* next ping and status line */
    const char *condition_told; /* the status line's first words; a constant */
    int64_t reap_us;            /* next look at idle endpoints */
};

/* True while both links to the database are up. */
bool worker_is_connected(const struct worker *worker);

/* Ends the loop with an error line: something that an operator must mend. */
void worker_give_up(struct worker *worker, const char *message, const char *hint);

/* Drops the waiting deliveries of the lanes that are not owned any more, and forgets their backlogs
 * (all of them: when none is). */
void worker_drop_waiting(struct worker *worker);

#endif
