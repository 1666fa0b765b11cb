/* SPDX-License-Identifier: MIT */
#include "worker/promoting.h"

#include <stdlib.h>

#include "base/memory.h"
#include "db/promotions.h"
#include "worker/finding.h"
#include "worker/recording.h"
#include "worker/reporting.h"

struct promoting {
    bool is_trying;
    int64_t due_us;   /* the next look */
    int64_t ended_us; /* when an ordered delivery has last ended here; 0 = never */
};

void promoting_init(struct worker *worker)
{
    worker->promoting = memory_new(1, sizeof(*worker->promoting));
}

void promoting_free(struct worker *worker)
{
    free(worker->promoting);
}

/* True when this worker has ended an ordered delivery since the last turn. */
static bool note_ended(struct worker *worker)
{
    struct promoting *promoting = worker->promoting;
    int64_t ended_us = recording_ordered_end_us(worker);

    if (ended_us == promoting->ended_us)
        return false;
    promoting->ended_us = ended_us;
    return true;
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

    if (note_ended(worker)) {
        if (promoting->due_us > worker->now_us + PROMOTING_SOON_US)
            promoting->due_us = worker->now_us + PROMOTING_SOON_US;
        /* The next of its key is due, and nobody is notified of that. */
        finding_wake(worker);
    }
    if (is_mine(worker) && !promoting->is_trying && worker->now_us >= promoting->due_us)
        promoting->is_trying = promotions_send(worker->writing, on_tried, worker);
}

int64_t promoting_next_us(const struct worker *worker)
{
    if (!is_mine(worker) || worker->promoting->is_trying)
        return WORKER_NEVER;
    return worker->promoting->due_us;
}
