/* SPDX-License-Identifier: MIT */
#include "worker/promoting.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/promises.h"
#include "db/promotions.h"
#include "worker/finding.h"
#include "worker/promises.h"
#include "worker/recording.h"
#include "worker/reporting.h"

struct promoting {
    bool is_trying;
    bool is_breaking;    /* promises of workers that are no more */
    int64_t due_us;      /* the next look */
    int64_t orphaned_us; /* the next one at promises */
    int64_t ended_us;    /* when an ordered delivery has last ended here; 0 = never */
};

void promoting_init(struct worker *worker)
{
    worker->promoting = memory_new(1, sizeof(*worker->promoting));
}

void promoting_free(struct worker *worker)
{
    free(worker->promoting);
}

/* When this worker has ended an ordered delivery since the last turn. */
static void note_ended(struct worker *worker)
{
    struct promoting *promoting = worker->promoting;
    int64_t ended_us = recording_ordered_end_us(worker);

    if (ended_us == promoting->ended_us)
        return;
    promoting->ended_us = ended_us;
    if (promoting->due_us > worker->now_us + PROMOTING_SOON_US)
        promoting->due_us = worker->now_us + PROMOTING_SOON_US;
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

static void on_broken(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;

    worker->promoting->is_breaking = false;
    worker->promoting->orphaned_us = worker->now_us + PROMOTING_REST_US;
    if (answer->result == DB_REFUSED)
        reporting_refusal("making due what a worker left behind of ordering keys was refused",
                          answer);
    else if (answer->result == DB_ANSWERED && strcmp(PQcmdTuples(answer->results[0]), "0") != 0)
        finding_wake(worker);
}

void promoting_step(struct worker *worker)
{
    struct promoting *promoting = worker->promoting;

    note_ended(worker);
    if (promises_take_made_due(worker))
        finding_wake(worker);
    if (!is_mine(worker))
        return;
    if (!promoting->is_trying && worker->now_us >= promoting->due_us)
        promoting->is_trying = promotions_send(worker->writing, on_tried, worker);
    if (!promoting->is_breaking && worker->now_us >= promoting->orphaned_us)
        promoting->is_breaking = promises_send_orphaned(worker->writing, on_broken, worker);
}

int64_t promoting_next_us(const struct worker *worker)
{
    const struct promoting *promoting = worker->promoting;
    int64_t next_us = WORKER_NEVER;

    if (!is_mine(worker))
        return WORKER_NEVER;
    if (!promoting->is_trying)
        next_us = promoting->due_us;
    if (!promoting->is_breaking && promoting->orphaned_us < next_us)
        next_us = promoting->orphaned_us;
    return next_us;
}
