/* SPDX-License-Identifier: MIT */
#include "worker/charting.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/history.h"
#include "worker/endpoint_history.h"
#include "worker/leasing.h"
#include "worker/reporting.h"

#define MINUTE_US        INT64_C(60000000)
#define SHORTEST_US      1000000
#define REFUSED_PAUSE_US INT64_C(60000000)
#define BETWEEN_BATCH_US 100000
#define CLOCK_REFRESH_US MINUTE_US
#define CLOCK_PAUSE_US   1000000

/* It has ended, and is to be written. */
struct charted {
    STAILQ_ENTRY(charted) entry;
    struct history_period period;
    int64_t number;
    int64_t middle_us; /* its own */
};

struct charting {
    struct history_writer writer;
    STAILQ_HEAD(, charted) waiting;
    size_t waiting_count;
    size_t sent_count; /* of the first ones, in the request that is out */
    bool is_writing;
    bool was_refused;
    int64_t number;   /* of the last period */
    int64_t began_us; /* the period that goes on */
    int64_t ends_us;
    int64_t due_us; /* the next request */
    int64_t asked_us;
    int64_t lost; /* periods, since the line before */
};

/* With the minute by this machine's clock, or the next one when that is about to end. */
static int64_t end_of_minute_us(const struct worker *worker)
{
    int64_t rest_us = MINUTE_US - clock_wall_s() % 60 * 1000000;

    return worker->now_us + rest_us + (rest_us < SHORTEST_US ? MINUTE_US : 0);
}

void charting_init(struct worker *worker)
{
    struct charting *charting = memory_new(1, sizeof(*charting));

    history_writer_init(&charting->writer);
    STAILQ_INIT(&charting->waiting);
    worker->clock_us = WORKER_NO_CLOCK;
    charting->began_us = worker->now_us;
    worker->charting = charting;
    charting->ends_us = end_of_minute_us(worker);
}

static void drop_first(struct charting *charting)
{
    struct charted *charted = STAILQ_FIRST(&charting->waiting);

    STAILQ_REMOVE_HEAD(&charting->waiting, entry);
    charting->waiting_count--;
    history_period_clear(&charted->period);
    free(charted);
}

void charting_free(struct worker *worker)
{
    struct charting *charting = worker->charting;

    while (charting->waiting_count > 0)
        drop_first(charting);
    history_writer_free(&charting->writer);
    free(charting);
}

static void drop_oldest(struct charting *charting)
{
    if (charting->waiting_count < CHARTING_WAITING_MAX || charting->is_writing)
        return;
    if (charting->lost++ == 0)
        log_event(LOG_LEVEL_WARNING,
                  "history: what can't be written for an hour is lost; charts will have a gap");
    drop_first(charting);
}

/* One without outcomes leaves no row. */
static void end_period(struct worker *worker)
{
    struct charting *charting = worker->charting;
    struct charted *charted = memory_new(1, sizeof(*charted));

    endpoints_take_history(&worker->endpoints, &charted->period);
    charted->middle_us = charting->began_us + (worker->now_us - charting->began_us) / 2;
    charting->began_us = worker->now_us;
    charting->ends_us = end_of_minute_us(worker);
    if (history_volume(&charted->period.all) == 0) {
        history_period_clear(&charted->period);
        free(charted);
        return;
    }
    charted->number = ++charting->number;
    drop_oldest(charting);
    STAILQ_INSERT_TAIL(&charting->waiting, charted, entry);
    charting->waiting_count++;
    if (!charting->was_refused)
        charting->due_us = worker->now_us;
}

/* As of the middle of the way there and back. */
static void note_clock(struct worker *worker, int64_t database_us)
{
    int64_t asked_us = worker->charting->asked_us;

    worker->clock_us = database_us - (asked_us + (worker->now_us - asked_us) / 2);
}

static void tell_written(struct charting *charting)
{
    if (charting->lost > 0 && charting->waiting_count == 0) {
        log_event(LOG_LEVEL_INFO, "history: written again",
                  LOG_NUMBER("lost_minutes", charting->lost));
        charting->lost = 0;
    }
}

static void on_written(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct charting *charting = worker->charting;

    charting->is_writing = false;
    charting->due_us = worker->now_us + CLOCK_PAUSE_US;
    charting->was_refused = answer->result == DB_REFUSED;
    if (charting->was_refused) {
        reporting_refusal("writing the history that charts show was refused", answer);
        charting->due_us = worker->now_us + REFUSED_PAUSE_US;
    }
    if (answer->result != DB_ANSWERED)
        return;
    note_clock(worker, history_clock_us(answer));
    for (; charting->sent_count > 0; charting->sent_count--)
        drop_first(charting);
    tell_written(charting);
    charting->due_us =
        worker->now_us + (charting->waiting_count > 0 ? BETWEEN_BATCH_US : CLOCK_REFRESH_US);
}

static void send(struct worker *worker)
{
    struct charting *charting = worker->charting;
    const struct charted *charted;

    history_writer_begin(&charting->writer);
    charting->sent_count = 0;
    STAILQ_FOREACH(charted, &charting->waiting, entry) {
        if (charting->sent_count == HISTORY_BATCH)
            break;
        history_writer_add(&charting->writer, &charted->period, charted->number,
                           (worker->now_us - charted->middle_us) / 1000);
        charting->sent_count++;
    }
    charting->asked_us = worker->now_us;
    charting->is_writing = history_writer_send(&charting->writer, worker->writing,
                                               leasing_owner(worker), on_written, worker);
}

static bool may_write(const struct worker *worker)
{
    return !worker->charting->is_writing && worker->is_schema_checked &&
           db_link_is_up(worker->writing);
}

void charting_step(struct worker *worker)
{
    struct charting *charting = worker->charting;

    if (worker->now_us >= charting->ends_us)
        end_period(worker);
    if (may_write(worker) && worker->now_us >= charting->due_us)
        send(worker);
}

bool charting_finish(struct worker *worker)
{
    struct charting *charting = worker->charting;

    if (!TAILQ_EMPTY(&worker->endpoints.counted))
        end_period(worker);
    if (charting->waiting_count == 0 || charting->was_refused || !db_link_is_up(worker->writing))
        return true;
    if (charting->due_us > worker->now_us && !charting->is_writing)
        charting->due_us = worker->now_us;
    return false;
}

int64_t charting_next_us(const struct worker *worker)
{
    const struct charting *charting = worker->charting;

    if (!may_write(worker) || charting->due_us > charting->ends_us)
        return charting->ends_us;
    return charting->due_us;
}
