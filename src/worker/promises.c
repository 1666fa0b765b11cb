/* SPDX-License-Identifier: MIT */
#include "worker/promises.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/memory.h"
#include "base/text.h"
#include "core/lane.h"
#include "db/array.h"
#include "db/ordering.h"
#include "db/promises.h"
#include "worker/promoted.h"
#include "worker/reporting.h"

#define BACK_MAX  1000
#define IDS_MAX   ((size_t)64 * BACK_MAX)
#define KNOWN_MAX ((size_t)32 * PROMISES_MAX)

struct promise;

/* A delivery. */
struct promised {
    UT_hash_handle by_id;
    TAILQ_ENTRY(promised) in_promise;
    struct promise *promise;
    int chain;
    bool is_unwanted;   /* to be given back as soon as possible */
    bool is_going_back; /* ... which has been asked for */
    char id[37];
};

TAILQ_HEAD(promised_list, promised);

/* A row of webhook_promotions. */
struct promise {
    TAILQ_ENTRY(promise) in_list;
    int64_t id;
    int64_t made_us;
    struct promised_list open; /* those that have no time yet */
};

TAILQ_HEAD(promise_list, promise);

struct promises {
    struct promised *by_id;
    struct promise_list open; /* the oldest first */
    struct promise_list kept;
    struct array kept_ids; /* of those that the last batch has taken along */
    int taken_along;       /* they are the first of kept */
    int broken;            /* as many of these go with those that are not known */
    struct array back;
    struct array known;
    char *owner;
    uint64_t lanes; /* that are owned, a bit each */
    bool is_asking;
    bool has_unknown;  /* an answer was lost */
    bool has_made_due; /* the next of a key, since it was last asked */
    int64_t look_us;
};

void promises_init(struct worker *worker)
{
    struct promises *promises = worker->promises = memory_new(1, sizeof(*promises));

    TAILQ_INIT(&promises->open);
    TAILQ_INIT(&promises->kept);
    array_init(&promises->kept_ids, KNOWN_MAX);
    array_init(&promises->back, IDS_MAX);
    array_init(&promises->known, KNOWN_MAX);
}

/* Its promise is kept with the last one. */
static void end(struct promises *promises, struct promised *promised)
{
    struct promise *promise = promised->promise;

    TAILQ_REMOVE(&promise->open, promised, in_promise);
    /* The analyzer does not know that uthash frees its table with the last entry alone. */
    HASH_DELETE(by_id, promises->by_id, promised); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(promised);
    if (!TAILQ_EMPTY(&promise->open))
        return;
    TAILQ_REMOVE(&promises->open, promise, in_list);
    TAILQ_INSERT_TAIL(&promises->kept, promise, in_list);
}

static void forget_kept(struct promises *promises, int count)
{
    struct promise *promise;

    promises->taken_along -= count < promises->taken_along ? count : promises->taken_along;
    for (; count > 0 && (promise = TAILQ_FIRST(&promises->kept)) != NULL; count--) {
        TAILQ_REMOVE(&promises->kept, promise, in_list);
        free(promise);
    }
}

void promises_free(struct worker *worker)
{
    struct promises *promises = worker->promises;
    struct promised *promised, *next;

    HASH_ITER(by_id, promises->by_id, promised, next)
        end(promises, promised);
    forget_kept(promises, INT32_MAX);
    array_free(&promises->kept_ids);
    array_free(&promises->back);
    array_free(&promises->known);
    free(promises->owner);
    free(promises);
}

void promises_set_owner(struct worker *worker, const char *owner)
{
    free(worker->promises->owner);
    worker->promises->owner = memory_copy_string(owner);
}

void promises_set_lane(struct worker *worker, int lane, bool is_owned)
{
    worker->promises->lanes &= ~LANE_BIT(lane);
    worker->promises->lanes |= is_owned ? LANE_BIT(lane) : 0;
}

const char *promises_owner(const struct worker *worker)
{
    return worker->promises->owner;
}

bool promises_take_made_due(struct worker *worker)
{
    bool has_made_due = worker->promises->has_made_due;

    worker->promises->has_made_due = false;
    return has_made_due;
}

static struct promised *find(const struct promises *promises, const char *id)
{
    struct promised *found;

    HASH_FIND(by_id, promises->by_id, id, (unsigned)strlen(id), found);
    return found;
}

bool promises_has(const struct worker *worker, const char *id)
{
    return find(worker->promises, id) != NULL;
}

/* What is made of it must be asked for at once, and there must be room to remember it. */
int promises_chain(const struct worker *worker, const struct delivery *delivery, int asked)
{
    const struct promised *promised = find(worker->promises, delivery->id);
    int chain = promised != NULL ? promised->chain : 0;
    bool is_wanted = delivery->outcome.kind == OUTCOME_DELIVERED && chain < PROMISES_CHAIN_MAX &&
                     worker->may_send && worker->phase == WORKER_RUNNING &&
                     (worker->promises->lanes & LANE_BIT(delivery->lane)) != 0 &&
                     worker->deliveries.asked_count + asked < DELIVERIES_ASKED_MAX &&
                     (int64_t)HASH_CNT(by_id, worker->promises->by_id) + asked < PROMISES_MAX;

    return is_wanted ? chain : ORDERING_NO_PROMISE;
}

const char *promises_kept(struct worker *worker)
{
    struct promises *promises = worker->promises;
    const struct promise *promise;

    promises->taken_along = 0;
    array_begin(&promises->kept_ids);
    TAILQ_FOREACH(promise, &promises->kept, in_list) {
        array_add_int(&promises->kept_ids, promise->id);
        promises->taken_along++;
    }
    return array_end(&promises->kept_ids);
}

void promises_note_written(struct worker *worker)
{
    forget_kept(worker->promises, worker->promises->taken_along);
}

void promises_note_lost(struct worker *worker)
{
    worker->promises->has_unknown = true;
}

static struct promise *new_promise(struct promises *promises, int64_t id, int64_t now_us)
{
    struct promise *promise = memory_new(1, sizeof(*promise));

    promise->id = id;
    promise->made_us = now_us;
    TAILQ_INIT(&promise->open);
    TAILQ_INSERT_TAIL(&promises->open, promise, in_list);
    return promise;
}

/* A row that was promised before is of the newest promise alone: the answer with the other was lost,
 * or it was given back. */
static void add(struct worker *worker, struct promise *promise, const struct ordering_next *next)
{
    struct promises *promises = worker->promises;
    struct promised *promised = find(promises, next->id);

    if (promised != NULL && promised->promise == promise)
        return;
    if (promised != NULL)
        end(promises, promised);
    promised = memory_new(1, sizeof(*promised));
    promised->promise = promise;
    promised->chain = next->chain;
    text_copy(promised->id, sizeof(promised->id), next->id);
    HASH_ADD(by_id, promises->by_id, id, (unsigned)strlen(promised->id), promised);
    TAILQ_INSERT_TAIL(&promise->open, promised, in_promise);
    deliveries_ask_for(&worker->deliveries, promised->id);
}

void promises_note_next(struct worker *worker, const PGresult *result)
{
    struct promises *promises = worker->promises;
    struct promise *promise = NULL;

    for (int i = 0; i < PQntuples(result); i++) {
        struct ordering_next next = ordering_next_at(result, i);

        if (next.previous != NULL)
            promoted_note(worker, next.id, next.previous);
        if (next.promise == 0) {
            promises->has_made_due = true;
            continue;
        }
        if (promise == NULL)
            promise = new_promise(promises, next.promise, worker->now_us);
        add(worker, promise, &next);
    }
}

void promises_end(struct worker *worker, const char *id)
{
    struct promised *promised = find(worker->promises, id);

    if (promised != NULL)
        end(worker->promises, promised);
}

void promises_give_back(struct worker *worker, const char *id)
{
    struct promised *promised = find(worker->promises, id);

    if (promised == NULL)
        return;
    promised->is_unwanted = true;
    worker->promises->look_us = worker->now_us;
}

/* Begun: its outcome will be written, and says what becomes of its row. */
static bool is_under_way(struct worker *worker, const struct promised *promised)
{
    const struct delivery *delivery = deliveries_find(&worker->deliveries, promised->id);

    return delivery != NULL && delivery->state != DELIVERY_WAITING &&
           delivery->state != DELIVERY_FORGOTTEN;
}

static bool is_to_go_back(struct worker *worker, const struct promised *promised)
{
    return promised->is_unwanted ||
           (worker->now_us - promised->promise->made_us >= PROMISES_PATIENCE_US &&
            !is_under_way(worker, promised));
}

/* True when there are any. */
static bool gather_back(struct worker *worker)
{
    struct promises *promises = worker->promises;
    const struct promise *promise;
    int count = 0;

    array_begin(&promises->back);
    TAILQ_FOREACH(promise, &promises->open, in_list) {
        struct promised *promised;

        TAILQ_FOREACH(promised, &promise->open, in_promise) {
            promised->is_going_back = count < BACK_MAX && is_to_go_back(worker, promised);
            if (!promised->is_going_back)
                continue;
            array_add_plain(&promises->back, promised->id);
            count++;
        }
    }
    return count > 0;
}

static void note_refused(const struct db_answer *answer)
{
    if (answer->result == DB_REFUSED)
        reporting_refusal("making due what is next of an ordering key was refused", answer);
}

static void on_given_back(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct promises *promises = worker->promises;
    struct promised *promised, *next;

    promises->is_asking = false;
    note_refused(answer);
    HASH_ITER(by_id, promises->by_id, promised, next) {
        if (promised->is_going_back && answer->result == DB_ANSWERED)
            end(promises, promised);
        else
            promised->is_going_back = false;
    }
    promises->has_made_due = true;
}

static void on_unknown_broken(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct promises *promises = worker->promises;

    promises->is_asking = false;
    note_refused(answer);
    if (answer->result != DB_ANSWERED)
        return;
    promises->has_unknown = false;
    forget_kept(promises, promises->broken);
    promises->has_made_due = true;
}

/* Kept ones that no batch has taken along go with those that are not known. */
static void break_unknown(struct worker *worker)
{
    struct promises *promises = worker->promises;
    const struct promise *promise;

    array_begin(&promises->known);
    TAILQ_FOREACH(promise, &promises->open, in_list)
        array_add_int(&promises->known, promise->id);
    promises->broken = 0;
    TAILQ_FOREACH(promise, &promises->kept, in_list)
        promises->broken++;
    promises->is_asking = promises_send_unknown(worker->writing, promises->owner, &promises->known,
                                                on_unknown_broken, worker);
}

/* A batch that is being written may make a promise, or take kept ones along. */
static bool may_break(const struct worker *worker)
{
    return (worker->promises->has_unknown || !TAILQ_EMPTY(&worker->promises->kept)) &&
           worker->deliveries.counts[DELIVERY_RECORDING] == 0;
}

static bool may_ask(const struct worker *worker)
{
    return !worker->promises->is_asking && worker->is_schema_checked &&
           db_link_is_up(worker->writing);
}

void promises_step(struct worker *worker)
{
    struct promises *promises = worker->promises;

    if (!may_ask(worker) || worker->now_us < promises->look_us)
        return;
    promises->look_us = worker->now_us + PROMISES_LOOK_US;
    if (gather_back(worker))
        promises->is_asking =
            promises_send_back(worker->writing, &promises->back, on_given_back, worker);
    else if (may_break(worker))
        break_unknown(worker);
}

int64_t promises_next_us(const struct worker *worker)
{
    const struct promises *promises = worker->promises;
    bool is_open = !TAILQ_EMPTY(&promises->open) || !TAILQ_EMPTY(&promises->kept);

    return may_ask(worker) && (is_open || promises->has_unknown) ? promises->look_us : WORKER_NEVER;
}
