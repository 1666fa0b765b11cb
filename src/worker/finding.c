#include "worker/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "worker/report.h"

#define READ_BYTES_MAX ((int64_t)16 * 1024 * 1024)
#define AHEAD_ROWS_MIN 512

void finding_init(struct worker *worker)
{
    struct finding *finding = &worker->finding;

    finder_init(&finding->finder, worker->config->worker.poll_interval_ms * 1000);
    due_reader_init(&finding->reader, worker->config->delivery.max_payload_bytes);
    finding->found = memory_new(FINDER_ROWS_MAX, sizeof(*finding->found));
}

void finding_free(struct worker *worker)
{
    due_reader_free(&worker->finding.reader);
    free(worker->finding.found);
}

uint64_t finding_unanswered(const struct worker *worker)
{
    return worker->finding.is_reading ? worker->deliveries.newest_read : 0;
}

/* Twice as many rows as can be in flight keep every slot filled from one read to the next. */
static int rows_ahead(const struct worker *worker)
{
    int64_t rows = worker->config->worker.max_in_flight * 2;

    return rows > AHEAD_ROWS_MIN ? (int)rows : AHEAD_ROWS_MIN;
}

static int room_rows(const struct worker *worker)
{
    return rows_ahead(worker) - (int)worker->deliveries.counts[DELIVERY_WAITING];
}

static int64_t room_bytes(const struct worker *worker)
{
    int64_t room = worker->config->worker.max_buffered_bytes - worker->deliveries.payload_bytes;

    return room > READ_BYTES_MAX ? READ_BYTES_MAX : room;
}

/* Small reads cost as much as large ones, so nothing is read until half of the room is free. */
static bool has_room(const struct worker *worker)
{
    return room_rows(worker) * 2 >= rows_ahead(worker) && room_bytes(worker) > 0;
}

/*
 * A row that is known is not admitted again; but one that was forgotten and has had an attempt
 * since is another turn of the same row.
 */
static bool is_admitted(struct worker *worker, const struct due_row *row)
{
    struct delivery *known = deliveries_find(&worker->deliveries, row->id);

    if (!finder_owns(&worker->finding.finder, row->lane))
        return false;
    if (known == NULL)
        return true;
    if (known->state != DELIVERY_FORGOTTEN || known->attempts == row->attempts)
        return false;
    delivery_expire(&worker->deliveries, known);
    return true;
}

static void admit_row(struct worker *worker, const struct due_row *row)
{
    struct endpoint *endpoint;

    if (!is_admitted(worker, row))
        return;
    endpoint = endpoint_get(&worker->endpoints, row->customer_id, row->url);
    endpoint_push(&worker->endpoints, delivery_new(&worker->deliveries, row, endpoint),
                  worker->now_us);
}

/* Admits the rows and moves the cursors behind them. */
static void note_forward(struct worker *worker, const PGresult *result, struct finder_yield *yield)
{
    struct finding *finding = &worker->finding;
    int count = due_rows_count(result);
    struct late_snapshot snapshot = due_snapshot(result);

    for (int i = 0; i < count; i++) {
        struct due_row row = due_row_at(result, i);

        yield->rows[row.lane]++;
        yield->payloads += row.payload != NULL;
        yield->bytes += row.payload != NULL ? row.payload_bytes : 0;
        finder_note_row(&finding->finder, &finding->plan, row.lane, row.next_retry_at, row.id);
        admit_row(worker, &row);
    }
    finder_note_snapshot(&finding->finder, &snapshot, worker->now_us);
}

static void note_scan(struct worker *worker, const PGresult *result, struct finder_yield *yield)
{
    struct finding *finding = &worker->finding;

    for (int i = 0; i < PQntuples(result); i++) {
        struct due_key key = due_key_at(result, i);

        yield->rows[key.lane]++;
        finder_note_row(&finding->finder, &finding->plan, key.lane, key.next_retry_at, key.id);
        if (deliveries_find(&worker->deliveries, key.id) == NULL)
            snprintf(finding->found[finding->found_count++], sizeof(finding->found[0]), "%s",
                     key.id);
    }
}

/* True when the answer is there; else it is reported and the cursors stay where they were. */
static bool answer_is_good(struct worker *worker, const struct db_answer *answer)
{
    worker->finding.is_reading = false;
    if (answer->result == DB_ANSWERED)
        return true;
    if (answer->result == DB_REFUSED)
        report_refusal("reading due rows was refused", answer);
    finder_note_failure(&worker->finding.finder, worker->now_us);
    return false;
}

static void on_read_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct finding *finding = &worker->finding;
    struct finder_yield yield = {.started_us = finding->started_us};

    if (!answer_is_good(worker, answer))
        return;
    if (finding->plan.read == FINDER_FORWARD)
        note_forward(worker, answer->results[0], &yield);
    else
        note_scan(worker, answer->results[0], &yield);
    finder_note_end(&finding->finder, &finding->plan, &yield, worker->now_us);
}

static void on_fetch_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    if (!answer_is_good(worker, answer))
        return;
    for (int i = 0; i < PQntuples(answer->results[0]); i++) {
        struct due_row row = due_row_at(answer->results[0], i);

        admit_row(worker, &row);
    }
}

static void note_sent(struct worker *worker)
{
    worker->finding.is_reading = true;
    worker->finding.started_us = worker->now_us;
    worker->deliveries.newest_read++;
}

/* As many as there is room for; the others wait, and nothing else is read before them. */
static void fetch_found(struct worker *worker)
{
    struct finding *finding = &worker->finding;
    const char *ids[FINDER_ROWS_MAX];
    int count = finding->found_count;

    if (count > room_rows(worker))
        count = room_rows(worker);
    for (int i = 0; i < count; i++)
        ids[i] = finding->found[i];
    if (!due_send_fetch(&finding->reader, worker->reading, ids, count, room_bytes(worker),
                        on_fetch_answered, worker))
        return;
    note_sent(worker);
    finding->found_count -= count;
    memmove(finding->found[0], finding->found[count],
            (size_t)finding->found_count * sizeof(finding->found[0]));
}

void finding_step(struct worker *worker)
{
    struct finding *finding = &worker->finding;

    if (finding->is_reading || !worker->may_send || !has_room(worker))
        return;
    if (finding->found_count > 0) {
        fetch_found(worker);
        return;
    }
    finding->plan =
        finder_plan(&finding->finder, worker->now_us, room_rows(worker), room_bytes(worker));
    if (finding->plan.read != FINDER_NOTHING &&
        due_send_read(&finding->reader, worker->reading, &finding->finder, &finding->plan,
                      room_bytes(worker), on_read_answered, worker))
        note_sent(worker);
}

int64_t finding_next_us(const struct worker *worker)
{
    if (worker->finding.is_reading || !worker->may_send || !has_room(worker))
        return WORKER_NEVER;
    return worker->finding.found_count > 0 ? 0 : finder_next_us(&worker->finding.finder);
}
