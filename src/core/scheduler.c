/* SPDX-License-Identifier: MIT */
#include "core/scheduler.h"

#include "base/compiler.h"
#include "core/scheduler_states.h"

#define ROWS_MIN 4

void scheduler_init(struct scheduler *scheduler)
{
    *scheduler = (struct scheduler){.in_flight = 0};
    for (int i = 0; i < STANDINGS; i++) {
        TAILQ_INIT(&scheduler->ready[i][0]);
        TAILQ_INIT(&scheduler->ready[i][1]);
    }
    TAILQ_INIT(&scheduler->woken);
    heap_init(&scheduler->entry_timers);
    heap_init(&scheduler->origin_timers);
    TAILQ_INIT(&scheduler->troubled);
    TAILQ_INIT(&scheduler->troubled_origins);
}

void scheduler_free(struct scheduler *scheduler)
{
    heap_free(&scheduler->entry_timers);
    heap_free(&scheduler->origin_timers);
}

void scheduler_on_restood(struct scheduler *scheduler, scheduler_restood *on_restood, void *owner)
{
    scheduler->on_restood = on_restood;
    scheduler->owner = owner;
}

void scheduler_set_limits(struct scheduler *scheduler, const struct scheduler_limits *limits)
{
    scheduler->limits = *limits;
}

/* --- origins --- */

void scheduler_origin_init(struct scheduler *scheduler, struct scheduler_origin *origin)
{
    *origin = (struct scheduler_origin){.in_flight = 0};
    window_init(&origin->window, scheduler->limits.origin_max, scheduler->limits.origin_max);
    for (int i = 0; i < STANDINGS; i++)
        TAILQ_INIT(&origin->waiting[i]);
    TAILQ_INIT(&origin->awaiting);
    TAILQ_INIT(&origin->entries);
}

void scheduler_origin_remove(struct scheduler *scheduler, struct scheduler_origin *origin)
{
    if (origin->in_flight > 0 || !TAILQ_EMPTY(&origin->entries))
        bug("an origin in use is removed");
    heap_remove(&scheduler->origin_timers, &origin->timer);
    if (origin->is_troubled)
        TAILQ_REMOVE(&scheduler->troubled_origins, origin, in_troubled);
}

/* --- entries --- */

void scheduler_entry_init(struct scheduler *scheduler, struct scheduler_entry *entry,
                          struct scheduler_origin *origin)
{
    *entry = (struct scheduler_entry){.state = SCHEDULER_IDLE, .origin = origin};
    window_init(&entry->window, 1, 1);
    reach_init(&entry->reach);
    TAILQ_INSERT_TAIL(&origin->entries, entry, in_origin);
    scheduler_note_standing(scheduler, entry);
}

void scheduler_entry_remove(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us)
{
    if (entry->in_flight > 0)
        bug("an endpoint with requests in flight is removed");
    scheduler_set_work(scheduler, entry, SCHEDULER_NO_WORK, now_us);
    if (entry->is_troubled)
        TAILQ_REMOVE(&scheduler->troubled, entry, in_troubled);
    TAILQ_REMOVE(&entry->origin->entries, entry, in_origin);
}

void scheduler_entry_set_terms(struct scheduler *scheduler, struct scheduler_entry *entry,
                               const struct scheduler_terms *terms, int64_t now_us, double random01)
{
    bool is_fresh = !entry->was_alive && entry->failures == 0 && entry->in_flight == 0;

    if (entry->window.limit == 1 && is_fresh)
        window_init(&entry->window, terms->max_in_flight, WINDOW_START);
    window_set_limit(&entry->window, terms->max_in_flight);
    window_set_limit(&entry->origin->window, scheduler->limits.origin_max);
    rate_limit_set(&entry->rate, terms->rate_per_s, now_us);
    entry->is_unsendable = terms->is_unsendable;
    entry->is_stopped = terms->is_stopped;
    if (terms->failing_us > 0 && is_fresh && entry->breaker.state == BREAKER_CLOSED &&
        scheduler->limits.breaker.failures > 0) {
        entry->breaker.failures = scheduler->limits.breaker.failures;
        breaker_resume(&entry->breaker, &scheduler->limits.breaker, terms->failing_us, now_us,
                       random01);
    }
    scheduler_settle(scheduler, entry, now_us, false);
}

void scheduler_entry_set_stopped(struct scheduler *scheduler, struct scheduler_entry *entry,
                                 bool is_stopped, int64_t now_us)
{
    if (entry->is_stopped == is_stopped)
        return;
    entry->is_stopped = is_stopped;
    scheduler_settle(scheduler, entry, now_us, false);
}

void scheduler_entry_revive(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us)
{
    if (breaker_note_success(&entry->breaker))
        window_restart(&entry->window);
    entry->held_until_us = 0;
    scheduler_settle(scheduler, entry, now_us, false);
}

void scheduler_entry_restart_rate(struct scheduler *scheduler, struct scheduler_entry *entry,
                                  int64_t now_us)
{
    rate_limit_restart(&entry->rate, now_us);
    scheduler_settle(scheduler, entry, now_us, false);
}

void scheduler_set_work(struct scheduler *scheduler, struct scheduler_entry *entry,
                        enum scheduler_work work, int64_t now_us)
{
    if (entry->work == work)
        return;
    entry->work = work;
    scheduler_settle(scheduler, entry, now_us, false);
}

/* An origin's breaker opens for all of its entries, and is looked at when they need it. */
void scheduler_await(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us)
{
    scheduler_settle(scheduler, entry, now_us, false);
}

int scheduler_rows_wanted(const struct scheduler_entry *entry, int64_t now_us)
{
    const struct breaker *origins = &entry->origin->breaker;
    int64_t by_us = now_us + SCHEDULER_AHEAD_US;

    if (entry->is_stopped)
        return 1;
    if (entry->is_unsendable)
        return INT32_MAX;
    if (entry->held_until_us > by_us)
        return 0;
    if (entry->breaker.state != BREAKER_CLOSED && !breaker_is_probe_due(&entry->breaker, by_us))
        return 0;
    if (origins->state != BREAKER_CLOSED)
        return breaker_is_probe_due(origins, now_us) ? 1 : 0;
    if (entry->breaker.state != BREAKER_CLOSED)
        return 1;
    if (entry->rate.per_s <= 0 || entry->rate.per_s >= INT32_MAX)
        return INT32_MAX;
    return entry->rate.per_s > ROWS_MIN ? (int)entry->rate.per_s : ROWS_MIN;
}

static int64_t pause_until_us(const struct breaker *breaker)
{
    return breaker->state == BREAKER_OPEN ? breaker->next_probe_us : 0;
}

int64_t scheduler_promised_until_us(const struct scheduler_entry *entry)
{
    int64_t until_us = entry->held_until_us;

    if (pause_until_us(&entry->breaker) > until_us)
        until_us = pause_until_us(&entry->breaker);
    if (pause_until_us(&entry->origin->breaker) > until_us)
        until_us = pause_until_us(&entry->origin->breaker);
    return until_us;
}

/* --- turns --- */

static void expire_timers(struct scheduler *scheduler, int64_t now_us)
{
    struct heap_node *node;

    while ((node = heap_first(&scheduler->origin_timers)) != NULL && node->at_us <= now_us)
        scheduler_serve_origin(scheduler, CONTAINER_OF(node, struct scheduler_origin, timer),
                               now_us);
    while ((node = heap_first(&scheduler->entry_timers)) != NULL && node->at_us <= now_us)
        scheduler_settle(scheduler, CONTAINER_OF(node, struct scheduler_entry, timer), now_us,
                         false);
}

/* The ready entry that has waited longest, of those whose standing has a slot left. */
static struct scheduler_entry *first_in_turn(const struct scheduler *scheduler)
{
    int lists = scheduler_has_free_slots(scheduler) ? 2 : 1;
    struct scheduler_entry *first = NULL;

    if (scheduler->in_flight >= scheduler->limits.slots)
        return NULL;
    for (int standing = 0; standing < STANDINGS; standing++) {
        if (scheduler->standing_in_flight[standing] >=
            standing_slots((enum standing)standing, scheduler->limits.slots))
            continue;
        for (int i = 0; i < lists; i++) {
            struct scheduler_entry *entry = TAILQ_FIRST(&scheduler->ready[standing][i]);

            if (entry != NULL && (first == NULL || entry->turn < first->turn))
                first = entry;
        }
    }
    return first;
}

struct scheduler_entry *scheduler_next(struct scheduler *scheduler, int64_t now_us)
{
    struct scheduler_entry *entry;

    expire_timers(scheduler, now_us);
    while ((entry = first_in_turn(scheduler)) != NULL) {
        if (entry->is_unsendable || scheduler_origin_room(scheduler, entry->origin, now_us) > 0)
            return entry;
        scheduler_set_state(scheduler, entry, SCHEDULER_ORIGIN, 0);
        if (!heap_has(&entry->origin->timer))
            scheduler_set_origin_timer(scheduler, entry->origin, now_us);
    }
    return NULL;
}

struct scheduler_entry *scheduler_next_woken(struct scheduler *scheduler, int64_t now_us)
{
    struct scheduler_entry *entry;

    expire_timers(scheduler, now_us);
    entry = TAILQ_FIRST(&scheduler->woken);
    if (entry != NULL) {
        entry->is_woken = false;
        TAILQ_REMOVE(&scheduler->woken, entry, in_list);
    }
    return entry;
}

bool scheduler_has_woken(const struct scheduler *scheduler)
{
    return !TAILQ_EMPTY(&scheduler->woken);
}

int64_t scheduler_next_us(const struct scheduler *scheduler)
{
    const struct heap_node *entry = heap_first(&scheduler->entry_timers);
    const struct heap_node *origin = heap_first(&scheduler->origin_timers);
    int64_t next_us = entry != NULL ? entry->at_us : INT64_MAX;

    return origin != NULL && origin->at_us < next_us ? origin->at_us : next_us;
}

struct scheduler_ticket scheduler_start(struct scheduler *scheduler, struct scheduler_entry *entry,
                                        int64_t now_us)
{
    struct scheduler_origin *origin = entry->origin;
    struct scheduler_ticket ticket = {
        .started_us = now_us,
        .standing = scheduler_standing(entry),
        .is_probe = entry->breaker.state == BREAKER_OPEN,
        .is_origin_probe = origin->breaker.state == BREAKER_OPEN,
    };

    if (ticket.is_probe)
        breaker_begin_probe(&entry->breaker);
    if (ticket.is_origin_probe)
        breaker_begin_probe(&origin->breaker);
    rate_limit_take(&entry->rate, now_us);
    scheduler->in_flight++;
    scheduler->standing_in_flight[ticket.standing]++;
    entry->in_flight++;
    origin->in_flight++;
    scheduler_settle(scheduler, entry, now_us, true);
    return ticket;
}

void scheduler_pass(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us)
{
    bool was_released = entry->is_released;

    scheduler_settle(scheduler, entry, now_us, true);
    if (was_released)
        scheduler_serve_origin(scheduler, entry->origin, now_us);
}
