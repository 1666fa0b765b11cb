#include "core/scheduler.h"

#include "base/compiler.h"

#define RESERVE_PARTS 32
#define UNKNOWN_MIN   8
#define ROWS_MIN      4

/* An origin's probe that nobody has made, since whoever was let through waits for a slot. */
#define ORIGIN_AGAIN_US 1000000

#define MOVE(state) (1u << (state))

/* legal_moves[from] has the bit of each state that may follow. */
static const unsigned legal_moves[SCHEDULER_STATES] = {
    [SCHEDULER_IDLE] = MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) | MOVE(SCHEDULER_TIMED),
    [SCHEDULER_READY] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) |
                        MOVE(SCHEDULER_TIMED) | MOVE(SCHEDULER_ORIGIN),
    [SCHEDULER_BUSY] = MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_TIMED),
    [SCHEDULER_TIMED] =
        MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) | MOVE(SCHEDULER_TIMED),
    [SCHEDULER_ORIGIN] =
        MOVE(SCHEDULER_IDLE) | MOVE(SCHEDULER_READY) | MOVE(SCHEDULER_BUSY) | MOVE(SCHEDULER_TIMED),
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
    case SCHEDULER_STATES:
        break;
    }
    bug("scheduler state %d", (int)state);
}

void scheduler_init(struct scheduler *scheduler)
{
    *scheduler = (struct scheduler){.in_flight = 0};
    for (int i = 0; i < SCHEDULER_STANDINGS; i++) {
        TAILQ_INIT(&scheduler->ready[i][0]);
        TAILQ_INIT(&scheduler->ready[i][1]);
    }
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

void scheduler_set_limits(struct scheduler *scheduler, const struct scheduler_limits *limits)
{
    scheduler->limits = *limits;
}

/* --- standings --- */

int scheduler_share(const struct scheduler *scheduler, enum scheduler_standing standing)
{
    static const int parts[SCHEDULER_STANDINGS] = {1, 2, 8, 8};
    int slots = scheduler->limits.slots;
    int share = slots / parts[standing];

    /* Few slots can't be divided: there is no isolation to be had with them. */
    if (standing == SCHEDULER_UNKNOWN && share < UNKNOWN_MIN)
        share = slots < UNKNOWN_MIN ? slots : UNKNOWN_MIN;
    return share > 0 ? share : 1;
}

static enum scheduler_standing standing_of(const struct scheduler_entry *entry)
{
    if (entry->breaker.state != BREAKER_CLOSED || entry->origin->breaker.state != BREAKER_CLOSED)
        return SCHEDULER_DEAD;
    if (!entry->was_alive)
        return entry->failures == 0 ? SCHEDULER_UNKNOWN : SCHEDULER_DEAD;
    return entry->failures < FALTERING_FAILURES ? SCHEDULER_PROVEN : SCHEDULER_FALTERING;
}

/* --- slots --- */

/* Besides the reserve. */
static bool has_free_slots(const struct scheduler *scheduler)
{
    int slots = scheduler->limits.slots;

    return slots - scheduler->in_flight > slots / RESERVE_PARTS;
}

/* --- states --- */

static void serve_origin(struct scheduler *scheduler, struct scheduler_origin *origin,
                         int64_t now_us);

static void leave_list(struct scheduler *scheduler, struct scheduler_entry *entry)
{
    switch (entry->state) {
    case SCHEDULER_READY:
        TAILQ_REMOVE(&scheduler->ready[entry->standing][entry->is_second], entry, in_list);
        break;
    case SCHEDULER_TIMED:
        heap_remove(&scheduler->entry_timers, &entry->timer);
        break;
    case SCHEDULER_ORIGIN:
        TAILQ_REMOVE(&entry->origin->waiting[entry->standing], entry, in_list);
        entry->origin->waiting_count--;
        break;
    case SCHEDULER_IDLE:
    case SCHEDULER_BUSY:
    case SCHEDULER_STATES:
        break;
    }
}

static void enter_ready(struct scheduler *scheduler, struct scheduler_entry *entry)
{
    entry->standing = standing_of(entry);
    entry->is_second = entry->in_flight > 0;
    entry->turn = ++scheduler->turn;
    TAILQ_INSERT_TAIL(&scheduler->ready[entry->standing][entry->is_second], entry, in_list);
}

/* One that was let through before and found the origin full again keeps its place. */
static void enter_origin(struct scheduler_entry *entry)
{
    struct scheduler_list *list;

    entry->standing = standing_of(entry);
    list = &entry->origin->waiting[entry->standing];
    if (entry->is_released)
        TAILQ_INSERT_HEAD(list, entry, in_list);
    else
        TAILQ_INSERT_TAIL(list, entry, in_list);
    entry->origin->waiting_count++;
}

/* The one setter. at_us: with SCHEDULER_TIMED. */
static void set_state(struct scheduler *scheduler, struct scheduler_entry *entry,
                      enum scheduler_state state, int64_t at_us)
{
    if ((legal_moves[entry->state] & MOVE(state)) == 0)
        bug("endpoint: %s to %s", scheduler_state_name(entry->state), scheduler_state_name(state));
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

static bool is_busy(const struct scheduler_entry *entry)
{
    if (entry->breaker.state == BREAKER_CLOSED)
        return entry->in_flight >= window_size(&entry->window);
    return entry->breaker.state == BREAKER_PROBING;
}

static enum scheduler_state wanted_state(const struct scheduler_entry *entry, int64_t now_us)
{
    if (!entry->has_work)
        return SCHEDULER_IDLE;
    if (entry->is_unsendable)
        return SCHEDULER_READY;
    if (is_busy(entry))
        return SCHEDULER_BUSY;
    return possible_from_us(entry) > now_us ? SCHEDULER_TIMED : SCHEDULER_READY;
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
static bool may_stay(const struct scheduler_entry *entry)
{
    if (entry->standing != standing_of(entry))
        return false;
    if (entry->state == SCHEDULER_ORIGIN)
        return !entry->is_unsendable;
    return entry->state == SCHEDULER_READY && entry->is_second == (entry->in_flight > 0);
}

/* Nobody needs more than one slot while there are only those left that others need. */
static int reach_limit(const struct scheduler *scheduler, const struct scheduler_entry *entry)
{
    return has_free_slots(scheduler) ? window_size(&entry->window) : 1;
}

/* Puts an entry where it belongs after something has changed. */
static void settle(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us,
                   bool has_had_turn)
{
    bool was_released = entry->is_released;
    enum scheduler_state state;

    reach_note(&entry->reach, entry->has_work, entry->in_flight, reach_limit(scheduler, entry),
               now_us);
    state = wanted_state(entry, now_us);
    note_trouble(scheduler, entry, now_us);
    if (state == SCHEDULER_READY && !has_had_turn && may_stay(entry))
        return;
    if (state == entry->state && (state == SCHEDULER_IDLE || state == SCHEDULER_BUSY))
        return;
    entry->is_released = false;
    set_state(scheduler, entry, state, possible_from_us(entry));
    /* It was let through and doesn't need it: the next one. */
    if (was_released && !has_had_turn)
        serve_origin(scheduler, entry->origin, now_us);
}

/* --- origins --- */

static int origin_room(const struct scheduler *scheduler, const struct scheduler_origin *origin,
                       int64_t now_us)
{
    int size = window_size(&origin->window);

    if (origin->breaker.state != BREAKER_CLOSED)
        return breaker_is_probe_due(&origin->breaker, now_us) ? 1 : 0;
    return (size < scheduler->limits.origin_max ? size : scheduler->limits.origin_max) -
           origin->in_flight;
}

static void set_origin_timer(struct scheduler *scheduler, struct scheduler_origin *origin,
                             int64_t now_us)
{
    int64_t at_us = origin->breaker.next_probe_us;

    heap_remove(&scheduler->origin_timers, &origin->timer);
    if (origin->waiting_count > 0 && origin->breaker.state == BREAKER_OPEN)
        heap_insert(&scheduler->origin_timers, &origin->timer,
                    at_us > now_us ? at_us : now_us + ORIGIN_AGAIN_US);
}

/*
 * Lets through as many as there is room for, of each standing, since those of one may have to
 * wait for its share. Who comes too late waits again.
 */
static void serve_origin(struct scheduler *scheduler, struct scheduler_origin *origin,
                         int64_t now_us)
{
    int room = origin_room(scheduler, origin, now_us);

    for (int i = 0; i < SCHEDULER_STANDINGS && origin->waiting_count > 0; i++) {
        struct scheduler_entry *entry;

        for (int n = 0; n < room && (entry = TAILQ_FIRST(&origin->waiting[i])) != NULL; n++) {
            entry->is_released = true;
            set_state(scheduler, entry, SCHEDULER_READY, 0);
        }
    }
    set_origin_timer(scheduler, origin, now_us);
}

static void note_origin_trouble(struct scheduler *scheduler, struct scheduler_origin *origin)
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

void scheduler_origin_init(struct scheduler *scheduler, struct scheduler_origin *origin)
{
    *origin = (struct scheduler_origin){.in_flight = 0};
    window_init(&origin->window, scheduler->limits.origin_max, scheduler->limits.origin_max);
    for (int i = 0; i < SCHEDULER_STANDINGS; i++)
        TAILQ_INIT(&origin->waiting[i]);
}

void scheduler_origin_remove(struct scheduler *scheduler, struct scheduler_origin *origin)
{
    if (origin->in_flight > 0 || origin->waiting_count > 0)
        bug("an origin in use is removed");
    heap_remove(&scheduler->origin_timers, &origin->timer);
    if (origin->is_troubled)
        TAILQ_REMOVE(&scheduler->troubled_origins, origin, in_troubled);
}

/* --- entries --- */

void scheduler_entry_init(struct scheduler *scheduler, struct scheduler_entry *entry,
                          struct scheduler_origin *origin)
{
    (void)scheduler;
    *entry = (struct scheduler_entry){.state = SCHEDULER_IDLE, .origin = origin};
    window_init(&entry->window, 1, 1);
    reach_init(&entry->reach);
}

void scheduler_entry_remove(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us)
{
    if (entry->in_flight > 0)
        bug("an endpoint with requests in flight is removed");
    scheduler_set_work(scheduler, entry, false, now_us);
    if (entry->is_troubled)
        TAILQ_REMOVE(&scheduler->troubled, entry, in_troubled);
}

void scheduler_entry_set_terms(struct scheduler *scheduler, struct scheduler_entry *entry,
                               const struct scheduler_terms *terms, int64_t now_us)
{
    bool is_fresh = !entry->was_alive && entry->failures == 0 && entry->in_flight == 0;

    if (entry->window.limit == 1 && is_fresh)
        window_init(&entry->window, terms->max_in_flight, WINDOW_START);
    window_set_limit(&entry->window, terms->max_in_flight);
    window_set_limit(&entry->origin->window, scheduler->limits.origin_max);
    rate_limit_set(&entry->rate, terms->rate_per_s, now_us);
    entry->is_unsendable = terms->is_unsendable;
    if (terms->is_failing && is_fresh && entry->breaker.state == BREAKER_CLOSED &&
        scheduler->limits.breaker.failures > 0) {
        entry->breaker.failures = scheduler->limits.breaker.failures;
        breaker_open(&entry->breaker, &scheduler->limits.breaker, now_us);
    }
    settle(scheduler, entry, now_us, false);
}

void scheduler_entry_revive(struct scheduler *scheduler, struct scheduler_entry *entry,
                            int64_t now_us)
{
    if (breaker_note_success(&entry->breaker))
        window_restart(&entry->window);
    entry->held_until_us = 0;
    settle(scheduler, entry, now_us, false);
}

void scheduler_entry_restart_rate(struct scheduler *scheduler, struct scheduler_entry *entry,
                                  int64_t now_us)
{
    rate_limit_restart(&entry->rate, now_us);
    settle(scheduler, entry, now_us, false);
}

void scheduler_set_work(struct scheduler *scheduler, struct scheduler_entry *entry, bool has_work,
                        int64_t now_us)
{
    if (entry->has_work == has_work)
        return;
    entry->has_work = has_work;
    settle(scheduler, entry, now_us, false);
}

int scheduler_rows_wanted(const struct scheduler_entry *entry, int64_t now_us)
{
    const struct breaker *origins = &entry->origin->breaker;

    if (entry->is_unsendable)
        return INT32_MAX;
    if (entry->held_until_us > now_us)
        return 0;
    if (entry->breaker.state != BREAKER_CLOSED)
        return breaker_is_probe_due(&entry->breaker, now_us) ? 1 : 0;
    if (origins->state != BREAKER_CLOSED)
        return breaker_is_probe_due(origins, now_us) ? 1 : 0;
    if (entry->rate.per_s <= 0 || entry->rate.per_s >= INT32_MAX)
        return INT32_MAX;
    return entry->rate.per_s > ROWS_MIN ? (int)entry->rate.per_s : ROWS_MIN;
}

/* --- turns --- */

static void expire_timers(struct scheduler *scheduler, int64_t now_us)
{
    struct heap_node *node;

    while ((node = heap_first(&scheduler->origin_timers)) != NULL && node->at_us <= now_us)
        serve_origin(scheduler, CONTAINER_OF(node, struct scheduler_origin, timer), now_us);
    while ((node = heap_first(&scheduler->entry_timers)) != NULL && node->at_us <= now_us)
        settle(scheduler, CONTAINER_OF(node, struct scheduler_entry, timer), now_us, false);
}

/* The ready entry that has waited longest, of those whose standing has a slot left. */
static struct scheduler_entry *first_in_turn(const struct scheduler *scheduler)
{
    int lists = has_free_slots(scheduler) ? 2 : 1;
    struct scheduler_entry *first = NULL;

    if (scheduler->in_flight >= scheduler->limits.slots)
        return NULL;
    for (int standing = 0; standing < SCHEDULER_STANDINGS; standing++) {
        if (scheduler->standing_in_flight[standing] >=
            scheduler_share(scheduler, (enum scheduler_standing)standing))
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
        if (entry->is_unsendable || origin_room(scheduler, entry->origin, now_us) > 0)
            return entry;
        set_state(scheduler, entry, SCHEDULER_ORIGIN, 0);
        if (!heap_has(&entry->origin->timer))
            set_origin_timer(scheduler, entry->origin, now_us);
    }
    return NULL;
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
        .standing = standing_of(entry),
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
    settle(scheduler, entry, now_us, true);
    return ticket;
}

void scheduler_pass(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_us)
{
    bool was_released = entry->is_released;

    settle(scheduler, entry, now_us, true);
    if (was_released)
        serve_origin(scheduler, entry->origin, now_us);
}

/* --- results --- */

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
    note_origin_trouble(scheduler, entry->origin);
    settle(scheduler, entry, now_us, false);
    serve_origin(scheduler, entry->origin, now_us);
    return change;
}
