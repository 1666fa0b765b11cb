/* SPDX-License-Identifier: MIT */
#include "worker/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "core/absences.h"
#include "core/finder.h"
#include "db/due.h"
#include "worker/promises.h"
#include "worker/promoted.h"
#include "worker/recording.h"
#include "worker/refilling.h"
#include "worker/reporting.h"

#define READ_BYTES_MAX ((int64_t)16 * 1024 * 1024)
#define AHEAD_ROWS_MIN 512

#define REFUSAL_SHOWN_US 5000000
#define REFUSAL_TELL_US  30000000

struct finding {
    struct finder finder;
    struct due_reader reader;
    struct absences absences;
    struct finder_plan plan; /* of the outstanding read */
    bool is_reading;         /* a read or a fetch is outstanding */
    int64_t started_us;      /* of it */
    int turn;                /* whose it is (see finding_step()) */
    char *refusal;           /* why one was refused, the last time; NULL: none ever was */
    int64_t refused_us;      /* when */
    int64_t tell_us;         /* not told before */
};

void finding_init(struct worker *worker)
{
    struct finding *finding = worker->finding = memory_new(1, sizeof(*finding));

    finder_init(&finding->finder, worker->config->worker.poll_interval_ms * 1000);
    due_reader_init(&finding->reader);
    due_reader_set_known(&finding->reader, promoted_take, worker);
    absences_init(&finding->absences);
}

void finding_reconfigure(struct worker *worker)
{
    finder_set_longest_pause(&worker->finding->finder,
                             worker->config->worker.poll_interval_ms * 1000);
    queues_set_rows_ahead(&worker->endpoints.queues, finding_rows_ahead(worker));
    finder_wake(&worker->finding->finder);
}

void finding_free(struct worker *worker)
{
    due_reader_free(&worker->finding->reader);
    absences_free(&worker->finding->absences);
    free(worker->finding->refusal);
    free(worker->finding);
}

bool finding_is_reading(const struct worker *worker)
{
    return worker->finding->is_reading;
}

void finding_wake(struct worker *worker)
{
    finder_wake(&worker->finding->finder);
}

void finding_restart(struct worker *worker)
{
    finding_drop_unowned(worker);
    finder_restart(&worker->finding->finder);
}

const struct absences *finding_absences(const struct worker *worker)
{
    return &worker->finding->absences;
}

const struct finder *finding_finder(const struct worker *worker)
{
    return &worker->finding->finder;
}

bool finding_owns_lane(const struct worker *worker, int lane)
{
    return finder_owns(&worker->finding->finder, lane);
}

void finding_own_lane(struct worker *worker, int lane)
{
    promises_set_lane(worker, lane, true);
    finder_own(&worker->finding->finder, lane);
}

void finding_disown_lane(struct worker *worker, int lane)
{
    promises_set_lane(worker, lane, false);
    finder_disown(&worker->finding->finder, lane);
}

static void forget_absences(struct worker *worker, bool keeps_owned)
{
    uint64_t lanes = 0;

    for (int lane = 0; lane < LANE_COUNT; lane++)
        if (!keeps_owned || !finding_owns_lane(worker, lane))
            lanes |= LANE_BIT(lane);
    absences_forget(&worker->finding->absences, lanes);
}

/* Nothing is owned any more while a link is down or the worker ends: whatever is sent then, another
 * worker may be sending, too. */
void finding_drop_unowned(struct worker *worker)
{
    struct delivery *delivery = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_WAITING]);
    bool keeps_owned = worker_is_connected(worker) && worker->phase != WORKER_DONE;

    while (delivery != NULL) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);

        if (!keeps_owned || !finding_owns_lane(worker, delivery->lane)) {
            endpoint_remove(&worker->endpoints, delivery, worker->now_us);
            promises_give_back(worker, delivery->id);
            delivery_drop(&worker->deliveries, delivery);
        }
        delivery = next;
    }
    for (struct endpoint *at = worker->endpoints.by_key; at != NULL; at = at->by_key.next)
        if (!keeps_owned || !finding_owns_lane(worker, at->queue.backlog.lane))
            queue_forget_behind(&worker->endpoints.queues, &at->queue, worker->now_us);
    forget_absences(worker, keeps_owned);
}

uint64_t finding_unanswered(const struct worker *worker)
{
    return worker->finding->is_reading ? worker->deliveries.newest_read : 0;
}

/* Twice as many rows as can be in flight keep every slot filled from one read to the next. */
int finding_rows_ahead(const struct worker *worker)
{
    int64_t rows = worker->config->worker.max_in_flight * 2;

    return rows > AHEAD_ROWS_MIN ? (int)rows : AHEAD_ROWS_MIN;
}

int finding_room_rows(const struct worker *worker)
{
    return finding_rows_ahead(worker) - (int)worker->deliveries.counts[DELIVERY_WAITING];
}

int64_t finding_room_bytes(const struct worker *worker)
{
    int64_t room =
        worker->config->worker.max_buffered_bytes - deliveries_buffered_bytes(&worker->deliveries);

    return room > READ_BYTES_MAX ? READ_BYTES_MAX : room;
}

struct due_limits finding_limits(const struct worker *worker)
{
    return (struct due_limits){.payload_bytes = worker->config->delivery.max_payload_bytes,
                               .room_bytes = finding_room_bytes(worker)};
}

int finding_rows_that_fit(const struct worker *worker, int rows)
{
    return finder_rows_that_fit(&worker->finding->finder, rows, finding_room_bytes(worker));
}

void finding_note_payloads(struct worker *worker, int payloads, int64_t bytes)
{
    finder_note_payloads(&worker->finding->finder, payloads, bytes);
}

/* Small reads cost as much as large ones, so nothing is read until a quarter of the room is free:
 * as much as refills leave. */
bool finding_has_room(const struct worker *worker)
{
    return finding_room_rows(worker) * 4 >= finding_rows_ahead(worker) &&
           finding_room_bytes(worker) > 0;
}

/* What was promised has no time, so nobody has looked at its event's before. What is due was made so by
 * somebody, whatever its event says. */
static bool is_promised_too_early(struct worker *worker, const struct due_row *row)
{
    if (!row->event.is_early || !promises_has(worker, row->id))
        return false;
    promises_give_back(worker, row->id);
    return true;
}

/* What was to be sent is not there: it is neither sent nor failed, but looked for again. What is
 * behind another one of its ordering key will be found when that one has ended. */
static bool is_held(struct worker *worker, const struct due_row *row)
{
    struct absences *absences = &worker->finding->absences;

    if (!row->is_of_event)
        return false;
    if (!row->event.is_absent)
        absences_note_there(absences, row->id);
    else if (absences_note(absences, row->id, row->event_id, row->lane, worker->now_us))
        reporting_absent(row);
    return row->event.is_absent || row->is_out_of_turn || is_promised_too_early(worker, row);
}

/*
 * A row that is known is not admitted again. One that was forgotten without having been sent is;
 * one that was sent is still here only while a read is out that was sent before, and that may show
 * it as it was: whatever such an answer shows, the row is read again.
 */
bool finding_is_new(struct worker *worker, const struct due_row *row)
{
    struct delivery *known = deliveries_find(&worker->deliveries, row->id);

    if (!finding_owns_lane(worker, row->lane) || is_held(worker, row))
        return false;
    if (known == NULL)
        return recording_may_send(worker, row);
    if (known->state != DELIVERY_FORGOTTEN)
        return false;
    if (known->is_dropped) {
        delivery_expire(&worker->deliveries, known);
        return true;
    }
    deliveries_ask_for(&worker->deliveries, row->id);
    return false;
}

void finding_admit(struct worker *worker, struct endpoint *endpoint, const struct due_row *row)
{
    struct delivery *delivery = delivery_new(&worker->deliveries, row, endpoint, &endpoint->tally);

    delivery->was_promised = promises_has(worker, row->id);
    endpoint_push(&worker->endpoints, delivery, worker->now_us);
}

static void note_row(struct worker *worker, const struct due_row *row)
{
    struct endpoint *endpoint;
    struct position position;

    if (!finding_is_new(worker, row))
        return;
    endpoint = endpoint_get(&worker->endpoints, row->customer_id, row->url, worker->now_us);
    position_set(&position, row->next_retry_at, row->id);
    /* What was promised is in no backlog: it takes the place of the one before it in its key. */
    if (promises_has(worker, row->id) ||
        queue_admits(&worker->endpoints.queues, &endpoint->queue, row->customer_id, row->url_hash,
                     row->lane, &position, worker->now_us))
        finding_admit(worker, endpoint, row);
}

/* The row of a key is known, or part of a backlog, or to be fetched. */
static bool note_key(struct worker *worker, const struct due_key *key)
{
    const struct delivery *known = deliveries_find(&worker->deliveries, key->id);
    struct position position;

    if (known != NULL ? !known->is_dropped : absences_has(&worker->finding->absences, key->id))
        return false;
    position_set(&position, key->next_retry_at, key->id);
    if (queues_pass(&worker->endpoints.queues, key->customer_id, key->url_hash, &position))
        return false;
    deliveries_ask_for(&worker->deliveries, key->id);
    return true;
}

static void note_forward_row(struct worker *worker, const struct due_row *row)
{
    struct due_key key = {.lane = row->lane,
                          .id = row->id,
                          .next_retry_at = row->next_retry_at,
                          .customer_id = row->customer_id,
                          .url_hash = row->url_hash};

    if (row->url != NULL)
        note_row(worker, row);
    else
        (void)note_key(worker, &key);
}

/* Admits the rows and moves the cursors behind them. */
static void note_forward(struct worker *worker, const PGresult *result, struct finder_yield *yield)
{
    struct finding *finding = worker->finding;
    struct late_snapshot snapshot = due_snapshot(result);
    int count = due_rows_count(&finding->reader, result);
    int payloads = 0;
    int64_t bytes = 0;

    for (int i = 0; i < count; i++) {
        struct due_row row = due_row_at(&finding->reader, result, i);

        yield->rows[row.lane]++;
        payloads += row.payload != NULL;
        bytes += due_row_bytes(&row);
        finder_note_row(&finding->finder, &finding->plan, row.lane, row.next_retry_at, row.id);
        note_forward_row(worker, &row);
    }
    finder_note_payloads(&finding->finder, payloads, bytes);
    finder_note_snapshot(&finding->finder, &snapshot, worker->now_us);
}

static void note_scan(struct worker *worker, const PGresult *result, struct finder_yield *yield)
{
    struct finding *finding = worker->finding;
    /* Backlogs had to be given up, or not all that is held is remembered: what is found is mostly
     * what was here before. */
    bool is_full =
        worker->now_us < worker->endpoints.full_us || absences_is_full(&finding->absences);

    for (int i = 0; i < PQntuples(result); i++) {
        struct due_key key = due_key_at(result, i);

        yield->rows[key.lane]++;
        finder_note_row(&finding->finder, &finding->plan, key.lane, key.next_retry_at, key.id);
        yield->known += !note_key(worker, &key) || is_full;
    }
}

const char *finding_refusal(const struct worker *worker)
{
    const struct finding *finding = worker->finding;

    return finding->refusal != NULL && worker->now_us - finding->refused_us < REFUSAL_SHOWN_US
               ? finding->refusal
               : NULL;
}

/* It is read again and again meanwhile: a line for each would be a flood. */
static void note_refusal(struct worker *worker, const struct db_answer *answer)
{
    struct finding *finding = worker->finding;

    free(finding->refusal);
    finding->refusal = memory_copy_string(answer->message);
    finding->refused_us = worker->now_us;
    if (worker->now_us < finding->tell_us)
        return;
    finding->tell_us = worker->now_us + REFUSAL_TELL_US;
    reporting_refusal("reading due rows was refused", answer);
}

/* True when the answer is there; else it is reported and the cursors stay where they were. */
bool finding_note_answer(struct worker *worker, const struct db_answer *answer)
{
    worker->finding->is_reading = false;
    if (answer->result == DB_ANSWERED)
        return true;
    if (answer->result == DB_REFUSED)
        note_refusal(worker, answer);
    finder_note_failure(&worker->finding->finder, worker->now_us);
    return false;
}

static void on_read_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct finding *finding = worker->finding;
    struct finder_yield yield = {.started_us = finding->started_us};

    if (!finding_note_answer(worker, answer))
        return;
    meter_note(&worker->meters.statements[STATEMENT_FIND], worker->now_us - finding->started_us);
    if (finding->plan.read == FINDER_FORWARD)
        note_forward(worker, answer->results[0], &yield);
    else
        note_scan(worker, answer->results[0], &yield);
    finder_note_end(&finding->finder, &finding->plan, &yield, worker->now_us);
}

static void on_fetch_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (!finding_note_answer(worker, answer))
        return;
    for (int i = 0; i < PQntuples(answer->results[0]); i++) {
        struct due_row row = due_row_at(&worker->finding->reader, answer->results[0], i);

        if (!row.is_cut)
            note_row(worker, &row);
        else
            deliveries_ask_for(&worker->deliveries, row.id);
    }
}

void finding_note_sent(struct worker *worker)
{
    worker->finding->is_reading = true;
    worker->finding->started_us = worker->now_us;
    worker->deliveries.newest_read++;
}

/* As many as there is room for; the others wait. */
static void fetch_asked(struct worker *worker)
{
    struct deliveries *deliveries = &worker->deliveries;
    const char *ids[DUE_FETCH_MAX];
    int room = finding_room_rows(worker);
    int count = deliveries->asked_count < room ? deliveries->asked_count : room;
    struct due_limits limits = finding_limits(worker);

    if (count > DUE_FETCH_MAX)
        count = DUE_FETCH_MAX;
    for (int i = 0; i < count; i++)
        ids[i] = deliveries->asked[i];
    if (count == 0 || !finding_has_room(worker))
        return;
    if (!due_send_fetch(&worker->finding->reader, worker->reading, ids, count, &limits,
                        on_fetch_answered, worker))
        return;
    finding_note_sent(worker);
    deliveries_end_asking(deliveries, count);
}

/* Those that are held, when their pauses are over. */
static void ask_for_held(struct worker *worker)
{
    const char *id;

    while (worker->deliveries.asked_count < DELIVERIES_ASKED_MAX &&
           (id = absences_next(&worker->finding->absences, worker->now_us)) != NULL)
        deliveries_ask_for(&worker->deliveries, id);
}

/* Rows of these come without payload: most of what a long backlog has is passed by. */
static void close_backlogged(struct worker *worker)
{
    const struct backlog *backlog;
    int room = BACKLOG_CLOSED_MAX;

    due_reader_begin_closed(&worker->finding->reader);
    TAILQ_FOREACH(backlog, &worker->endpoints.queues.backlogs.seen, in_seen) {
        if (room-- == 0)
            break;
        due_reader_add_closed(&worker->finding->reader, backlog_url_hash(backlog));
    }
}

static void read_planned(struct worker *worker)
{
    struct finding *finding = worker->finding;
    struct due_limits limits = finding_limits(worker);

    if (!finding_has_room(worker))
        return;
    finding->plan = finder_plan(&finding->finder, worker->now_us, finding_room_rows(worker),
                                finding_room_bytes(worker));
    if (finding->plan.read == FINDER_NOTHING)
        return;
    if (finding->plan.read == FINDER_FORWARD)
        close_backlogged(worker);
    if (due_send_read(&finding->reader, worker->reading, &finding->finder, &finding->plan, &limits,
                      on_read_answered, worker))
        finding_note_sent(worker);
}

static void refill(struct worker *worker)
{
    (void)refilling_send(worker); /* which says so by finding_note_sent() */
}

/* Refills, fetches and forward reads take turns, so that none waits for all of another. */
static void read_next(struct worker *worker)
{
    static void (*const reads[])(struct worker *) = {refill, fetch_asked, read_planned};
    struct finding *finding = worker->finding;

    for (size_t i = 0; i < ARRAY_LENGTH(reads) && !finding->is_reading; i++) {
        reads[finding->turn](worker);
        finding->turn = (finding->turn + 1) % (int)ARRAY_LENGTH(reads);
    }
}

void finding_step(struct worker *worker)
{
    struct finding *finding = worker->finding;

    queues_wake(&worker->endpoints.queues, worker->now_us);
    /* One read at a time; and nothing is read that could not be sent: it would be old by then. */
    if (finding->is_reading || !worker->may_send)
        return;
    refilling_make_room(worker);
    ask_for_held(worker);
    read_next(worker);
}

int64_t finding_next_us(const struct worker *worker)
{
    int64_t next_us = refilling_next_us(worker);
    int64_t read_us;

    if (worker->finding->is_reading || !worker->may_send)
        return WORKER_NEVER;
    if (!finding_has_room(worker))
        return next_us;
    read_us = worker->deliveries.asked_count > 0 ? 0 : finder_next_us(&worker->finding->finder);
    if (absences_next_us(&worker->finding->absences) < next_us)
        next_us = absences_next_us(&worker->finding->absences);
    return read_us < next_us ? read_us : next_us;
}
