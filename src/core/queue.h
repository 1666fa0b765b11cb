/* SPDX-License-Identifier: MIT */
/*
 * core/queue.h: an endpoint's queue as one thing: the rows that wait here, those that are in the
 * database alone, and its turn to send.
 *
 * What the two sides of a queue need of each other is tied here, and nowhere else:
 *
 *   who may send  core/scheduler.h asks whether there is work: rows here whose settings are known
 *                 (queue_set_ready()), or rows in the database alone
 *   what is read  core/backlog.h asks what the endpoint is taken for (core/standing.h, which the
 *                 scheduler reports when it changes), how many rows it could send; and it is woken
 *                 when what stopped it is over
 *
 * Only this changes a queue's rows, its backlog and what the scheduler has of its work. In the
 * worker, worker/endpoint.c alone calls what puts rows here and takes them out, since an endpoint's
 * state has to follow; what concerns the backlog is called by worker/finding.c and
 * worker/refilling.c themselves (docs/internals/finding.md has the list).
 *
 * Rows are the caller's, embedded in its deliveries, and keep the order in which they were put
 * here. Entries are embedded in the caller's endpoints and must stay where they are.
 *
 * Pure: time is an argument, and must not go backwards.
 */
#ifndef POSTRIDER_CORE_QUEUE_H
#define POSTRIDER_CORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/backlog.h"
#include "core/scheduler.h"

struct queue_row {
    TAILQ_ENTRY(queue_row) in_queue;
};

TAILQ_HEAD(queue_rows, queue_row);

struct queue {
    struct queue_rows rows;
    struct scheduler_entry entry;
    struct backlog backlog;
    bool is_ready; /* its rows may be sent, as far as its owner knows */
};

struct queues {
    struct scheduler scheduler;
    struct backlogs backlogs;
};

void queues_init(struct queues *queues);
/* Every queue has been removed. */
void queues_free(struct queues *queues);

/* How many rows all queues may have together. */
void queues_set_rows_ahead(struct queues *queues, int rows_ahead);

/* queue is zeroed. */
void queue_init(struct queues *queues, struct queue *queue, struct scheduler_origin *origin);
/* It has nothing in flight; its rows are forgotten. */
void queue_remove(struct queues *queues, struct queue *queue, int64_t now_us);

/* What its owner needs to send a row is there, or isn't any more. */
void queue_set_ready(struct queues *queues, struct queue *queue, bool is_ready, int64_t now_us);

/* --- rows --- */

/* The next one; NULL: it is empty. */
struct queue_row *queue_first(const struct queue *queue);

/* A row waits behind the others; before them, where it was taken too early. */
void queue_push(struct queues *queues, struct queue *queue, struct queue_row *row, int64_t now_us);
void queue_push_back(struct queues *queues, struct queue *queue, struct queue_row *row,
                     int64_t now_us);

/* Takes a row out of it, whatever for. */
void queue_take(struct queues *queues, struct queue *queue, struct queue_row *row, int64_t now_us);

/* --- rows in the database alone --- */

/* It has some. */
bool queue_is_behind(const struct queue *queue);

/* Something of it is here, in the database alone, or on the way. */
bool queue_is_used(const struct queue *queue);

/* A row was found that is not known: true when it is to be pushed. Else it is passed by, and found
 * again by a refill. */
bool queue_admits(struct queues *queues, struct queue *queue, const char *customer_id,
                  const char *url_hash, int lane, const struct position *position, int64_t now_us);

/* True when one that is behind has the row of this key among those: it is passed by. */
bool queues_pass(struct queues *queues, const char *customer_id, const char *url_hash,
                 const struct position *position);

/* The lane was given up, or nothing that was read counts: there is nothing behind it. */
void queue_forget_behind(struct queues *queues, struct queue *queue, int64_t now_us);

/* --- refills --- */

/* Those that may send again, or soon, are to be refilled: once a turn. */
void queues_wake(struct queues *queues, int64_t now_us);

/* The next one to be refilled, with *ret_rows rows behind its cursor, at most room; NULL: none.
 * Ends with one of the next two. */
struct queue *queues_next_refill(struct queues *queues, int room, int *ret_rows, int64_t now_us);

/* See backlog_end_refill(), backlog_fail_refill(). */
void queue_end_refill(struct queues *queues, struct queue *queue, int rows,
                      const struct position *last, int64_t now_us);
void queue_fail_refill(struct queues *queues, struct queue *queue, int64_t now_us);
/* After the last of those that were asked for together. */
void queues_end_refills(struct queues *queues, int64_t now_us);

/* When queues_next_refill() may have an answer, if nothing else changes; INT64_MAX: never. */
int64_t queues_refill_us(const struct queues *queues);

/* --- making room --- */

/* One whose rows are to make room; see backlogs_stalled(). */
struct queue *queues_stalled(struct queues *queues, bool is_starved, int64_t now_us);
int64_t queues_stall_us(const struct queues *queues, bool is_starved);

/* Before and after its rows are taken, of which the first in the database is at *first. */
void queue_begin_empty(struct queue *queue);
void queue_end_empty(struct queues *queues, struct queue *queue, const char *customer_id,
                     const char *url_hash, int lane, const struct position *first, int64_t now_us);

#endif
