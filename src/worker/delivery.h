/* SPDX-License-Identifier: MIT */
/*
 * worker/delivery.h: the deliveries that this worker knows, and the states that they go through.
 *
 *   waiting    → in flight, finished (it can't be sent), forgotten (dropped)
 *   in flight  → finished, forgotten (abandoned when the worker stops at once), undecided,
 *                waiting (the engine could not send it, by settings older than its row)
 *   undecided  → finished
 *   finished   → recording
 *   recording  → forgotten, finished (the write was refused, undone or lost, and is made again)
 *   forgotten  → freed
 * Dropped and abandoned rows are as they were in the database, and will be read again.
 *
 * A delivery is in exactly one state's list, and only delivery_set_state() moves it. It is known by
 * its id from the time when its row is read until it is freed; a known row is not admitted a second
 * time. A forgotten one is freed at the end of a loop turn, but not while a read that was sent
 * before it was forgotten is unanswered: that read may show the row as it was before.
 *
 * Owner: struct deliveries owns every delivery. Others keep pointers only while they are in a list.
 */
#ifndef POSTRIDER_WORKER_DELIVERY_H
#define POSTRIDER_WORKER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "core/outcome.h"
#include "core/phases.h"
#include "core/position.h"
#include "core/queue.h"
#include "core/scheduler.h"
#include "core/settlement.h"
#include "core/span.h"
#include "core/traceparent.h"
#include "db/due.h"
#include "worker/event_bodies.h"

struct endpoint;
struct worker;

enum delivery_state {
    DELIVERY_WAITING,   /* in its endpoint's queue */
    DELIVERY_IN_FLIGHT, /* the HTTP engine has it */
    DELIVERY_UNDECIDED, /* it has failed for good by settings older than its row: asked again */
    DELIVERY_FINISHED,  /* its outcome is to be written */
    DELIVERY_RECORDING, /* its outcome is being written */
    DELIVERY_FORGOTTEN, /* about to be freed */
    DELIVERY_STATES,
};

/* How many deliveries an endpoint has here; it owns this, and delivery.c counts. */
struct delivery_tally {
    size_t known;     /* in any state */
    size_t under_way; /* begun, and their outcomes not settled yet */
};

struct delivery {
    UT_hash_handle by_id;
    TAILQ_ENTRY(delivery) in_state; /* the list of its state */
    struct queue_row queued;        /* in its endpoint's queue, while it waits */
    enum delivery_state state;
    struct endpoint *endpoint;
    struct delivery_tally *tally; /* of its endpoint */
    struct worker *worker;        /* for the HTTP engine's callback */
    int lane;
    int attempts; /* as it was read */
    char id[37];
    char event_id[37];
    char url_hash[24];
    char due_at[POSITION_TIME_SIZE]; /* next_retry_at, as it was read */
    char *payload; /* NULL once it is no longer needed, or when it was too large to be fetched */
    size_t payload_length;
    struct event_body *body; /* of an event's, and payload is its text; NULL when no more needed */
    int64_t payload_bytes;   /* as the database measured it */
    bool is_erased;          /* there is nothing to be sent any more */
    bool is_removed;         /* it fails since its endpoint is gone, unless that is elsewhere */
    bool is_of_event;        /* it was made for an event, by what its endpoint subscribes to */
    bool is_ordered;         /* ... one with an ordering key */
    int ordering_bucket;     /* ... of the key's lock */
    bool was_promised;       /* its row has no time (worker/promises.h) */
    char previous[37];       /* the event before it in its key; "": none */
    char trace_id[TRACE_ID_SIZE]; /* of the event's traceparent, for the log; "": none */
    uint64_t read_at_load; /* its endpoint's settings must be of a later load to condemn it */

    struct scheduler_ticket ticket; /* in flight */
    struct span *span;              /* ... of its attempt; NULL: it gets none */
    int64_t started_us;
    int64_t finished_us;
    struct phases phases;   /* of its attempt, once that is over */
    struct attempt attempt; /* from undecided on */
    struct outcome outcome;
    int response_status;        /* 0 = no answer */
    char *error;                /* NULL = none */
    char *response_body;        /* valid UTF-8; NULL = none */
    int64_t not_before_us;      /* finished: not to be written before */
    int refusals;               /* how often the database refused its outcome, or it did not stay */
    bool is_hopeless;           /* ... for a reason that does not end by itself */
    bool was_sent_twice;        /* the first answer of the database was lost */
    enum settlement settlement; /* recording: of its outcome */
    bool came_back;             /* ... the answer of the database has its row */
    bool was_alone;             /* its outcome was sent without what goes with it */
    bool is_in_log;             /* its attempt is in the attempt log, though the row came back */
    bool is_dropped; /* forgotten without having been sent: its row may be read again at once */
    uint64_t forgotten_at_read;
};

#define DELIVERIES_ASKED_MAX 20000

TAILQ_HEAD(delivery_list, delivery);

struct deliveries {
    struct delivery *by_id;
    struct delivery_list lists[DELIVERY_STATES];
    size_t counts[DELIVERY_STATES];
    int64_t payload_bytes; /* of their own, in memory, in all states */
    struct event_bodies bodies;
    int64_t admitted;     /* since the start */
    uint64_t newest_read; /* number of the last read that was sent */
    char (*asked)[37];    /* ids of rows that are to be fetched, DELIVERIES_ASKED_MAX of them */
    int asked_count;
};

void deliveries_init(struct deliveries *deliveries);
void deliveries_free(struct deliveries *deliveries);

/* Of all payloads in memory, an event's counted once. */
int64_t deliveries_buffered_bytes(const struct deliveries *deliveries);

/* The delivery with this id, in any state; NULL when it isn't known. */
struct delivery *deliveries_find(struct deliveries *deliveries, const char *id);

/* A new delivery in DELIVERY_WAITING; the row is copied. The caller puts it into its endpoint. */
struct delivery *delivery_new(struct deliveries *deliveries, const struct due_row *row,
                              struct endpoint *endpoint, struct delivery_tally *tally);

/* The one setter. A move that is not listed above is a bug and aborts. */
void delivery_set_state(struct deliveries *deliveries, struct delivery *delivery,
                        enum delivery_state state);

/* Forgets a waiting one whose row is left as it was; the caller has taken it from its endpoint. */
void delivery_drop(struct deliveries *deliveries, struct delivery *delivery);

/* Frees the payload: from now on only the outcome matters. */
void delivery_drop_payload(struct deliveries *deliveries, struct delivery *delivery);

/* Frees a forgotten delivery at once: its row was seen in a newer state. */
void delivery_expire(struct deliveries *deliveries, struct delivery *delivery);

/* Its row may be pending, at a time that was passed, and is to be fetched by its id, by a read that is
 * sent after this. Beyond DELIVERIES_ASKED_MAX a sweep finds it. */
void deliveries_ask_for(struct deliveries *deliveries, const char *id);
/* The first count of them have been asked for. */
void deliveries_end_asking(struct deliveries *deliveries, int count);

/* Lanes (a bit each) with something that was begun and is not settled. Looks at all of it. */
uint64_t deliveries_lanes_under_way(const struct deliveries *deliveries);
/* What was begun of these lanes first and is not settled; NULL: nothing is. Likewise. */
const struct delivery *deliveries_first_under_way(const struct deliveries *deliveries,
                                                  uint64_t lanes);

/* Frees the forgotten ones, but those that an unanswered read (0 = none) may still show. */
void deliveries_reap(struct deliveries *deliveries, uint64_t unanswered_read);

const char *delivery_state_name(enum delivery_state state);

#endif
