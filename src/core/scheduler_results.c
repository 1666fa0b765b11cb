/* SPDX-License-Identifier: MIT */
#include "core/scheduler_states.h"

static void note_alive(struct scheduler_entry *entry, struct scheduler_change *change,
                       int64_t now_us)
{
    int64_t opened_us = entry->breaker.opened_us;

    entry->was_alive = true;
    entry->failures = 0;
    change->has_closed = breaker_note_success(&entry->breaker);
    if (change->has_closed) {
        window_restart(&entry->window);
        change->open_us = now_us - opened_us;
    } else
        window_note_success(&entry->window);
}

static void note_origin_alive(struct scheduler_origin *origin, struct scheduler_change *change,
                              int64_t now_us)
{
    int64_t opened_us = origin->breaker.opened_us;

    change->origin_has_closed = breaker_note_success(&origin->breaker);
    if (change->origin_has_closed) {
        window_restart(&origin->window);
        change->open_us = now_us - opened_us;
    } else
        window_note_success(&origin->window);
}

static void void_probes(struct scheduler_entry *entry, const struct scheduler_ticket *ticket,
                        bool voids_origins, int64_t now_us)
{
    if (ticket->is_probe && entry->breaker.state == BREAKER_PROBING)
        breaker_void_probe(&entry->breaker, now_us);
    if (voids_origins && ticket->is_origin_probe && entry->origin->breaker.state == BREAKER_PROBING)
        breaker_void_probe(&entry->origin->breaker, now_us);
}

static void note_failure(struct scheduler_entry *entry)
{
    entry->failures += entry->failures < INT32_MAX;
    window_note_failure(&entry->window);
}

/* Who has failed, or works after all. */
static void note_health(struct scheduler *scheduler, struct scheduler_entry *entry,
                        const struct scheduler_ticket *ticket, enum health health,
                        struct scheduler_change *change, int64_t now_us, double random01)
{
    const struct breaker_policy *policy = &scheduler->limits.breaker;
    struct scheduler_origin *origin = entry->origin;

    switch (health) {
    case HEALTH_GOOD:
    case HEALTH_ALIVE:
        note_alive(entry, change, now_us);
        note_origin_alive(origin, change, now_us);
        break;
    case HEALTH_BUSY:
        note_alive(entry, change, now_us);
        note_origin_alive(origin, change, now_us);
        window_restart(&entry->window);
        break;
    case HEALTH_DOWN:
        note_failure(entry);
        note_origin_alive(origin, change, now_us);
        change->has_opened =
            breaker_note_failure(&entry->breaker, policy, ticket->is_probe, now_us, random01);
        break;
    case HEALTH_UNREACHABLE:
        note_failure(entry);
        window_note_failure(&origin->window);
        void_probes(entry, ticket, false, now_us);
        change->origin_has_opened = breaker_note_failure(&origin->breaker, policy,
                                                         ticket->is_origin_probe, now_us, random01);
        break;
    case HEALTH_UNKNOWN:
        void_probes(entry, ticket, true, now_us);
        break;
    }
    change->is_down = health_is_failure(health) && (entry->breaker.state != BREAKER_CLOSED ||
                                                    origin->breaker.state != BREAKER_CLOSED);
}

static bool hold(struct scheduler_entry *entry, int64_t hold_us, int64_t now_us)
{
    bool was_held = entry->held_until_us > now_us;

    if (hold_us <= 0)
        return false;
    if (entry->held_until_us < now_us + hold_us)
        entry->held_until_us = now_us + hold_us;
    window_restart(&entry->window);
    return !was_held;
}

struct scheduler_change scheduler_finish(struct scheduler *scheduler, struct scheduler_entry *entry,
                                         const struct scheduler_ticket *ticket, enum health health,
                                         int64_t hold_us, int64_t now_us, double random01)
{
    struct scheduler_change change = {.is_held = false};

    scheduler->in_flight--;
    scheduler->standing_in_flight[ticket->standing]--;
    entry->in_flight--;
    entry->origin->in_flight--;
    if (health == HEALTH_GOOD || health == HEALTH_ALIVE)
        reach_note_answer(&entry->reach, now_us - ticket->started_us);
    note_health(scheduler, entry, ticket, health, &change, now_us, random01);
    change.is_held = hold(entry, hold_us, now_us);
    scheduler_note_origin_trouble(scheduler, entry->origin);
    if (change.origin_has_opened || change.origin_has_closed)
        scheduler_settle_all(scheduler, entry->origin, now_us);
    scheduler_settle(scheduler, entry, now_us, false);
    scheduler_serve_origin(scheduler, entry->origin, now_us);
    return change;
}
