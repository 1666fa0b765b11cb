/* SPDX-License-Identifier: MIT */
/*
 * core/backlog.h: how the rows that are read ahead are shared between endpoints.
 *
 * Each endpoint has a short queue. A row that finds it full is not kept: the endpoint has a backlog
 * from then on, which is a position in the database, and its rows are passed by until the queue is
 * refilled from there (by the index of endpoints), a few rows at a time. So a million rows of a
 * dead receiver are passed once and cost no memory. A backlog ends when a refill brings less than
 * it asked for.
 *
 *   none       what is due of it is in its queue, or not found yet
 *   fed        it has a backlog, and its queue is not below half
 *   hungry     it wants rows
 *   resting    there was no room for more of it when it was its turn, or it lost its rows: until a
 *              time, or until it is woken
 *   blocked    nothing of it may be sent for now: until it is woken, or a row of it was sent
 *   refilling  rows have been asked for
 *
 * An endpoint without a backlog may have its share of the read-ahead in its queue (all of it while
 * it is alone); one with a backlog begins with what it has and is given more as it shows that it
 * takes it: twice as much when half of it was gone within BACKLOG_QUICK_US, half of it after
 * BACKLOG_SLOW_US. When there is no room for others, queues from which nothing was taken for
 * BACKLOG_STALL_US are emptied back into a backlog (the caller asks backlogs_stalled()); each time
 * the endpoint rests longer, until it takes rows again.
 *
 * Endpoints of one standing share what core/crowds.h gives them, and take turns in being refilled
 * as core/standing.h says; and refills that are not of the proven alone have an eighth of the time,
 * or the others' rows would wait for them to be answered. Where a limited crowd is full of rows
 * that don't move, queues are emptied as well.
 *
 * A backlog has no clock of its own for what its endpoint may not send: core/scheduler.h knows when
 * that ends, by time, by a result or by an operator, and the caller passes it on (backlog_wake()).
 *
 * Rows of a backlog that turn up before its position (late commits, operators' changes) set it
 * back. A backlog is found by customer and hash of the URL: two URLs of one customer with equal
 * hashes share it, and are refilled together.
 *
 * Pure; the caller does the reads and says what time it is once a turn. Entries are embedded in the
 * caller's endpoints. One refill is outstanding at a time. Memory: one entry for each endpoint.
 */
#ifndef POSTRIDER_CORE_BACKLOG_H
#define POSTRIDER_CORE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#include "core/crowds.h"
#include "core/heap.h"
#include "core/position.h"
#include "core/standing.h"

#define BACKLOG_KEY_SIZE     60  /* "customer hash" */
#define BACKLOG_ROWS_MIN     16  /* of a queue that may hold rows at all */
#define BACKLOG_CLOSED_MAX   256 /* endpoints whose rows come without payload */
#define BACKLOG_QUICK_US     100000
#define BACKLOG_SLOW_US      400000
#define BACKLOG_STALL_US     200000
#define BACKLOG_OTHERS_PARTS 8 /* of the time for refills of others than the proven */
#define BACKLOG_REST_US      100000
#define BACKLOG_REST_LONG_US 20000000

enum backlog_state {
    BACKLOG_NONE,
    BACKLOG_FED,
    BACKLOG_HUNGRY,
    BACKLOG_RESTING,
    BACKLOG_BLOCKED,
    BACKLOG_REFILLING
};

struct backlog {
    enum backlog_state state;
    enum standing standing; /* whose crowd it is of */
    bool is_awaited;        /* the answer of a refill is to come, whatever the state has become */
    bool is_emptied;        /* its rows are being taken, or were, without having been sent */
    int lane;
    int queued; /* rows in its queue */
    int limit;  /* as it has shown that it takes them */
    int wanted; /* as the caller said */
    int asked;
    struct position cursor; /* rows behind it are in the database only */
    int64_t moved_us;       /* when a row was last taken from its queue, or the first one came */
    int64_t refilled_us;
    int64_t rest_us; /* the last one, 0 since a row was sent */
    char key[BACKLOG_KEY_SIZE];
    UT_hash_handle by_key;          /* while it has a backlog */
    TAILQ_ENTRY(backlog) in_seen;   /* while it has a backlog: rows were passed most lately first */
    TAILQ_ENTRY(backlog) in_hungry; /* while it is hungry */
    TAILQ_ENTRY(backlog) in_waiting; /* while rows wait: the longest without a move first */
    struct heap_node timer;          /* while it is resting */
};

TAILQ_HEAD(backlog_list, backlog);

struct backlogs {
    struct backlog *by_key;
    struct backlog_list seen;
    struct backlog_list hungry[STANDINGS];
    struct backlog_list waiting[STANDINGS];
    struct heap resting;
    struct crowds crowds;
    int earned[STANDINGS]; /* turns to be refilled, in parts of STANDING_TURNS */
    bool has_others;       /* the refill that is asked for has rows of others than the proven */
    int64_t asked_us;      /* when it was */
    int64_t others_us;     /* not before then another one of these */
    int waiting_count;     /* endpoints whose rows wait */
    int rows_ahead;        /* that all queues may have together */
    int64_t now_us;
};

void backlogs_init(struct backlogs *set);
/* Every entry has been removed. */
void backlogs_free(struct backlogs *set);

/* Once a turn. */
void backlogs_set_time(struct backlogs *set, int64_t now_us);
void backlogs_set_rows_ahead(struct backlogs *set, int rows_ahead);

/* An entry starts zeroed, as one of a proven endpoint. One that is used must stay where it is. */
bool backlog_is_used(const struct backlog *backlog);
/* Rows of it are in the database only. */
bool backlog_is_open(const struct backlog *backlog);
void backlog_remove(struct backlogs *set, struct backlog *backlog);

/* A row was put into its queue, or taken from it, whatever for. */
void backlog_note_queued(struct backlogs *set, struct backlog *backlog);
void backlog_note_taken(struct backlogs *set, struct backlog *backlog);

/* As the scheduler reports it. */
void backlog_set_standing(struct backlogs *set, struct backlog *backlog, enum standing standing);

/* The one that has a backlog, or NULL. */
struct backlog *backlogs_find(const struct backlogs *set, const char *customer_id,
                              const char *url_hash);

/*
 * A row was found that is not known: true when it is to be put into the queue. Else it is passed
 * by, and found again by a refill. rows_wanted: how many the endpoint could have waiting.
 */
bool backlog_admits(struct backlogs *set, struct backlog *backlog, const char *customer_id,
                    const char *url_hash, int lane, const struct position *position,
                    int rows_wanted);

/* The same for a row of one that has a backlog. */
void backlog_pass(struct backlogs *set, struct backlog *backlog, const struct position *position);

/*
 * The next one that is hungry; NULL: none. The caller asks for rows with backlog_begin_refill().
 * rows_wanted: as above, 0: nothing may be sent until the caller wakes it; room: how many may be
 * asked for. Returns how many to ask for, behind its cursor; 0: there is no use in more rows now.
 */
struct backlog *backlogs_next_hungry(struct backlogs *set);
int backlog_begin_refill(struct backlogs *set, struct backlog *backlog, int rows_wanted, int room);

/* What stopped its endpoint is over. */
void backlog_wake(struct backlogs *set, struct backlog *backlog);

/*
 * The answer: rows came, of which the last that was kept or known is at *last (NULL: none). They
 * were all that there are if they are fewer than asked for.
 */
void backlog_end_refill(struct backlogs *set, struct backlog *backlog, int rows,
                        const struct position *last);
/* There was none. */
void backlog_fail_refill(struct backlogs *set, struct backlog *backlog);
/* After the last of those that were asked for together. */
void backlogs_end_refills(struct backlogs *set);

/*
 * An endpoint whose rows are to make room, since they have not moved for too long: of a crowd that
 * has too many, or, where the caller has no room (is_starved), the one that has waited for the
 * longest of the lowest standing. NULL: none.
 */
struct backlog *backlogs_stalled(struct backlogs *set, bool is_starved);

/*
 * Its queue is emptied: the first call comes before backlog_note_taken() for each row, the second
 * after, with the position of the first of the rows.
 */
void backlog_begin_empty(struct backlog *backlog);
void backlog_end_empty(struct backlogs *set, struct backlog *backlog, const char *customer_id,
                       const char *url_hash, int lane, const struct position *first);

/* The endpoint has no backlog any more: its lane was given up. */
void backlog_forget(struct backlogs *set, struct backlog *backlog);

/* When backlogs_next_hungry() has an answer, if nothing else changes; INT64_MAX: never. */
int64_t backlogs_next_us(const struct backlogs *set);

/* When backlogs_stalled() has one, if nothing else changes; INT64_MAX: never. */
int64_t backlogs_stall_us(const struct backlogs *set, bool is_starved);

/* The hash in its key. */
const char *backlog_url_hash(const struct backlog *backlog);
/* Fills customer_id[37]. */
void backlog_customer_id(const struct backlog *backlog, char *customer_id);

#endif
