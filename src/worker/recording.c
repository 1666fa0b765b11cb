#include "worker/recording.h"

#include <string.h>

#include "base/log.h"
#include "worker/finding.h"
#include "worker/report.h"

#define HOLD_FIRST_US    500000
#define HOLD_LONGEST_US  30000000
#define REFUSAL_PAUSE_US 1000000

void recording_init(struct worker *worker)
{
    outcome_writer_init(&worker->recording.writer);
    worker->recording.batch_limit = OUTCOMES_BATCH_MAX;
}

void recording_free(struct worker *worker)
{
    outcome_writer_free(&worker->recording.writer);
}

size_t recording_unwritten(const struct worker *worker)
{
    const size_t *counts = worker->deliveries.counts;

    return counts[DELIVERY_UNDECIDED] + counts[DELIVERY_FINISHED] + counts[DELIVERY_RECORDING];
}

static bool is_logged(const struct worker *worker, const struct delivery *delivery)
{
    /* What was not sent was no attempt. A record that is refused over and over goes without. */
    if (!delivery->outcome.counts_attempt || delivery->refusals > 3)
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

static void add_record(struct worker *worker, const struct delivery *delivery)
{
    struct outcome_record record = {
        .id = delivery->id,
        .url_hash = delivery->url_hash,
        .attempts = delivery->attempts,
        .outcome = delivery->outcome,
        .response_status = delivery->response_status,
        .error = delivery->error,
        .age_ms = (worker->now_us - delivery->started_us) / 1000,
        .duration_ms = (delivery->finished_us - delivery->started_us) / 1000,
        .is_logged = is_logged(worker, delivery),
        .response_body = delivery->response_body,
        .customer_id = delivery->endpoint->customer_id,
        .url = delivery->endpoint->url,
    };

    outcome_writer_add(&worker->recording.writer, &record);
}

static void forget_recorded(struct worker *worker)
{
    struct delivery_list *list = &worker->deliveries.lists[DELIVERY_RECORDING];
    struct delivery *delivery;

    while ((delivery = TAILQ_FIRST(list)) != NULL) {
        if (!delivery->is_written) {
            report_unwritten(delivery);
            finding_look_again(worker, delivery);
        }
        delivery->endpoint->gone -= delivery->outcome.disables_endpoint;
        delivery_set_state(&worker->deliveries, delivery, DELIVERY_FORGOTTEN);
    }
}

static void note_rows(struct worker *worker, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct delivery *delivery = deliveries_find(&worker->deliveries, PQgetvalue(result, i, 0));

        if (delivery == NULL || delivery->state != DELIVERY_RECORDING)
            bug("an outcome was written that is not being recorded");
        delivery->is_written = true;
    }
}

static void note_written(struct worker *worker, const struct db_answer *answer)
{
    for (int i = 0; i < answer->count; i++)
        note_rows(worker, answer->results[i]);
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

/* One record that is refused by itself waits apart, longer each time. */
static void hold_record(struct worker *worker, const struct db_answer *answer)
{
    struct delivery *delivery = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_RECORDING]);
    int64_t pause_us = HOLD_FIRST_US << (delivery->refusals < 10 ? delivery->refusals : 10);

    delivery->refusals++;
    delivery->hold_us = worker->now_us + (pause_us < HOLD_LONGEST_US ? pause_us : HOLD_LONGEST_US);
    log_event(LOG_LEVEL_ERROR, "the database refuses to record an outcome; trying again",
              LOG_TEXT("delivery", delivery->id), LOG_TEXT("error", answer->message),
              LOG_TEXT("sqlstate", answer->sqlstate), LOG_NUMBER("refusals", delivery->refusals));
}

/*
 * Refused whatever the records are: the classes of SQLSTATE for a read-only server, resources,
 * operator intervention, system errors, rollbacks, missing privileges or columns.
 */
static bool is_no_records_fault(const char *sqlstate)
{
    static const char classes[][3] = {"25", "53", "57", "58", "40", "42", "08", "3F"};

    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

static void note_refused(struct worker *worker, const struct db_answer *answer)
{
    struct recording *recording = &worker->recording;
    size_t count = worker->deliveries.counts[DELIVERY_RECORDING];

    if (is_no_records_fault(answer->sqlstate)) {
        report_refusal("writing outcomes was refused; they are kept and written again", answer);
        recording->not_before_us = worker->now_us + REFUSAL_PAUSE_US;
    } else {
        if (count == 1)
            hold_record(worker, answer);
        recording->batch_limit = count > 1 ? count / 2 : 1;
    }
    requeue(worker, false);
}

static void on_batch_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct recording *recording = &worker->recording;

    recording->is_writing = false;
    switch (answer->result) {
    case DB_ANSWERED:
        gathering_note_written(&recording->gathering, worker->deliveries.counts[DELIVERY_RECORDING],
                               worker->now_us);
        note_written(worker, answer);
        forget_recorded(worker);
        recording->batch_limit *= 2;
        if (recording->batch_limit > OUTCOMES_BATCH_MAX)
            recording->batch_limit = OUTCOMES_BATCH_MAX;
        break;
    case DB_REFUSED:
        note_refused(worker, answer);
        break;
    case DB_LOST:
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

    outcome_writer_begin(&worker->recording.writer);
    while (delivery != NULL && count < worker->recording.batch_limit) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);

        if (delivery->hold_us <= worker->now_us) {
            delivery->is_written = false;
            add_record(worker, delivery);
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
            gathering_due_us(&worker->recording.gathering, count, delivery->finished_us);

        if (delivery->hold_us == 0)
            return due_us < first_us ? due_us : first_us;
        if (delivery->hold_us < first_us)
            first_us = delivery->hold_us;
    }
    return first_us;
}

static bool is_time(const struct worker *worker)
{
    return worker->now_us >= worker->recording.not_before_us &&
           first_due_us(worker) <= worker->now_us;
}

void recording_step(struct worker *worker)
{
    struct recording *recording = &worker->recording;

    if (recording->is_writing || !db_link_is_up(worker->writing) || !is_time(worker))
        return;
    if (gather(worker) == 0)
        return;
    recording->is_writing =
        outcome_writer_send(&recording->writer, worker->writing, on_batch_answered, worker);
    if (!recording->is_writing)
        requeue(worker, false);
}

int64_t recording_next_us(const struct worker *worker)
{
    int64_t due_us = first_due_us(worker);

    if (worker->recording.is_writing || !db_link_is_up(worker->writing))
        return WORKER_NEVER;
    return due_us > worker->recording.not_before_us ? due_us : worker->recording.not_before_us;
}
