/* SPDX-License-Identifier: MIT */
#include "worker/promoting.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/promotions.h"
#include "worker/finding.h"
#include "worker/reporting.h"

struct promoting {
    bool is_trying;
    int64_t due_us;   /* the next look */
    int64_t ended_us; /* when an ordered delivery has last ended here */
};

void promoting_init(struct worker *worker)
{
    worker->promoting = memory_new(1, sizeof(*worker->promoting));
    worker->promoting->ended_us = -PROMOTING_AFTER_US;
}

void promoting_free(struct worker *worker)
{
    free(worker->promoting);
}

void promoting_note_ended(struct worker *worker)
{
    struct promoting *promoting = worker->promoting;

    promoting->ended_us = worker->now_us;
    if (promoting->due_us > worker->now_us + PROMOTING_SOON_US)
        promoting->due_us = worker->now_us + PROMOTING_SOON_US;
    finding_wake(worker);
}

static bool is_mine(const struct worker *worker)
{
    return worker->may_send && finding_owns_lane(worker, 0);
}

static void on_tried(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct promoting *promoting = worker->promoting;
    bool is_soon =
        answer->result == DB_ANSWERED &&
        (promotions_has_more(answer) || worker->now_us - promoting->ended_us < PROMOTING_AFTER_US);

    promoting->is_trying = false;
    promoting->due_us = worker->now_us + (is_soon ? PROMOTING_SOON_US : PROMOTING_REST_US);
    if (answer->result == DB_REFUSED)
        reporting_refusal("looking for what is next of an ordering key was refused", answer);
}

void promoting_step(struct worker *worker)
{
    struct promoting *promoting = worker->promoting;

    if (is_mine(worker) && !promoting->is_trying && worker->now_us >= promoting->due_us)
        promoting->is_trying = promotions_send(worker->writing, on_tried, worker);
}

int64_t promoting_next_us(const struct worker *worker)
{
    if (!is_mine(worker) || worker->promoting->is_trying)
        return WORKER_NEVER;
    return worker->promoting->due_us;
}
