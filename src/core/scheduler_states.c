/* SPDX-License-Identifier: MIT */
#include "core/scheduler_states.h"

#include "base/compiler.h"

#define RESERVE_PARTS 32

/* An origin's probe that nobody has made, since whoever was let through waits for a slot. */
#define ORIGIN_AGAIN_US 1000000

#define MOVE(state) (1u << (state))

/* legal_moves[from] has the bit of each state that may follow. */
static const unsigned legal_moves[SCHEDULER_STATES] = {
    [SCHEDULER_IDLE] = MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) | MOVE(SCHEDULER_TIMED) |
                       MOVE(SCHEDULER_ORIGIN) | MOVE(SCHEDULER_AWAITING),
    [SCHEDULER_READY] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) |
                        MOVE(SCHEDULER_TIMED) | MOVE(SCHEDULER_ORIGIN) | MOVE(SCHEDULER_AWAITING),
    [SCHEDULER_BUSY] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_TIMED) |
                       MOVE(SCHEDULER_ORIGIN) | MOVE(SCHEDULER_AWAITING),
    [SCHEDULER_TIMED] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) |
                        MOVE(SCHEDULER_TIMED) | MOVE(SCHEDULER_ORIGIN) | MOVE(SCHEDULER_AWAITING),
    [SCHEDULER_ORIGIN] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) |
                         MOVE(SCHEDULER_TIMED) | MOVE(SCHEDULER_ORIGIN) | MOVE(SCHEDULER_AWAITING),
    [SCHEDULER_AWAITING] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) |
                           MOVE(SCHEDULER_TIMED) | MOVE(SCHEDULER_ORIGIN),
};

const char *scheduler_state_name(enum scheduler_state state)
{
    switch (state) {
    case SCHEDULER_IDLE:
        return "idle";
    case SCHEDULER_READY:
        return "ready";
    case SCHEDULER_BUSY:
        return "busy";
    case SCHEDULER_TIMED:
        return "timed";
    case SCHEDULER_ORIGIN:
        return "origin";
    case SCHEDULER_AWAITING:
        return "awaiting";
    case SCHEDULER_STATES:
        break;
    }
    bug("scheduler state %d", (int)state);
}

/* --- standings --- */

static enum standing standing_of(const struct scheduler_entry *entry)
{
    if (entry->breaker.state != BREAKER_CLOSED || entry->origin->breaker.state != BREAKER_CLOSED ||
        entry->is_stopped)
        return STANDING_DEAD;
    if (!entry->was_alive)
        return entry->failures == 0 ? STANDING_UNKNOWN : STANDING_DEAD;
    return entry->failures < FALTERING_FAILURES ? STANDING_PROVEN : STANDING_FALTERING;
}

enum standing scheduler_standing(const struct scheduler_entry *entry)
{
    return entry->standing;
}

void scheduler_note_standing(struct scheduler *scheduler, struct scheduler_entry *entry)
{
    enum standing standing = standing_of(entry);

    if (entry->standing == standing)
        return;
    entry->standing = standing;
    if (scheduler->on_restood != NULL)
        scheduler->on_restood(scheduler->owner, entry);
}

/* --- slots --- */

/* Besides the reserve. */
bool scheduler_has_free_slots(const struct scheduler *scheduler)
{
    int slots = scheduler->limits.slots;

    return slots - scheduler->in_flight > slots / RESERVE_PARTS;
}

/* --- states --- */

static void leave_list(struct scheduler *scheduler, struct scheduler_entry *entry)
{
    switch (entry->state) {
    case SCHEDULER_READY:
        TAILQ_REMOVE(&scheduler->ready[entry->listed][entry->is_second], entry, in_list);
        break;
    case SCHEDULER_TIMED:
        heap_remove(&scheduler->entry_timers, &entry->timer);
        break;
    case SCHEDULER_ORIGIN:
        if (entry->is_aside)
            TAILQ_REMOVE(&entry->origin->awaiting, entry, in_list);
        else
            TAILQ_REMOVE(&entry->origin->waiting[entry->listed], entry, in_list);
        entry->origin->waiting_count--;
        entry->is_aside = false;
        break;
    case SCHEDULER_AWAITING:
        if (entry->is_woken)
            TAILQ_REMOVE(&scheduler->woken, entry, in_list);
        entry->is_woken = false;
        break;
    case SCHEDULER_IDLE:
    case SCHEDULER_BUSY:
    case SCHEDULER_STATES:
        break;
    }
}

static void enter_ready(struct scheduler *scheduler, struct scheduler_entry *entry)
{
    entry->listed = entry->standing;
    entry->is_second = entry->in_flight > 0;
    entry->turn = ++scheduler->turn;
    TAILQ_INSERT_TAIL(&scheduler->ready[entry->listed][entry->is_second], entry, in_list);
}

/* One that was let through before and found the origin full again keeps its place. */
static void enter_origin(struct scheduler_entry *entry)
{
    struct scheduler_list *list;

    entry->listed = entry->standing;
    entry->is_aside = entry->work == SCHEDULER_WORK_AWAITED;
    list = entry->is_aside ? &entry->origin->awaiting : &entry->origin->waiting[entry->listed];
    if (entry->is_released)
        TAILQ_INSERT_HEAD(list, entry, in_list);
    else
        TAILQ_INSERT_TAIL(list, entry, in_list);
    entry->origin->waiting_count++;
}

/* One that was stopped is told of; who only lacks its rows is being read anyhow. */
static void enter_awaiting(struct scheduler *scheduler, struct scheduler_entry *entry,
                           enum scheduler_state before)
{
    entry->is_woken =
        before == SCHEDULER_BUSY || before == SCHEDULER_TIMED || before == SCHEDULER_ORIGIN;
    if (entry->is_woken)
        TAILQ_INSERT_TAIL(&scheduler->woken, entry, in_list);
}

/* The one setter. at_us: with SCHEDULER_TIMED. */
void scheduler_set_state(struct scheduler *scheduler, struct scheduler_entry *entry,
                         enum scheduler_state state, int64_t at_us)
{
    enum scheduler_state before = entry->state;

    if ((legal_moves[before] & MOVE(state)) == 0)
        bug("endpoint: %s to %s", scheduler_state_name(before), scheduler_state_name(state));
    leave_list(scheduler, entry);
    entry->state = state;
    switch (state) {
    case SCHEDULER_READY:
        enter_ready(scheduler, entry);
        break;
    case SCHEDULER_TIMED:
        heap_insert(&scheduler->entry_timers, &entry->timer, at_us);
        break;
    case SCHEDULER_ORIGIN:
        enter_origin(entry);
        entry->is_released = false;
        break;
    case SCHEDULER_AWAITING:
        enter_awaiting(scheduler, entry, before);
        break;
    case SCHEDULER_IDLE:
    case SCHEDULER_BUSY:
    case SCHEDULER_STATES:
        break;
    }
}

/* From when on it may send, as far as it's a matter of time. */
static int64_t possible_from_us(const struct scheduler_entry *entry)
{
    int64_t from_us = rate_limit_next_us(&entry->rate);

    if (entry->held_until_us > from_us)
        from_us = entry->held_until_us;
    if (entry->breaker.state == BREAKER_OPEN && entry->breaker.next_probe_us > from_us)
        from_us = entry->breaker.next_probe_us;
    if (reach_next_us(&entry->reach, entry->in_flight) > from_us)
        from_us = reach_next_us(&entry->reach, entry->in_flight);
    return from_us;
}

/* When it may go on, as far as that is known: to read rows a while before they may be sent. */
static int64_t stopped_until_us(const struct scheduler_entry *entry)
{
    return possible_from_us(entry) -
           (entry->work == SCHEDULER_WORK_AWAITED ? SCHEDULER_AHEAD_US : 0);
}

/* One that has never answered is not given more slots to hang in once others of its kind have half
 * of theirs. */
static bool may_grow(const struct scheduler *scheduler, const struct scheduler_entry *entry)
{
    int half = standing_slots(STANDING_UNKNOWN, scheduler->limits.slots) / 2;

    return entry->was_alive || scheduler->standing_in_flight[STANDING_UNKNOWN] <
                                   (half > STANDING_FEW ? half : STANDING_FEW);
}

static bool is_busy(const struct scheduler *scheduler, const struct scheduler_entry *entry)
{
    if (entry->breaker.state != BREAKER_CLOSED)
        return entry->breaker.state == BREAKER_PROBING;
    if (entry->in_flight >= entry->reach.size && !may_grow(scheduler, entry))
        return true;
    return entry->in_flight >= window_size(&entry->window);
}

/* Nothing may go to it until its breaker lets a probe through, or closes. */
static bool is_shut(const struct scheduler_origin *origin, int64_t now_us)
{
    return origin->breaker.state != BREAKER_CLOSED &&
           !breaker_is_probe_due(&origin->breaker, now_us);
}

static enum scheduler_state wanted_state(const struct scheduler *scheduler,
                                         const struct scheduler_entry *entry, int64_t now_us)
{
    bool is_awaited = entry->work == SCHEDULER_WORK_AWAITED;

    if (entry->work == SCHEDULER_NO_WORK)
        return SCHEDULER_IDLE;
    /* Its rows are wanted all the same: one of them, so that somebody asks for other terms. */
    if (entry->is_stopped)
        return is_awaited ? SCHEDULER_AWAITING : SCHEDULER_BUSY;
    if (entry->is_unsendable)
        return is_awaited ? SCHEDULER_AWAITING : SCHEDULER_READY;
    if (is_busy(scheduler, entry))
        return SCHEDULER_BUSY;
    if (stopped_until_us(entry) > now_us)
        return SCHEDULER_TIMED;
    /* Its origin alone lets it through. */
    if (!is_awaited)
        return entry->state == SCHEDULER_ORIGIN && !entry->is_aside ? SCHEDULER_ORIGIN
                                                                    : SCHEDULER_READY;
    return is_shut(entry->origin, now_us) ? SCHEDULER_ORIGIN : SCHEDULER_AWAITING;
}

static void note_trouble(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us)
{
    bool is_troubled = entry->breaker.state != BREAKER_CLOSED || entry->held_until_us > now_us;

    if (is_troubled == entry->is_troubled)
        return;
    entry->is_troubled = is_troubled;
    if (is_troubled)
        TAILQ_INSERT_TAIL(&scheduler->troubled, entry, in_troubled);
    else
        TAILQ_REMOVE(&scheduler->troubled, entry, in_troubled);
}

/* Its place in a list is kept where nothing has changed that decides on the list. */
static bool may_stay(const struct scheduler_entry *entry, enum scheduler_state state)
{
    if (state == SCHEDULER_IDLE || state == SCHEDULER_BUSY || state == SCHEDULER_AWAITING)
        return state == entry->state;
    if (state == SCHEDULER_ORIGIN)
        return state == entry->state &&
               entry->is_aside == (entry->work == SCHEDULER_WORK_AWAITED) &&
               (entry->is_aside || entry->listed == entry->standing);
    if (state != SCHEDULER_READY || entry->listed != entry->standing)
        return false;
    return entry->state == SCHEDULER_READY && entry->is_second == (entry->in_flight > 0);
}

/* Nobody needs more than one slot while there are only those left that others need. */
static int reach_limit(const struct scheduler *scheduler, const struct scheduler_entry *entry)
{
    bool is_free = scheduler_has_free_slots(scheduler) && may_grow(scheduler, entry);

    return is_free ? window_size(&entry->window) : 1;
}

/* Puts an entry where it belongs after something has changed. */
void scheduler_settle(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us,
                      bool has_had_turn)
{
    bool was_released = entry->is_released;
    enum scheduler_state state;

    scheduler_note_standing(scheduler, entry);
    reach_note(&entry->reach, entry->work == SCHEDULER_WORK_HERE, entry->in_flight,
               reach_limit(scheduler, entry), now_us);
    state = wanted_state(scheduler, entry, now_us);
    note_trouble(scheduler, entry, now_us);
    /* Else every change would put it behind the others. After its turn that is where it belongs. */
    if (may_stay(entry, state) && !(state == SCHEDULER_READY && has_had_turn))
        return;
    entry->is_released = false;
    scheduler_set_state(scheduler, entry, state, stopped_until_us(entry));
    if (state == SCHEDULER_ORIGIN && !heap_has(&entry->origin->timer))
        scheduler_set_origin_timer(scheduler, entry->origin, now_us);
    /* It was let through and doesn't need it: the next one. */
    if (was_released && !has_had_turn)
        scheduler_serve_origin(scheduler, entry->origin, now_us);
}

void scheduler_settle_all(struct scheduler *scheduler, struct scheduler_origin *origin,
                          int64_t now_us)
{
    struct scheduler_entry *entry = TAILQ_FIRST(&origin->awaiting);

    /* Those first who have waited for it, in their order. */
    while (entry != NULL) {
        struct scheduler_entry *next = TAILQ_NEXT(entry, in_list);

        scheduler_settle(scheduler, entry, now_us, false);
        entry = next;
    }
    TAILQ_FOREACH(entry, &origin->entries, in_origin)
        scheduler_settle(scheduler, entry, now_us, false);
}

/* --- origins --- */

int scheduler_origin_room(const struct scheduler *scheduler, const struct scheduler_origin *origin,
                          int64_t now_us)
{
    int size = window_size(&origin->window);

    if (origin->breaker.state != BREAKER_CLOSED)
        return breaker_is_probe_due(&origin->breaker, now_us) ? 1 : 0;
    return (size < scheduler->limits.origin_max ? size : scheduler->limits.origin_max) -
           origin->in_flight;
}

void scheduler_set_origin_timer(struct scheduler *scheduler, struct scheduler_origin *origin,
                                int64_t now_us)
{
    int64_t at_us = origin->breaker.next_probe_us;

    heap_remove(&scheduler->origin_timers, &origin->timer);
    if (origin->waiting_count > 0 && origin->breaker.state == BREAKER_OPEN)
        heap_insert(&scheduler->origin_timers, &origin->timer,
                    at_us > now_us ? at_us : now_us + ORIGIN_AGAIN_US);
}

/* Of those whose rows are not here: all when its breaker has closed, one when it wants a probe. */
static void wake_awaiting(struct scheduler *scheduler, struct scheduler_origin *origin,
                          bool wants_probe)
{
    bool is_closed = origin->breaker.state == BREAKER_CLOSED;
    struct scheduler_entry *entry;

    while ((is_closed || wants_probe) && (entry = TAILQ_FIRST(&origin->awaiting)) != NULL) {
        wants_probe = false;
        scheduler_set_state(scheduler, entry, SCHEDULER_AWAITING, 0);
    }
}

/*
 * Lets through as many as there is room for, of each standing, since those of one may have to
 * wait for its share. Who comes too late waits again.
 */
void scheduler_serve_origin(struct scheduler *scheduler, struct scheduler_origin *origin,
                            int64_t now_us)
{
    int room = scheduler_origin_room(scheduler, origin, now_us);
    bool has_released = false;

    for (int i = 0; i < STANDINGS && origin->waiting_count > 0; i++) {
        struct scheduler_entry *entry;

        for (int n = 0; n < room && (entry = TAILQ_FIRST(&origin->waiting[i])) != NULL; n++) {
            has_released = entry->is_released = true;
            scheduler_set_state(scheduler, entry, SCHEDULER_READY, 0);
        }
    }
    wake_awaiting(scheduler, origin, room > 0 && !has_released);
    scheduler_set_origin_timer(scheduler, origin, now_us);
}

void scheduler_note_origin_trouble(struct scheduler *scheduler, struct scheduler_origin *origin)
{
    bool is_troubled = origin->breaker.state != BREAKER_CLOSED;

    if (is_troubled == origin->is_troubled)
        return;
    origin->is_troubled = is_troubled;
    if (is_troubled)
        TAILQ_INSERT_TAIL(&scheduler->troubled_origins, origin, in_troubled);
    else
        TAILQ_REMOVE(&scheduler->troubled_origins, origin, in_troubled);
}
