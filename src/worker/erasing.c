/* SPDX-License-Identifier: MIT */
#include "worker/erasing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/erasures.h"
#include "worker/finding.h"
#include "worker/reporting.h"

#define IDS_MAX_BYTES ((size_t)40 * ERASURES_IDS_MAX + 16)
#define REFUSED_US    60000000

struct erasing {
    bool is_asking;
    bool is_known;                 /* mark is the database's */
    bool has_changed;              /* what waits is to be looked at */
    int64_t due_us;                /* the next question */
    char mark[ERASURES_MARK_SIZE]; /* what waits is as it was by then */
    char next[ERASURES_MARK_SIZE]; /* ... when it has been looked at */
    struct array ids;
};

void erasing_init(struct worker *worker)
{
    worker->erasing = memory_new(1, sizeof(*worker->erasing));
    array_init(&worker->erasing->ids, IDS_MAX_BYTES);
}

void erasing_free(struct worker *worker)
{
    array_free(&worker->erasing->ids);
    free(worker->erasing);
}

/* A lost connection has taken what waited with it (finding_drop_unowned()). */
static bool note_answer(struct worker *worker, const struct db_answer *answer)
{
    struct erasing *erasing = worker->erasing;

    erasing->is_asking = false;
    erasing->due_us = worker->now_us + ERASING_LOOK_US;
    if (answer->result == DB_REFUSED) {
        erasing->due_us = worker->now_us + REFUSED_US;
        reporting_refusal("looking for what was erased was refused", answer);
    }
    return answer->result == DB_ANSWERED;
}

static void on_mark(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct erasing *erasing = worker->erasing;

    if (!note_answer(worker, answer))
        return;
    erasures_mark(answer, erasing->next);
    erasing->has_changed = erasing->is_known && strcmp(erasing->next, erasing->mark) != 0;
    if (erasing->has_changed)
        return;
    erasing->is_known = true;
    text_copy(erasing->mark, sizeof(erasing->mark), erasing->next);
}

/* What waits in memory only: the rest is in flight, or decided. */
static int64_t drop(struct worker *worker, const struct db_answer *answer)
{
    int64_t dropped = 0;

    for (int i = 0; i < erasures_count(answer); i++) {
        struct delivery *delivery = deliveries_find(&worker->deliveries, erasures_id(answer, i));

        if (delivery == NULL || delivery->state != DELIVERY_WAITING || delivery->is_erased)
            continue;
        endpoint_remove(&worker->endpoints, delivery, worker->now_us);
        deliveries_ask_for(&worker->deliveries, delivery->id);
        delivery_drop(&worker->deliveries, delivery);
        dropped++;
    }
    return dropped;
}

static void on_looked(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct erasing *erasing = worker->erasing;
    int64_t dropped;

    if (!note_answer(worker, answer))
        return;
    text_copy(erasing->mark, sizeof(erasing->mark), erasing->next);
    erasing->has_changed = false;
    dropped = drop(worker, answer);
    if (dropped > 0)
        log_event(LOG_LEVEL_INFO, "deliveries were erased while they waited, and are not sent",
                  LOG_NUMBER("deliveries", dropped));
}

/* Those whose payload is here. */
static void gather(struct worker *worker)
{
    struct erasing *erasing = worker->erasing;
    const struct delivery *delivery;
    int room = ERASURES_IDS_MAX;

    array_begin(&erasing->ids);
    TAILQ_FOREACH(delivery, &worker->deliveries.lists[DELIVERY_WAITING], in_state)
        if (delivery->payload != NULL && room-- > 0)
            array_add_plain(&erasing->ids, delivery->id);
}

void erasing_step(struct worker *worker)
{
    struct erasing *erasing = worker->erasing;

    if (erasing->is_asking || !worker->may_send)
        return;
    /* What a read that is out brings may be older than the look: it is waited for. */
    if (erasing->has_changed && !finding_is_reading(worker)) {
        gather(worker);
        erasing->is_asking = erasures_send_look(worker->reading, &erasing->ids, on_looked, worker);
    } else if (!erasing->has_changed && worker->now_us >= erasing->due_us)
        erasing->is_asking = erasures_send_mark(worker->reading, on_mark, worker);
}

int64_t erasing_next_us(const struct worker *worker)
{
    const struct erasing *erasing = worker->erasing;

    if (erasing->is_asking || !worker->may_send)
        return WORKER_NEVER;
    /* The answer of the read that is out wakes the loop. */
    if (erasing->has_changed)
        return finding_is_reading(worker) ? WORKER_NEVER : worker->now_us;
    return erasing->due_us;
}
