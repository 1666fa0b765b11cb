#include "worker/refilling.h"

#include <stdio.h>

#include "base/compiler.h"
#include "worker/finding.h"

#define EMPTY_BUDGET 256 /* queues in one turn */

static struct endpoint *endpoint_of(struct backlog *backlog)
{
    return CONTAINER_OF(backlog, struct endpoint, backlog);
}

static int room_for_refills(const struct worker *worker)
{
    int ahead = finding_rows_ahead(worker);
    int room = finding_room_rows(worker) - ahead / 4;

    return room * 16 >= ahead && finding_room_bytes(worker) > 0 ? room : 0;
}

static void note_row(struct worker *worker, const struct due_row *row)
{
    struct finding *finding = &worker->finding;
    struct refill *refill;

    if (row->number < 0 || row->number >= finding->refills_count)
        bug("a row for refill %d of %d", row->number, finding->refills_count);
    refill = &finding->refills[row->number];
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
        struct due_row row = due_row_at(result, i);

        payloads += row.payload != NULL;
        bytes += row.payload != NULL ? row.payload_bytes : 0;
        note_row(worker, &row);
    }
    finder_note_payloads(&worker->finding.finder, payloads, bytes);
}

static void fail_refills(struct worker *worker)
{
    struct finding *finding = &worker->finding;

    for (int i = 0; i < finding->refills_count; i++)
        backlog_fail_refill(&worker->endpoints.backlogs, finding->refills[i].backlog);
}

static void end_refills(struct worker *worker)
{
    struct finding *finding = &worker->finding;

    for (int i = 0; i < finding->refills_count; i++) {
        struct refill *refill = &finding->refills[i];

        backlog_end_refill(&worker->endpoints.backlogs, refill->backlog, refill->rows,
                           refill->has_last ? &refill->last : NULL);
        endpoint_note_backlog(&worker->endpoints, endpoint_of(refill->backlog), worker->now_us);
    }
}

/* However the refills that were asked for have ended. */
static void forget_refills(struct worker *worker)
{
    backlogs_end_refills(&worker->endpoints.backlogs);
    worker->finding.refills_count = 0;
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

/* How many rows to ask for; 0: none, until something changes that it is woken by. */
static int begin_refill(struct worker *worker, struct backlog *backlog, int room)
{
    struct endpoint *endpoint = endpoint_of(backlog);
    int wanted = endpoint_rows_wanted(endpoint, worker->now_us);

    if (wanted == 0)
        scheduler_await(&worker->endpoints.scheduler, &endpoint->scheduled, worker->now_us);
    return backlog_begin_refill(&worker->endpoints.backlogs, backlog, wanted, room);
}

/* Those whose turn it is, until there are as many rows as there is room for. */
static void plan_refills(struct worker *worker, int room)
{
    struct finding *finding = &worker->finding;
    struct backlogs *backlogs = &worker->endpoints.backlogs;
    struct backlog *backlog;

    finding->refills_count = 0;
    while (finding->refills_count < DUE_REFILL_MAX && room > 0 &&
           (backlog = backlogs_next_hungry(backlogs)) != NULL) {
        enum standing standing = backlog->standing;
        int rows;

        endpoint_note_standing(&worker->endpoints, endpoint_of(backlog));
        if (backlog->standing != standing)
            continue; /* another one's turn */
        rows = begin_refill(worker, backlog, room);
        if (rows == 0)
            continue;
        due_refill_add(&finding->reader, backlog);
        finding->refills[finding->refills_count++] = (struct refill){.backlog = backlog};
        room -= rows;
    }
}

bool refilling_send(struct worker *worker)
{
    struct finding *finding = &worker->finding;
    int64_t bytes = finding_room_bytes(worker);
    int room = room_for_refills(worker);

    if (room == 0)
        return false;
    due_refill_begin(&finding->reader);
    plan_refills(worker, finder_rows_that_fit(&finding->finder, room, bytes));
    if (finding->refills_count == 0)
        return false;
    if (!due_refill_send(&finding->reader, worker->reading, bytes, on_refill_answered, worker)) {
        fail_refills(worker);
        forget_refills(worker);
        return false;
    }
    finding_note_sent(worker);
    finding->was_refill = true;
    return true;
}

/* Rows could be sent if there were any: what waits is not what the slots are waiting for. */
static bool is_starved(const struct worker *worker)
{
    const size_t *counts = worker->deliveries.counts;

    return !finding_has_room(worker) && counts[DELIVERY_IN_FLIGHT] < worker->sending.slots &&
           counts[DELIVERY_FINISHED] + counts[DELIVERY_RECORDING] < worker->sending.slots;
}

static void empty_queue(struct worker *worker, struct endpoint *endpoint)
{
    struct backlogs *backlogs = &worker->endpoints.backlogs;
    struct delivery *delivery = TAILQ_FIRST(&endpoint->waiting);
    struct position first;
    char url_hash[sizeof(delivery->url_hash)];
    int lane = delivery->lane;

    position_set(&first, delivery->due_at, delivery->id);
    snprintf(url_hash, sizeof(url_hash), "%s", delivery->url_hash);
    backlog_begin_empty(&endpoint->backlog);
    while ((delivery = TAILQ_FIRST(&endpoint->waiting)) != NULL) {
        struct position position;

        position_set(&position, delivery->due_at, delivery->id);
        if (position_compare(&position, &first) < 0)
            first = position;
        endpoint_remove(&worker->endpoints, delivery, worker->now_us);
        delivery_drop(&worker->deliveries, delivery);
    }
    backlog_end_empty(backlogs, &endpoint->backlog, endpoint->customer_id, url_hash, lane, &first);
    endpoint_note_backlog(&worker->endpoints, endpoint, worker->now_us);
}

void refilling_make_room(struct worker *worker)
{
    struct backlog *stalled;

    for (int budget = EMPTY_BUDGET; budget > 0; budget--) {
        stalled = backlogs_stalled(&worker->endpoints.backlogs, is_starved(worker));
        if (stalled == NULL)
            return;
        empty_queue(worker, endpoint_of(stalled));
    }
}

int64_t refilling_next_us(const struct worker *worker)
{
    int64_t next_us = WORKER_NEVER;
    int64_t stall_us;

    if (scheduler_has_woken(&worker->endpoints.scheduler))
        return worker->now_us;
    if (room_for_refills(worker) > 0)
        next_us = backlogs_next_us(&worker->endpoints.backlogs);
    stall_us = backlogs_stall_us(&worker->endpoints.backlogs, is_starved(worker));
    return stall_us < next_us ? stall_us : next_us;
}
