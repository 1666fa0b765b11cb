/* SPDX-License-Identifier: MIT */
/*
 * core/scheduler.h: which endpoint may send the next request.
 *
 * Entries (endpoints) and origins are embedded in the caller's structures. The caller says who has
 * work, asks scheduler_next() whose turn it is, and tells what became of each request; the
 * scheduler hands out the slots. One that may not send is in no list that is looked through:
 *
 *   idle     it has no work
 *   ready    it is waiting for its turn and a slot
 *   busy     its window is full or its probe is out: until a result; or its terms stop it: until
 *            they are others
 *   timed    until a time: rate limit, Retry-After, the next probe of its breaker
 *   origin   its origin is full, or the origin's breaker is open: until the origin lets it
 *   awaiting it could send, if its rows were here: they are in the database alone
 *
 * so every decision costs O(1), or O(log n) in the number of those that wait for a time, however
 * many endpoints are blocked. Slots go to ready entries in the order in which they became ready,
 * one each; after its turn an entry is the last one. What bounds the harm that a bad one does:
 *
 *   shares   PROVEN entries may take every slot; those of which nothing is known yet, half of them;
 *            those that falter (they worked before, and have failed FALTERING_FAILURES times), an
 *            eighth; those that have never worked, and all probes, another eighth. So a quarter of
 *            the slots is always left for the proven. Once the unknown have half of theirs, each
 *            makes do with what it has until it answers.
 *   reserve  the last 1/32 of the slots is for entries that have nothing in flight, so that a few
 *            that begin to hang with their windows full can't take all of them.
 *   windows, rate limits and breakers of their own, and a window and a breaker for each origin.
 *
 * What an endpoint is taken for (core/standing.h) is decided here, and reported when it changes.
 *
 * One whose rows are in the database alone (SCHEDULER_WORK_AWAITED) waits for the same things as
 * one that has them here, in the same lists. When what stopped it is over, by time, by a result or
 * by other terms, scheduler_next_woken() tells of it once, so that whoever reads its rows needs no
 * time of their own. Of what is known beforehand that is SCHEDULER_AHEAD_US before its time: the
 * rows are here when it comes.
 *
 * Pure: time and random numbers are arguments. Time must not go backwards.
 */
#ifndef POSTRIDER_CORE_SCHEDULER_H
#define POSTRIDER_CORE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/breaker.h"
#include "core/health.h"
#include "core/heap.h"
#include "core/rate_limit.h"
#include "core/reach.h"
#include "core/standing.h"
#include "core/window.h"

#define FALTERING_FAILURES 3
#define SCHEDULER_AHEAD_US 50000 /* so long before its time rows may be read */

enum scheduler_state {
    SCHEDULER_IDLE,
    SCHEDULER_READY,
    SCHEDULER_BUSY,
    SCHEDULER_TIMED,
    SCHEDULER_ORIGIN,
    SCHEDULER_AWAITING,
    SCHEDULER_STATES
};

enum scheduler_work {
    SCHEDULER_NO_WORK,
    SCHEDULER_WORK_AWAITED, /* there is some, but not here yet */
    SCHEDULER_WORK_HERE
};

struct scheduler_limits {
    int slots;      /* requests in flight at one time */
    int origin_max; /* of them to one origin */
    struct breaker_policy breaker;
};

/* What an endpoint's settings say. */
struct scheduler_terms {
    int max_in_flight;
    double rate_per_s;  /* 0 = no limit */
    bool is_unsendable; /* its rows fail without a request: nothing holds them back */
    bool is_stopped;    /* nothing of it may be sent or fail, for as long as this holds */
    int64_t failing_us; /* > 0: as the database knows, it has failed for so long */
};

TAILQ_HEAD(scheduler_list, scheduler_entry);
TAILQ_HEAD(scheduler_origin_list, scheduler_origin);

struct scheduler_origin {
    int in_flight;
    struct window window;
    struct breaker breaker;
    struct scheduler_list entries; /* all that have it */
    struct scheduler_list waiting[STANDINGS];
    struct scheduler_list awaiting; /* for its breaker; their work is not here */
    size_t waiting_count;           /* of both */
    struct heap_node timer;
    TAILQ_ENTRY(scheduler_origin) in_troubled;
    bool is_troubled;
};

struct scheduler_entry {
    struct scheduler_origin *origin;
    enum scheduler_state state;
    enum standing standing; /* as it was last reported */
    enum standing listed;   /* while it is ready or waits for its origin: of its list */
    bool is_second;         /* its ready list: it has something in flight */
    bool is_released;       /* its origin has let it become ready */
    bool is_aside;          /* while it waits for its origin: in the list of those without rows */
    bool is_woken;          /* in the list of those that scheduler_next_woken() tells of */
    enum scheduler_work work;
    bool is_unsendable;
    bool is_stopped;
    bool was_alive; /* it has answered since it was added */
    bool is_troubled;
    int failures; /* in a row, whoever's fault */
    int in_flight;
    uint64_t turn;
    int64_t held_until_us; /* Retry-After */
    struct window window;
    struct reach reach;
    struct rate_limit rate;
    struct breaker breaker;
    struct heap_node timer;
    TAILQ_ENTRY(scheduler_entry) in_list;
    TAILQ_ENTRY(scheduler_entry) in_origin;
    TAILQ_ENTRY(scheduler_entry) in_troubled;
};

/* An entry is of another standing now, than before. It calls nothing of the scheduler. */
typedef void scheduler_restood(void *owner, struct scheduler_entry *entry);

struct scheduler {
    struct scheduler_limits limits;
    scheduler_restood *on_restood; /* NULL: nobody wants to know */
    void *owner;                   /* of the function */
    int in_flight;
    int standing_in_flight[STANDINGS];
    uint64_t turn;
    struct scheduler_list ready[STANDINGS][2]; /* nothing in flight, something */
    struct scheduler_list woken;
    struct heap entry_timers;
    struct heap origin_timers;
    struct scheduler_list troubled; /* open breakers and holds, in the order of their beginning */
    struct scheduler_origin_list troubled_origins;
};

/* Of one request: kept by the caller until scheduler_finish(). */
struct scheduler_ticket {
    int64_t started_us;
    enum standing standing;
    bool is_probe;
    bool is_origin_probe;
};

/* What a result has changed, for those who log it. */
struct scheduler_change {
    bool has_opened, has_closed; /* the endpoint's breaker */
    bool origin_has_opened, origin_has_closed;
    bool is_held;    /* the endpoint, by Retry-After */
    bool is_down;    /* the request failed, and its breaker or its origin's is open */
    int64_t open_us; /* with has_closed or origin_has_closed: for how long it was open */
};

void scheduler_init(struct scheduler *scheduler);
void scheduler_free(struct scheduler *scheduler);

/* Before there are entries. */
void scheduler_on_restood(struct scheduler *scheduler, scheduler_restood *on_restood, void *owner);

/* Before anything is asked, and again when the configuration has changed. */
void scheduler_set_limits(struct scheduler *scheduler, const struct scheduler_limits *limits);

void scheduler_origin_init(struct scheduler *scheduler, struct scheduler_origin *origin);
/* No entry has it any more. */
void scheduler_origin_remove(struct scheduler *scheduler, struct scheduler_origin *origin);

void scheduler_entry_init(struct scheduler *scheduler, struct scheduler_entry *entry,
                          struct scheduler_origin *origin);
/* It has nothing in flight. */
void scheduler_entry_remove(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us);

void scheduler_entry_set_terms(struct scheduler *scheduler, struct scheduler_entry *entry,
                               const struct scheduler_terms *terms, int64_t now_us,
                               double random01);

/* The same for is_stopped alone. */
void scheduler_entry_set_stopped(struct scheduler *scheduler, struct scheduler_entry *entry,
                                 bool is_stopped, int64_t now_us);

/* An operator wants it to be tried: breaker closed, nothing held. */
void scheduler_entry_revive(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us);

/* Another worker may have sent to it lately: its bucket is empty. */
void scheduler_entry_restart_rate(struct scheduler *scheduler, struct scheduler_entry *entry,
                                  int64_t now_us);

void scheduler_set_work(struct scheduler *scheduler, struct scheduler_entry *entry,
                        enum scheduler_work work, int64_t now_us);

/* Whose turn it is; it stays so until one of the next two. NULL: nobody may send now. */
struct scheduler_entry *scheduler_next(struct scheduler *scheduler, int64_t now_us);

/* It makes a request. */
struct scheduler_ticket scheduler_start(struct scheduler *scheduler, struct scheduler_entry *entry,
                                        int64_t now_us);
/* It has used its turn without one. */
void scheduler_pass(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us);

/*
 * One whose work is awaited and was stopped until now: its rows are to be read. NULL: there is
 * none.
 */
struct scheduler_entry *scheduler_next_woken(struct scheduler *scheduler, int64_t now_us);
bool scheduler_has_woken(const struct scheduler *scheduler);

/* When one of these may have an answer without a result or new work; INT64_MAX: never. */
int64_t scheduler_next_us(const struct scheduler *scheduler);

/* hold_us > 0: the server wants to be left alone for so long. */
struct scheduler_change scheduler_finish(struct scheduler *scheduler, struct scheduler_entry *entry,
                                         const struct scheduler_ticket *ticket, enum health health,
                                         int64_t hold_us, int64_t now_us, double random01);

/*
 * How many rows it could have waiting, at most: none while it is blocked for longer, one for a
 * probe that is due or while its terms stop it (else nobody would ask for others), what it may send
 * in a second where its rate is limited. INT32_MAX: no limit of ours.
 */
int scheduler_rows_wanted(const struct scheduler_entry *entry, int64_t now_us);

/*
 * Nobody asks again how many rows it wants, which were none, until scheduler_next_woken() tells of
 * it or its work is here and has been sent.
 */
void scheduler_await(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us);

/*
 * Until then it is not to be forgotten: it, or its origin, is not asked before, and nobody else
 * knows of that. May be in the past.
 */
int64_t scheduler_promised_until_us(const struct scheduler_entry *entry);

/* As it is now. When it changes, by whatever (its origin's breaker changes all of its entries at
 * once), the function of scheduler_on_restood() is called. */
enum standing scheduler_standing(const struct scheduler_entry *entry);

const char *scheduler_state_name(enum scheduler_state state);

#endif
