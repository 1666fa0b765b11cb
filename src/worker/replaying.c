/* SPDX-License-Identifier: MIT */
#include "worker/replaying.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "db/replays.h"
#include "worker/finding.h"
#include "worker/reporting.h"

#define REFUSED_FIRST_US   1000000
#define REFUSED_LONGEST_US 60000000
#define REMOVAL_REST_US    INT64_C(3600000000)
#define MESSAGE_MAX        500

/* What is to be asked next. */
enum replaying_task {
    REPLAYING_LOOK, /* which replay is due */
    REPLAYING_STEP, /* its next batch */
    REPLAYING_FAIL, /* it ends with an error */
};

struct replaying {
    bool is_running; /* a request is out */
    enum replaying_task task;
    int64_t due_us; /* the next request */
    int64_t pause_us;
    int64_t removal_us;
    struct replay_turn turn;
    char error[MESSAGE_MAX];
    char unknown[REPLAY_ID_SIZE]; /* the last one that was told of */
};

void replaying_init(struct worker *worker)
{
    worker->replaying = memory_new(1, sizeof(*worker->replaying));
}

void replaying_free(struct worker *worker)
{
    free(worker->replaying);
}

/* One that stops leaves them to the next owner of its lanes. */
static bool is_mine(const struct worker *worker)
{
    return worker->may_send && worker->phase == WORKER_RUNNING && finding_owns_lane(worker, 0);
}

static void look_again(struct worker *worker, int64_t after_us)
{
    worker->replaying->task = REPLAYING_LOOK;
    worker->replaying->due_us = worker->now_us + after_us;
}

/* A refusal is asked for again with pauses that grow. What a lost connection has done of it shows in
 * the row. */
static void note_unanswered(struct worker *worker, const struct db_answer *answer)
{
    struct replaying *replaying = worker->replaying;

    if (answer->result != DB_REFUSED) {
        look_again(worker, REPLAYING_REST_US);
        return;
    }
    replaying->pause_us = replaying->pause_us > 0 ? replaying->pause_us * 2 : REFUSED_FIRST_US;
    if (replaying->pause_us > REFUSED_LONGEST_US)
        replaying->pause_us = REFUSED_LONGEST_US;
    look_again(worker, replaying->pause_us);
    reporting_refusal("carrying out replays was refused", answer);
}

static void tell_unknown(struct replaying *replaying, const struct db_answer *answer)
{
    const char *id = replays_unknown_id(answer);

    if (id == NULL || strcmp(id, replaying->unknown) == 0)
        return;
    snprintf(replaying->unknown, sizeof(replaying->unknown), "%s", id);
    log_event(LOG_LEVEL_WARNING, "a replay of a kind that this version does not know is left alone",
              LOG_TEXT("replay", id), LOG_TEXT("kind", replays_unknown_kind(answer)));
}

static void on_due(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct replaying *replaying = worker->replaying;
    int64_t wait_us;

    replaying->is_running = false;
    if (answer->result != DB_ANSWERED) {
        note_unanswered(worker, answer);
        return;
    }
    tell_unknown(replaying, answer);
    if (!replays_due_turn(answer, &replaying->turn)) {
        look_again(worker, REPLAYING_REST_US);
        return;
    }
    wait_us = replaying->turn.due_ms > 0 ? replaying->turn.due_ms * 1000 : 0;
    look_again(worker, wait_us < REPLAYING_REST_US ? wait_us : REPLAYING_REST_US);
    if (wait_us == 0)
        replaying->task = REPLAYING_STEP;
}

static void tell_progress(const struct replay_turn *turn, const struct replay_progress *progress)
{
    if (turn->is_begin)
        log_event(LOG_LEVEL_INFO, "a replay has begun", LOG_TEXT("replay", turn->id),
                  LOG_TEXT("kind", progress->kind), LOG_TEXT("by", progress->requested_by));
    if (progress->is_finished)
        log_event(LOG_LEVEL_INFO, "a replay has finished", LOG_TEXT("replay", turn->id),
                  LOG_NUMBER("done", progress->done),
                  LOG_NUMBER("skipped", progress->skipped_count));
}

static void on_stepped(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct replaying *replaying = worker->replaying;
    struct replay_progress progress;

    replaying->is_running = false;
    if (replays_is_bad_filter(answer)) {
        look_again(worker, 0);
        snprintf(replaying->error, sizeof(replaying->error), "%s", answer->message);
        replaying->task = REPLAYING_FAIL;
        return;
    }
    if (answer->result != DB_ANSWERED) {
        note_unanswered(worker, answer);
        return;
    }
    replaying->pause_us = 0;
    progress = replays_progress(answer);
    /* Who was first is at work on it: it is asked again what there is. */
    look_again(worker, 0);
    if (progress.is_done)
        tell_progress(&replaying->turn, &progress);
    else
        replaying->due_us = worker->now_us + REPLAYING_REST_US / 10;
}

static void on_failed(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->replaying->is_running = false;
    look_again(worker, 0);
    if (answer->result != DB_ANSWERED)
        note_unanswered(worker, answer);
    else
        log_event(LOG_LEVEL_WARNING, "a replay has ended with an error",
                  LOG_TEXT("replay", worker->replaying->turn.id),
                  LOG_TEXT("error", worker->replaying->error));
}

static void on_removed(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->replaying->is_running = false;
    if (answer->result == DB_REFUSED)
        reporting_refusal("deleting old replays was refused", answer);
}

static bool send(struct worker *worker)
{
    struct replaying *replaying = worker->replaying;
    const char *schema = worker->config->database.schema;

    switch (replaying->task) {
    case REPLAYING_LOOK:
        return replays_send_due(worker->writing, schema, on_due, worker);
    case REPLAYING_STEP:
        return db_link_takes_long(worker->writing) &&
               replays_send_step(worker->writing, schema, &replaying->turn, on_stepped, worker);
    case REPLAYING_FAIL:
        return replays_send_error(worker->writing, schema, replaying->turn.id, replaying->error,
                                  on_failed, worker);
    }
    bug("no such task of replaying: %d", (int)replaying->task);
}

void replaying_step(struct worker *worker)
{
    struct replaying *replaying = worker->replaying;

    if (replaying->is_running)
        return;
    if (!is_mine(worker)) {
        replaying->task = REPLAYING_LOOK;
        return;
    }
    if (worker->now_us >= replaying->removal_us) {
        replaying->removal_us = worker->now_us + REMOVAL_REST_US;
        replaying->is_running = replays_send_removal(
            worker->writing, worker->config->database.schema, on_removed, worker);
    } else if (worker->now_us >= replaying->due_us)
        replaying->is_running = send(worker);
}

int64_t replaying_next_us(const struct worker *worker)
{
    const struct replaying *replaying = worker->replaying;

    /* What is under way wakes the loop with its answer. */
    if (!is_mine(worker) || replaying->is_running ||
        (replaying->task == REPLAYING_STEP && !db_link_takes_long(worker->writing)))
        return WORKER_NEVER;
    return replaying->due_us;
}
