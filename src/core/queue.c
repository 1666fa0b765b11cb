/* SPDX-License-Identifier: MIT */
#include "core/queue.h"

#include "base/compiler.h"

static struct queue *queue_of(struct backlog *backlog)
{
    return CONTAINER_OF(backlog, struct queue, backlog);
}

/* Its rows are of another crowd now. */
static void on_restood(void *owner, struct scheduler_entry *entry)
{
    struct queues *queues = owner;

    backlog_set_standing(&queues->backlogs, &CONTAINER_OF(entry, struct queue, entry)->backlog,
                         scheduler_standing(entry));
}

void queues_init(struct queues *queues)
{
    scheduler_init(&queues->scheduler);
    scheduler_on_restood(&queues->scheduler, on_restood, queues);
    backlogs_init(&queues->backlogs);
}

void queues_free(struct queues *queues)
{
    backlogs_free(&queues->backlogs);
    scheduler_free(&queues->scheduler);
}

void queues_set_rows_ahead(struct queues *queues, int rows_ahead)
{
    backlogs_set_rows_ahead(&queues->backlogs, rows_ahead);
}

void queue_init(struct queues *queues, struct queue *queue, struct scheduler_origin *origin)
{
    TAILQ_INIT(&queue->rows);
    scheduler_entry_init(&queues->scheduler, &queue->entry, origin);
}

void queue_remove(struct queues *queues, struct queue *queue, int64_t now_us)
{
    backlog_remove(&queues->backlogs, &queue->backlog);
    scheduler_entry_remove(&queues->scheduler, &queue->entry, now_us);
}

/* What the scheduler has of it, after its rows, its backlog or its owner's word have changed. */
static void note_work(struct queues *queues, struct queue *queue, int64_t now_us)
{
    enum scheduler_work work = SCHEDULER_NO_WORK;

    if (queue->is_ready && !TAILQ_EMPTY(&queue->rows))
        work = SCHEDULER_WORK_HERE;
    else if (queue_is_behind(queue))
        work = SCHEDULER_WORK_AWAITED;
    scheduler_set_work(&queues->scheduler, &queue->entry, work, now_us);
}

void queue_set_ready(struct queues *queues, struct queue *queue, bool is_ready, int64_t now_us)
{
    if (queue->is_ready == is_ready)
        return;
    queue->is_ready = is_ready;
    note_work(queues, queue, now_us);
}

struct queue_row *queue_first(const struct queue *queue)
{
    return TAILQ_FIRST(&queue->rows);
}

static void note_pushed(struct queues *queues, struct queue *queue, int64_t now_us)
{
    backlogs_set_time(&queues->backlogs, now_us);
    backlog_note_queued(&queues->backlogs, &queue->backlog);
    note_work(queues, queue, now_us);
}

void queue_push(struct queues *queues, struct queue *queue, struct queue_row *row, int64_t now_us)
{
    TAILQ_INSERT_TAIL(&queue->rows, row, in_queue);
    note_pushed(queues, queue, now_us);
}

void queue_push_back(struct queues *queues, struct queue *queue, struct queue_row *row,
                     int64_t now_us)
{
    TAILQ_INSERT_HEAD(&queue->rows, row, in_queue);
    note_pushed(queues, queue, now_us);
}

void queue_take(struct queues *queues, struct queue *queue, struct queue_row *row, int64_t now_us)
{
    TAILQ_REMOVE(&queue->rows, row, in_queue);
    backlogs_set_time(&queues->backlogs, now_us);
    backlog_note_taken(&queues->backlogs, &queue->backlog);
    note_work(queues, queue, now_us);
}

bool queue_is_behind(const struct queue *queue)
{
    return backlog_is_open(&queue->backlog);
}

bool queue_is_used(const struct queue *queue)
{
    return backlog_is_used(&queue->backlog);
}

bool queue_admits(struct queues *queues, struct queue *queue, const char *customer_id,
                  const char *url_hash, int lane, const struct position *position, int64_t now_us)
{
    int wanted = scheduler_rows_wanted(&queue->entry, now_us);

    backlogs_set_time(&queues->backlogs, now_us);
    if (backlog_admits(&queues->backlogs, &queue->backlog, customer_id, url_hash, lane, position,
                       wanted))
        return true;
    note_work(queues, queue, now_us);
    return false;
}

bool queues_pass(struct queues *queues, const char *customer_id, const char *url_hash,
                 const struct position *position)
{
    struct backlog *backlog = backlogs_find(&queues->backlogs, customer_id, url_hash);

    if (backlog == NULL)
        return false;
    backlog_pass(&queues->backlogs, backlog, position);
    return true;
}

void queue_forget_behind(struct queues *queues, struct queue *queue, int64_t now_us)
{
    if (!queue_is_behind(queue))
        return;
    backlog_forget(&queues->backlogs, &queue->backlog);
    note_work(queues, queue, now_us);
}

void queues_wake(struct queues *queues, int64_t now_us)
{
    struct scheduler_entry *entry;

    backlogs_set_time(&queues->backlogs, now_us);
    while ((entry = scheduler_next_woken(&queues->scheduler, now_us)) != NULL)
        backlog_wake(&queues->backlogs, &CONTAINER_OF(entry, struct queue, entry)->backlog);
}

struct queue *queues_next_refill(struct queues *queues, int room, int *ret_rows, int64_t now_us)
{
    struct backlog *backlog;

    backlogs_set_time(&queues->backlogs, now_us);
    while ((backlog = backlogs_next_hungry(&queues->backlogs)) != NULL) {
        struct queue *queue = queue_of(backlog);
        int wanted = scheduler_rows_wanted(&queue->entry, now_us);

        /* Until the scheduler tells that what stops it is over. */
        if (wanted == 0)
            scheduler_await(&queues->scheduler, &queue->entry, now_us);
        *ret_rows = backlog_begin_refill(&queues->backlogs, backlog, wanted, room);
        if (*ret_rows > 0)
            return queue;
    }
    return NULL;
}

void queue_end_refill(struct queues *queues, struct queue *queue, int rows,
                      const struct position *last, int64_t now_us)
{
    backlogs_set_time(&queues->backlogs, now_us);
    backlog_end_refill(&queues->backlogs, &queue->backlog, rows, last);
    note_work(queues, queue, now_us);
}

void queue_fail_refill(struct queues *queues, struct queue *queue, int64_t now_us)
{
    backlogs_set_time(&queues->backlogs, now_us);
    backlog_fail_refill(&queues->backlogs, &queue->backlog);
}

void queues_end_refills(struct queues *queues, int64_t now_us)
{
    backlogs_set_time(&queues->backlogs, now_us);
    backlogs_end_refills(&queues->backlogs);
}

int64_t queues_refill_us(const struct queues *queues)
{
    return backlogs_next_us(&queues->backlogs);
}

struct queue *queues_stalled(struct queues *queues, bool is_starved, int64_t now_us)
{
    struct backlog *backlog;

    backlogs_set_time(&queues->backlogs, now_us);
    backlog = backlogs_stalled(&queues->backlogs, is_starved);
    return backlog != NULL ? queue_of(backlog) : NULL;
}

int64_t queues_stall_us(const struct queues *queues, bool is_starved)
{
    return backlogs_stall_us(&queues->backlogs, is_starved);
}

void queue_begin_empty(struct queue *queue)
{
    backlog_begin_empty(&queue->backlog);
}

void queue_end_empty(struct queues *queues, struct queue *queue, const char *customer_id,
                     const char *url_hash, int lane, const struct position *first, int64_t now_us)
{
    backlogs_set_time(&queues->backlogs, now_us);
    backlog_end_empty(&queues->backlogs, &queue->backlog, customer_id, url_hash, lane, first);
    note_work(queues, queue, now_us);
}
