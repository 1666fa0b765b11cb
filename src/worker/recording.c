/* SPDX-License-Identifier: MIT */
#include "worker/recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/gathering.h"
#include "core/returns.h"
#include "core/standstill.h"
#include "db/due.h"
#include "db/outcomes.h"
#include "worker/promises.h"
#include "worker/reporting.h"

#define UNSETTLED_FIRST_US   500000
#define UNSETTLED_LONGEST_US 30000000
#define REFUSAL_PAUSE_US     1000000
#define ALONE_US             5000000
#define PART(part)           (1u << (part))
#define REFUSED_ALIKE_MAX    3

struct recording {
    struct outcome_writer writer;
    struct gathering gathering;
    struct standstill standstill;
    struct returns returns;
    bool is_writing;
    int64_t sent_us;        /* the batch that is being written */
    enum outcome_part part; /* that is being written */
    int64_t not_before_us;  /* after a refusal that was no record's fault */
    int refused_alike;      /* such refusals in a row */
    int64_t alone_until_us; /* outcomes are written alone: what goes with them was refused */
    size_t batch_limit;   /* halved when a batch is refused, to find the record that is to blame */
    size_t unsettled;     /* outcomes that were refused or undone, and are written again */
    char reason[160];     /* why the last one of them was not taken */
    bool is_owed_refused; /* the part that is owed was refused once */
    bool has_alone;       /* a batch was written so since the start */
    unsigned owed;        /* parts of the last batch that are not written yet, a bit each */
    int64_t returned_us;  /* when a row last came back again and again; 0 = never */
    char returned[37];    /* ... its id */
    int64_t ordered_end_us; /* when an ordered delivery has last ended; 0 = never */
};

void recording_init(struct worker *worker)
{
    worker->recording = memory_new(1, sizeof(*worker->recording));
    outcome_writer_init(&worker->recording->writer);
    worker->recording->batch_limit = OUTCOMES_BATCH_MAX;
    returns_init(&worker->recording->returns);
}

void recording_free(struct worker *worker)
{
    outcome_writer_free(&worker->recording->writer);
    returns_free(&worker->recording->returns);
    free(worker->recording);
}

bool recording_is_writing(const struct worker *worker)
{
    return worker->recording->is_writing;
}

bool recording_is_owing(const struct worker *worker)
{
    return worker->recording->owed != 0;
}

size_t recording_unsettled(const struct worker *worker, const char **ret_reason)
{
    *ret_reason = worker->recording->reason;
    return worker->recording->unsettled;
}

const char *recording_returned(const struct worker *worker, int64_t *ret_at_us)
{
    *ret_at_us = worker->recording->returned_us;
    return worker->recording->returned;
}

int64_t recording_ordered_end_us(const struct worker *worker)
{
    return worker->recording->ordered_end_us;
}

size_t recording_unwritten(const struct worker *worker)
{
    const size_t *counts = worker->deliveries.counts;

    return counts[DELIVERY_UNDECIDED] + counts[DELIVERY_FINISHED] + counts[DELIVERY_RECORDING];
}

static bool is_logged(const struct worker *worker, const struct delivery *delivery)
{
    /* What was not sent was no attempt. */
    if (!delivery->outcome.counts_attempt || delivery->is_in_log)
        return false;
    switch (worker->config->attempt_log) {
    case ATTEMPT_LOG_ALL:
        return true;
    case ATTEMPT_LOG_NONE:
        return false;
    case ATTEMPT_LOG_FAILURES:
        break;
    }
    return delivery->outcome.kind != OUTCOME_DELIVERED;
}

static struct outcome_record record_of(const struct worker *worker, const struct delivery *delivery)
{
    return (struct outcome_record){
        .id = delivery->id,
        .url_hash = delivery->url_hash,
        .attempts = delivery->attempts,
        .outcome = delivery->outcome,
        .response_status = delivery->response_status,
        .error = delivery->error,
        .age_ms = (worker->now_us - delivery->started_us) / 1000,
        .duration_ms = (delivery->finished_us - delivery->started_us) / 1000,
        .phases = delivery->phases,
        .is_logged = is_logged(worker, delivery),
        .response_body = delivery->response_body,
        .is_ordered = delivery->is_ordered,
        .was_promised = delivery->was_promised,
        .bucket = delivery->ordering_bucket,
        .customer_id = delivery->endpoint->customer_id,
        .url = delivery->endpoint->url,
    };
}

static void forget(struct worker *worker, struct delivery *delivery)
{
    struct recording *recording = worker->recording;

    if (delivery->settlement == SETTLEMENT_LEFT) {
        promises_give_back(worker, delivery->id);
        reporting_unwritten(delivery);
        /* The row may be due again as somebody else has left it, and sweeps would come to it
         * late. */
        deliveries_ask_for(&worker->deliveries, delivery->id);
    } else {
        promises_end(worker, delivery->id);
        returns_note_written(&recording->returns, delivery->id, delivery->attempts, worker->now_us);
        if (delivery->is_removed)
            reporting_outcome(worker, delivery);
    }
    if (delivery->refusals > 0) {
        recording->unsettled--;
        endpoint_note_unsettled(&worker->endpoints, delivery->endpoint, -1);
    }
    if (delivery->is_ordered && delivery->outcome.kind != OUTCOME_RETRY)
        recording->ordered_end_us = worker->now_us;
    delivery->endpoint->gone -= delivery->outcome.disables_endpoint;
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_FORGOTTEN);
    endpoint_note_under_way(&worker->endpoints, delivery->endpoint, worker->now_us);
}

/* What was cut may end within a character. */
static void note_reason(struct worker *worker, const char *message)
{
    struct buffer clean;

    buffer_init(&clean, sizeof(worker->recording->reason) - 1);
    text_append_clean(&clean, message, strlen(message));
    text_copy(worker->recording->reason, sizeof(worker->recording->reason), buffer_string(&clean));
    buffer_free(&clean);
}

/* A read-only server, resources, operator intervention, system errors, rollbacks. */
static bool is_servers_trouble(const char *sqlstate)
{
    static const char classes[][3] = {"25", "53", "57", "58", "40", "08", "3F"};

    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

/* It ends by itself, most likely; as a lock does, too (55P03). */
static bool is_passing(const char *sqlstate)
{
    return sqlstate != NULL && (is_servers_trouble(sqlstate) || strncmp(sqlstate, "55", 2) == 0);
}

/* Its outcome is written again after a pause that grows, and it is not sent again meanwhile. */
static void put_off(struct worker *worker, struct delivery *delivery, const char *message,
                    const char *sqlstate)
{
    int64_t pause_us = UNSETTLED_FIRST_US << (delivery->refusals < 10 ? delivery->refusals : 10);

    if (pause_us > UNSETTLED_LONGEST_US)
        pause_us = UNSETTLED_LONGEST_US;
    /* The attempt is counted, so only the time of the next one is to be kept: it is let go when
     * that has come. */
    if (delivery->settlement == SETTLEMENT_EARLY)
        pause_us = delivery->outcome.delay_ms * 1000;
    if (delivery->refusals++ == 0) {
        worker->recording->unsettled++;
        endpoint_note_unsettled(&worker->endpoints, delivery->endpoint, 1);
        endpoint_note_under_way(&worker->endpoints, delivery->endpoint, worker->now_us);
    }
    delivery->not_before_us = worker->now_us + pause_us;
    delivery->is_hopeless = !is_passing(sqlstate);
    note_reason(worker, message);
    reporting_unsettled(worker, delivery, message, sqlstate);
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_FINISHED);
}

static const char *undone_text(const struct delivery *delivery)
{
    if (!delivery->came_back)
        return "nothing is updated: a trigger or a policy swallows the update";
    return delivery->settlement == SETTLEMENT_EARLY
               ? "the row is due before its time: a trigger sets next_retry_at"
               : "the row comes back as it was: a trigger turns the update back";
}

/* All of the batch is judged: what stays or is another's is forgotten, the rest is put off. */
static void settle(struct worker *worker)
{
    struct delivery_list *list = &worker->deliveries.lists[DELIVERY_RECORDING];
    size_t settled = 0, undone = 0;
    struct delivery *delivery;

    while ((delivery = TAILQ_FIRST(list)) != NULL) {
        if (delivery->settlement == SETTLEMENT_STAYS || delivery->settlement == SETTLEMENT_LEFT) {
            settled++;
            forget(worker, delivery);
            continue;
        }
        /* One that is undone again says nothing new of how the others will fare. */
        undone += delivery->refusals == 0;
        put_off(worker, delivery, undone_text(delivery), NULL);
    }
    standstill_note(&worker->recording->standstill, settled, undone, worker->now_us);
}

static struct delivery *recorded(struct worker *worker, const char *id)
{
    struct delivery *delivery = deliveries_find(&worker->deliveries, id);

    if (delivery == NULL || delivery->state != DELIVERY_RECORDING)
        bug("an outcome was written that is not being recorded");
    return delivery;
}

static void note_rows(struct worker *worker, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct settlement_row row;
        const char *customer_id;
        struct delivery *delivery = recorded(worker, outcome_row_at(result, i, &row, &customer_id));

        row.is_moved |=
            customer_id != NULL && strcmp(customer_id, delivery->endpoint->customer_id) != 0;
        delivery->settlement = settlement_of_row(&delivery->outcome, delivery->attempts, &row);
        if (worker->recording->part == OUTCOMES_WHOLE && is_logged(worker, delivery))
            delivery->is_in_log = true;
        delivery->came_back = true;
    }
}

/* Back to be written again, in the same order before those that have finished since. */
static void requeue(struct worker *worker, bool was_lost)
{
    struct deliveries *deliveries = &worker->deliveries;
    struct delivery *delivery;

    while ((delivery = TAILQ_LAST(&deliveries->lists[DELIVERY_RECORDING], delivery_list)) != NULL) {
        delivery->was_sent_twice |= was_lost;
        delivery_set_state(deliveries, delivery, DELIVERY_FINISHED);
        TAILQ_REMOVE(&deliveries->lists[DELIVERY_FINISHED], delivery, in_state);
        TAILQ_INSERT_HEAD(&deliveries->lists[DELIVERY_FINISHED], delivery, in_state);
    }
}

static void on_looked(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->recording->is_writing = false;
    if (answer->result != DB_ANSWERED) {
        /* The batch is written again, which does nothing to what was written. */
        if (answer->result == DB_REFUSED)
            reporting_refusal("looking at rows that were not updated was refused", answer);
        worker->recording->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
        requeue(worker, true);
        return;
    }
    for (int i = 0; i < PQntuples(answer->results[0]); i++)
        recorded(worker, PQgetvalue(answer->results[0], i, 0))->settlement =
            settlement_of_missing(true);
    settle(worker);
}

/* False when there is nothing to look at: every row came back. */
static bool look_at_missing(struct worker *worker)
{
    struct recording *recording = worker->recording;
    const struct delivery *delivery;
    bool is_missing = false;

    outcome_writer_begin_look(&recording->writer);
    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_RECORDING], in_state) {
        struct outcome_record record;

        if (delivery->came_back)
            continue;
        record = record_of(worker, delivery);
        outcome_writer_look_at(&recording->writer, &record);
        is_missing = true;
    }
    if (!is_missing)
        return false;
    recording->is_writing =
        outcome_writer_send_look(&recording->writer, worker->writing, on_looked, worker);
    if (!recording->is_writing)
        requeue(worker, true);
    return true;
}

/* By itself it refuses any record, but triggers of the application may raise its SQLSTATEs, too: so
 * when it goes on, the batch is halved as for others. */
static bool is_no_records_fault(struct recording *recording, const char *sqlstate)
{
    return is_servers_trouble(sqlstate) && ++recording->refused_alike <= REFUSED_ALIKE_MAX;
}

/* A part that was lost is sent again: what it has written is not written twice. */
static void on_owed_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct recording *recording = worker->recording;

    recording->is_writing = false;
    if (answer->result == DB_LOST)
        return;
    if (answer->result == DB_REFUSED && is_no_records_fault(recording, answer->sqlstate)) {
        recording->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
        return;
    }
    /* Once more: the first may have been refused for a plan that was out of date. */
    if (answer->result == DB_REFUSED && !recording->is_owed_refused) {
        recording->is_owed_refused = true;
        return;
    }
    if (answer->result == DB_REFUSED)
        reporting_refusal(
            recording->part == OUTCOMES_LOG
                ? "outcomes are written, but their lines of the attempt log were refused "
                  "and are missing"
                : "outcomes are written, but disabling the endpoints that answered 410 "
                  "was refused",
            answer);
    recording->is_owed_refused = false;
    recording->owed &= ~PART(recording->part);
}

/* What goes with outcomes that were written alone, each part by itself. */
static void send_owed(struct worker *worker)
{
    struct recording *recording = worker->recording;

    recording->part =
        (recording->owed & PART(OUTCOMES_LOG)) != 0 ? OUTCOMES_LOG : OUTCOMES_ENDPOINTS;
    recording->is_writing = outcome_writer_send(&recording->writer, recording->part,
                                                worker->writing, on_owed_answered, worker);
}

/* Outcomes of the batch were written alone, or may have been by a batch that was lost. */
static bool were_alone(const struct worker *worker)
{
    const struct delivery *delivery;

    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_RECORDING], in_state)
        if (delivery->was_alone)
            return true;
    return false;
}

/*
 * The log has what this worker has written: a row that did not come back may have become the same
 * by another worker, who logs his attempt himself. Of what was sent twice the first may have
 * written it, so the statement compares it with the row.
 */
static void note_owed(struct worker *worker)
{
    struct recording *recording = worker->recording;
    const struct delivery *delivery;

    outcome_writer_begin(&recording->writer, "", "{}");
    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_RECORDING], in_state) {
        struct outcome_record record = record_of(worker, delivery);

        record.is_logged &= delivery->came_back || delivery->was_sent_twice;
        outcome_writer_add(&recording->writer, &record);
    }
    if (outcome_writer_has(&recording->writer, OUTCOMES_LOG))
        recording->owed |= PART(OUTCOMES_LOG);
    if (outcome_writer_has(&recording->writer, OUTCOMES_ENDPOINTS))
        recording->owed |= PART(OUTCOMES_ENDPOINTS);
}

static void note_answered(struct worker *worker, const struct db_answer *answer)
{
    struct recording *recording = worker->recording;

    meter_note(&worker->meters.statements[STATEMENT_OUTCOMES], worker->now_us - recording->sent_us);
    gathering_note_written(&recording->gathering, worker->deliveries.counts[DELIVERY_RECORDING],
                           worker->now_us);
    recording->refused_alike = 0;
    /* Not back to the most at once: where one record was to blame, there may be others near it. */
    recording->batch_limit *= 2;
    if (recording->batch_limit > OUTCOMES_BATCH_MAX)
        recording->batch_limit = OUTCOMES_BATCH_MAX;
    for (int i = 0; i < answer->count; i++) {
        if (ordering_is_promotion(answer->results[i]))
            promises_note_next(worker, answer->results[i]);
        else
            note_rows(worker, answer->results[i]);
    }
    if (recording->has_alone && were_alone(worker))
        note_owed(worker);
    if (!look_at_missing(worker))
        settle(worker);
}

static bool has_more_than_rows(const struct recording *recording)
{
    return recording->part == OUTCOMES_WHOLE &&
           (outcome_writer_has(&recording->writer, OUTCOMES_LOG) ||
            outcome_writer_has(&recording->writer, OUTCOMES_ENDPOINTS));
}

/* Missing privileges and columns concern every batch, most likely. */
static bool is_of_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

static void on_batch_answered(void *owner, const struct db_answer *answer);

static void send_batch(struct worker *worker, enum outcome_part part)
{
    struct recording *recording = worker->recording;
    struct delivery *delivery;

    recording->part = part;
    recording->sent_us = worker->now_us;
    if (part == OUTCOMES_ALONE) {
        recording->has_alone = true;
        TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_RECORDING], in_state)
            delivery->was_alone = true;
    }
    recording->is_writing =
        outcome_writer_send(&recording->writer, part, worker->writing, on_batch_answered, worker);
    if (!recording->is_writing)
        requeue(worker, false);
}

static void put_off_refused(struct worker *worker, const struct db_answer *answer)
{
    struct delivery *delivery = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_RECORDING]);

    delivery->settlement = SETTLEMENT_UNDONE;

    standstill_note(&worker->recording->standstill, 0, delivery->refusals == 0, worker->now_us);
    put_off(worker, delivery, answer->message, answer->sqlstate);
}

static void note_refused(struct worker *worker, const struct db_answer *answer)
{
    struct recording *recording = worker->recording;
    size_t count = worker->deliveries.counts[DELIVERY_RECORDING];

    if (is_no_records_fault(recording, answer->sqlstate)) {
        reporting_refusal("writing outcomes was refused; they are kept and written again", answer);
        recording->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
        requeue(worker, false);
        return;
    }
    /* The outcome itself matters most: what goes with it is left out before it is put off. */
    if (has_more_than_rows(recording) && (count == 1 || is_of_class(answer->sqlstate, "42"))) {
        if (is_of_class(answer->sqlstate, "42"))
            recording->alone_until_us = worker->now_us + ALONE_US;
        send_batch(worker, OUTCOMES_ALONE);
        return;
    }
    /* Half as many next time, until the record to blame stands alone and all others pass. */
    recording->batch_limit = count > 1 ? count / 2 : 1;
    if (count == 1)
        put_off_refused(worker, answer);
    requeue(worker, false);
}

static void on_batch_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->recording->is_writing = false;
    switch (answer->result) {
    case DB_ANSWERED:
        promises_note_written(worker);
        note_answered(worker, answer);
        break;
    case DB_REFUSED:
        note_refused(worker, answer);
        break;
    case DB_LOST:
        promises_note_lost(worker);
        requeue(worker, true);
        break;
    }
}

/* Moves what is to be written now to recording; the number of records. */
static size_t gather(struct worker *worker)
{
    struct deliveries *deliveries = &worker->deliveries;
    struct delivery *delivery = TAILQ_FIRST(&deliveries->lists[DELIVERY_FINISHED]);
    size_t count = 0;
    int promised = 0;

    outcome_writer_begin(&worker->recording->writer, promises_owner(worker), promises_kept(worker));
    while (delivery != NULL && count < worker->recording->batch_limit) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);

        if (delivery->not_before_us <= worker->now_us) {
            struct outcome_record record = record_of(worker, delivery);

            record.chain = promises_chain(worker, delivery, promised);
            promised += record.is_ordered && record.chain != ORDERING_NO_PROMISE;
            delivery->settlement = settlement_of_missing(false);
            delivery->came_back = false;
            outcome_writer_add(&worker->recording->writer, &record);
            delivery_set_state(deliveries, delivery, DELIVERY_RECORDING);
            count++;
        }
        delivery = next;
    }
    return count;
}

/* The time from which the first finished delivery may be written. */
static int64_t first_due_us(const struct worker *worker)
{
    size_t count = worker->deliveries.counts[DELIVERY_FINISHED];
    const struct delivery *delivery;
    int64_t first_us = WORKER_NEVER;

    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_FINISHED], in_state) {
        int64_t due_us =
            gathering_due_us(&worker->recording->gathering, count, delivery->finished_us);

        if (delivery->not_before_us == 0)
            return due_us < first_us ? due_us : first_us;
        if (delivery->not_before_us < first_us)
            first_us = delivery->not_before_us;
    }
    return first_us;
}

void recording_step(struct worker *worker)
{
    struct recording *recording = worker->recording;

    if (recording->is_writing || !db_link_is_up(worker->writing) ||
        worker->now_us < recording->not_before_us)
        return;
    /* Before the next batch, which takes the place of the one that they belong to. */
    if (recording->owed != 0) {
        send_owed(worker);
        return;
    }
    if (first_due_us(worker) > worker->now_us)
        return;
    if (gather(worker) == 0)
        return;
    send_batch(worker,
               worker->now_us < recording->alone_until_us ? OUTCOMES_ALONE : OUTCOMES_WHOLE);
}

int64_t recording_next_us(const struct worker *worker)
{
    int64_t due_us = first_due_us(worker);

    if (worker->recording->is_writing || !db_link_is_up(worker->writing))
        return WORKER_NEVER;
    if (worker->recording->owed != 0)
        due_us = worker->now_us;
    return due_us > worker->recording->not_before_us ? due_us : worker->recording->not_before_us;
}

/*
 * Outcomes that can't be written yet count as requests in flight: when the database is slow, a
 * crash would send them all again.
 */
bool recording_has_room(const struct worker *worker, size_t in_flight)
{
    const struct recording *recording = worker->recording;
    /* Unsettled ones have a limit of their own: a few rows that refuse to be written must not hold
     * up all others. */
    size_t unwritten = worker->deliveries.counts[DELIVERY_FINISHED] +
                       worker->deliveries.counts[DELIVERY_RECORDING] - recording->unsettled;

    return unwritten < endpoints_slots(&worker->endpoints) * 2 + OUTCOMES_BATCH_MAX &&
           recording->unsettled < RECORDING_UNSETTLED_MAX &&
           standstill_may_start(&recording->standstill, in_flight + unwritten, worker->now_us);
}

int64_t recording_room_us(const struct worker *worker)
{
    const struct standstill *standstill = &worker->recording->standstill;

    return standstill->streak > 0 && standstill->probe_us > worker->now_us ? standstill->probe_us
                                                                           : WORKER_NEVER;
}

bool recording_may_send(struct worker *worker, const struct due_row *row)
{
    struct recording *recording = worker->recording;
    int count;

    if (returns_may_send_us(&recording->returns, row->id, row->attempts, worker->now_us, &count) >
        worker->now_us)
        return false;
    if (count > 1) {
        reporting_returned(worker, row, count);
        recording->returned_us = worker->now_us;
        text_copy(recording->returned, sizeof(recording->returned), row->id);
    }
    return true;
}

void recording_begin_last_try(struct worker *worker)
{
    struct delivery *delivery;

    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_FINISHED], in_state)
        if (delivery->not_before_us > worker->now_us)
            delivery->not_before_us = worker->now_us;
}

bool recording_is_hopeless(const struct worker *worker)
{
    const struct delivery *delivery;

    /* Something is still to be decided or with the database, and may go well. */
    if (recording_unwritten(worker) != worker->deliveries.counts[DELIVERY_FINISHED])
        return false;
    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_FINISHED], in_state)
        if (delivery->not_before_us <= worker->now_us || !delivery->is_hopeless)
            return false;
    return true;
}
