/* SPDX-License-Identifier: MIT */
#include "worker/refilling.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "db/due.h"
#include "worker/finding.h"
#include "worker/promises.h"
#include "worker/promoted.h"

#define EMPTY_BUDGET 256 /* queues in one turn */

struct refilling {
    struct due_reader reader;
    int count; /* of the outstanding refill */
    struct refill {
        struct queue *queue;
        int rows; /* that came */
        bool has_last;
        struct position last;
    } refills[DUE_REFILL_MAX];
};

void refilling_init(struct worker *worker)
{
    worker->refilling = memory_new(1, sizeof(*worker->refilling));
    due_reader_init(&worker->refilling->reader);
    due_reader_set_known(&worker->refilling->reader, promoted_take, worker);
}

void refilling_free(struct worker *worker)
{
    due_reader_free(&worker->refilling->reader);
    free(worker->refilling);
}

static int room_for_refills(const struct worker *worker)
{
    int ahead = finding_rows_ahead(worker);
    /* A quarter is left to rows that become due, and a read for a handful of rows is not worth its
     * cost. */
    int room = finding_room_rows(worker) - ahead / 4;

    return room * 16 >= ahead && finding_room_bytes(worker) > 0 ? room : 0;
}

static void note_row(struct worker *worker, const struct due_row *row)
{
    struct refilling *refilling = worker->refilling;
    struct refill *refill;

    if (row->number < 0 || row->number >= refilling->count)
        bug("a row for refill %d of %d", row->number, refilling->count);
    refill = &refilling->refills[row->number];
    refill->rows++;
    if (row->is_cut) {
        refill->rows = INT32_MAX / 2; /* there is more */
        return;
    }
    refill->has_last = true;
    position_set(&refill->last, row->next_retry_at, row->id);
    if (finding_is_new(worker, row))
        finding_admit(worker,
                      endpoint_get(&worker->endpoints, row->customer_id, row->url, worker->now_us),
                      row);
}

static void note_rows(struct worker *worker, const PGresult *result)
{
    int payloads = 0;
    int64_t bytes = 0;

    for (int i = 0; i < PQntuples(result); i++) {
        struct due_row row = due_row_at(&worker->refilling->reader, result, i);

        payloads += row.payload != NULL;
        bytes += due_row_bytes(&row);
        note_row(worker, &row);
    }
    finding_note_payloads(worker, payloads, bytes);
}

static void fail_refills(struct worker *worker)
{
    struct refilling *refilling = worker->refilling;

    for (int i = 0; i < refilling->count; i++)
        queue_fail_refill(&worker->endpoints.queues, refilling->refills[i].queue, worker->now_us);
}

static void end_refills(struct worker *worker)
{
    struct refilling *refilling = worker->refilling;

    for (int i = 0; i < refilling->count; i++) {
        struct refill *refill = &refilling->refills[i];

        queue_end_refill(&worker->endpoints.queues, refill->queue, refill->rows,
                         refill->has_last ? &refill->last : NULL, worker->now_us);
    }
}

/* However the refills that were asked for have ended. */
static void forget_refills(struct worker *worker)
{
    queues_end_refills(&worker->endpoints.queues, worker->now_us);
    worker->refilling->count = 0;
}

static void on_refill_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (finding_note_answer(worker, answer)) {
        note_rows(worker, answer->results[0]);
        end_refills(worker);
    } else
        fail_refills(worker);
    forget_refills(worker);
}

/* Those whose turn it is, until there are as many rows as there is room for. */
static void plan_refills(struct worker *worker, int room)
{
    struct refilling *refilling = worker->refilling;
    struct queue *queue;
    int rows;

    refilling->count = 0;
    while (refilling->count < DUE_REFILL_MAX && room > 0 &&
           (queue = queues_next_refill(&worker->endpoints.queues, room, &rows, worker->now_us)) !=
               NULL) {
        due_refill_add(&refilling->reader, &queue->backlog);
        refilling->refills[refilling->count++] = (struct refill){.queue = queue};
        room -= rows;
    }
}

bool refilling_send(struct worker *worker)
{
    struct refilling *refilling = worker->refilling;
    struct due_limits limits = finding_limits(worker);
    int room = room_for_refills(worker);

    if (room == 0)
        return false;
    due_refill_begin(&refilling->reader);
    plan_refills(worker, finding_rows_that_fit(worker, room));
    if (refilling->count == 0)
        return false;
    if (!due_refill_send(&refilling->reader, worker->reading, &limits, on_refill_answered,
                         worker)) {
        fail_refills(worker);
        forget_refills(worker);
        return false;
    }
    finding_note_sent(worker);
    return true;
}

/* Rows could be sent if there were any: what waits is not what the slots are waiting for. */
static bool is_starved(const struct worker *worker)
{
    const size_t *counts = worker->deliveries.counts;

    return !finding_has_room(worker) &&
           counts[DELIVERY_IN_FLIGHT] < endpoints_slots(&worker->endpoints) &&
           counts[DELIVERY_FINISHED] + counts[DELIVERY_RECORDING] <
               endpoints_slots(&worker->endpoints);
}

static void empty_queue(struct worker *worker, struct endpoint *endpoint)
{
    struct delivery *delivery = endpoint_first(endpoint);
    struct position first;
    char url_hash[sizeof(delivery->url_hash)];
    int lane = delivery->lane;

    position_set(&first, delivery->due_at, delivery->id);
    snprintf(url_hash, sizeof(url_hash), "%s", delivery->url_hash);
    queue_begin_empty(&endpoint->queue);
    while ((delivery = endpoint_first(endpoint)) != NULL) {
        struct position position;

        position_set(&position, delivery->due_at, delivery->id);
        /* A queue is in the order in which its rows came, so the earliest row need not be the
         * first. */
        if (position_compare(&position, &first) < 0)
            first = position;
        endpoint_remove(&worker->endpoints, delivery, worker->now_us);
        promises_give_back(worker, delivery->id);
        delivery_drop(&worker->deliveries, delivery);
    }
    queue_end_empty(&worker->endpoints.queues, &endpoint->queue, endpoint->customer_id, url_hash,
                    lane, &first, worker->now_us);
}

void refilling_make_room(struct worker *worker)
{
    struct queue *stalled;

    for (int budget = EMPTY_BUDGET; budget > 0; budget--) {
        stalled = queues_stalled(&worker->endpoints.queues, is_starved(worker), worker->now_us);
        if (stalled == NULL)
            return;
        empty_queue(worker, endpoint_of_queue(stalled));
    }
}

int64_t refilling_next_us(const struct worker *worker)
{
    int64_t next_us = WORKER_NEVER;
    int64_t stall_us;

    if (scheduler_has_woken(&worker->endpoints.queues.scheduler))
        return worker->now_us;
    if (room_for_refills(worker) > 0)
        next_us = queues_refill_us(&worker->endpoints.queues);
    stall_us = queues_stall_us(&worker->endpoints.queues, is_starved(worker));
    return stall_us < next_us ? stall_us : next_us;
}
