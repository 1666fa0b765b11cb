/* SPDX-License-Identifier: MIT */
#include "core/backlog.h"

#include <string.h>

#include "base/compiler.h"

#define CUSTOMER_LENGTH 36

void backlogs_init(struct backlogs *set)
{
    *set = (struct backlogs){.rows_ahead = BACKLOG_ROWS_MIN};
    TAILQ_INIT(&set->seen);
    for (int i = 0; i < STANDINGS; i++) {
        TAILQ_INIT(&set->hungry[i]);
        TAILQ_INIT(&set->waiting[i]);
    }
    heap_init(&set->resting);
}

void backlogs_free(struct backlogs *set)
{
    heap_free(&set->resting);
}

void backlogs_set_time(struct backlogs *set, int64_t now_us)
{
    set->now_us = now_us;
}

void backlogs_set_rows_ahead(struct backlogs *set, int rows_ahead)
{
    set->rows_ahead = rows_ahead;
    set->crowds.rows_ahead = rows_ahead;
}

bool backlog_is_open(const struct backlog *backlog)
{
    return backlog->state != BACKLOG_NONE;
}

bool backlog_is_used(const struct backlog *backlog)
{
    return backlog_is_open(backlog) || backlog->is_awaited || backlog->queued > 0;
}

/* It is left alone, until something happens. */
static bool is_quiet(const struct backlog *backlog)
{
    return backlog->state == BACKLOG_RESTING || backlog->state == BACKLOG_BLOCKED;
}

#define MOVE(state) (1u << (state))

/* To resting from any that is open: its queue was emptied, or there was no answer. Only a hungry one
 * is asked for, and one without a backlog begins with what is in its queue. */
static const unsigned legal_moves[] = {
    [BACKLOG_NONE] = MOVE(BACKLOG_FED) | MOVE(BACKLOG_HUNGRY),
    [BACKLOG_FED] =
        MOVE(BACKLOG_NONE) | MOVE(BACKLOG_FED) | MOVE(BACKLOG_HUNGRY) | MOVE(BACKLOG_RESTING),
    [BACKLOG_HUNGRY] = MOVE(BACKLOG_NONE) | MOVE(BACKLOG_RESTING) | MOVE(BACKLOG_BLOCKED) |
                       MOVE(BACKLOG_REFILLING),
    [BACKLOG_RESTING] =
        MOVE(BACKLOG_NONE) | MOVE(BACKLOG_FED) | MOVE(BACKLOG_HUNGRY) | MOVE(BACKLOG_RESTING),
    [BACKLOG_BLOCKED] =
        MOVE(BACKLOG_NONE) | MOVE(BACKLOG_FED) | MOVE(BACKLOG_HUNGRY) | MOVE(BACKLOG_RESTING),
    [BACKLOG_REFILLING] =
        MOVE(BACKLOG_NONE) | MOVE(BACKLOG_FED) | MOVE(BACKLOG_HUNGRY) | MOVE(BACKLOG_RESTING),
};

static const char *state_name(enum backlog_state state)
{
    static const char *const names[] = {"none", "fed", "hungry", "resting", "blocked", "refilling"};

    return names[state];
}

/* The one setter of the state; lists follow it. */
static void set_state(struct backlogs *set, struct backlog *backlog, enum backlog_state state)
{
    if ((legal_moves[backlog->state] & MOVE(state)) == 0)
        bug("backlog: %s to %s", state_name(backlog->state), state_name(state));
    if (backlog->state == BACKLOG_HUNGRY)
        TAILQ_REMOVE(&set->hungry[backlog->standing], backlog, in_hungry);
    heap_remove(&set->resting, &backlog->timer);
    backlog->state = state;
    if (state == BACKLOG_HUNGRY)
        TAILQ_INSERT_TAIL(&set->hungry[backlog->standing], backlog, in_hungry);
    else if (state == BACKLOG_RESTING)
        heap_insert(&set->resting, &backlog->timer, set->now_us + backlog->rest_us);
}

/* Without a backlog. */
static int share_of(const struct backlogs *set)
{
    int share = set->rows_ahead / (set->waiting_count > 0 ? set->waiting_count : 1);

    return share > BACKLOG_ROWS_MIN ? share : BACKLOG_ROWS_MIN;
}

/* How many rows its queue may hold now. */
static int limit_of(const struct backlogs *set, const struct backlog *backlog)
{
    int limit = backlog_is_open(backlog) ? backlog->limit : share_of(set);
    int room = crowds_room(&set->crowds, backlog->standing, backlog->queued, set->now_us);

    if (backlog->wanted < limit)
        limit = backlog->wanted;
    return room < limit - backlog->queued ? backlog->queued + room : limit;
}

/* Where it belongs by its queue, when it has a backlog and nothing else decides. */
static void settle(struct backlogs *set, struct backlog *backlog)
{
    bool is_hungry = backlog->queued * 2 < limit_of(set, backlog) || backlog->queued == 0;

    set_state(set, backlog, is_hungry ? BACKLOG_HUNGRY : BACKLOG_FED);
}

void backlog_note_queued(struct backlogs *set, struct backlog *backlog)
{
    crowds_count(&set->crowds, backlog->standing, 1, ++backlog->queued);
    if (backlog->queued > 1)
        return;
    backlog->moved_us = set->now_us;
    TAILQ_INSERT_TAIL(&set->waiting[backlog->standing], backlog, in_waiting);
    set->waiting_count++;
}

void backlog_note_taken(struct backlogs *set, struct backlog *backlog)
{
    if (backlog->queued == 0)
        bug("a row was taken from an empty queue");
    crowds_count(&set->crowds, backlog->standing, -1, --backlog->queued);
    backlog->moved_us = set->now_us;
    TAILQ_REMOVE(&set->waiting[backlog->standing], backlog, in_waiting);
    if (backlog->queued > 0)
        TAILQ_INSERT_TAIL(&set->waiting[backlog->standing], backlog, in_waiting);
    else
        set->waiting_count--;
    if (backlog->is_emptied)
        return;
    backlog->rest_us = 0;
    if (backlog->state == BACKLOG_FED || is_quiet(backlog))
        settle(set, backlog);
}

void backlog_wake(struct backlogs *set, struct backlog *backlog)
{
    if (is_quiet(backlog))
        set_state(set, backlog, BACKLOG_HUNGRY);
}

/* Its rows count as moved: one was sent, or it has become another one's turn. */
void backlog_set_standing(struct backlogs *set, struct backlog *backlog, enum standing standing)
{
    enum backlog_state state = backlog->state;

    if (backlog->standing == standing)
        return;
    if (backlog->queued > 0) {
        TAILQ_REMOVE(&set->waiting[backlog->standing], backlog, in_waiting);
        crowds_count(&set->crowds, backlog->standing, -backlog->queued, 0);
        crowds_count(&set->crowds, standing, backlog->queued, backlog->queued);
        TAILQ_INSERT_TAIL(&set->waiting[standing], backlog, in_waiting);
        backlog->moved_us = set->now_us;
    }
    if (state == BACKLOG_HUNGRY)
        TAILQ_REMOVE(&set->hungry[backlog->standing], backlog, in_hungry);
    backlog->standing = standing;
    if (state == BACKLOG_HUNGRY)
        TAILQ_INSERT_TAIL(&set->hungry[standing], backlog, in_hungry);
    /* Whatever it rested for is over. */
    if (state == BACKLOG_RESTING && standing == STANDING_PROVEN)
        set_state(set, backlog, BACKLOG_HUNGRY);
}

static size_t make_key(char key[BACKLOG_KEY_SIZE], const char *customer_id, const char *url_hash)
{
    size_t hash_length = strlen(url_hash);

    if (strlen(customer_id) != CUSTOMER_LENGTH ||
        CUSTOMER_LENGTH + 1 + hash_length >= BACKLOG_KEY_SIZE)
        bug("a backlog of %s %s", customer_id, url_hash);
    memcpy(key, customer_id, CUSTOMER_LENGTH);
    key[CUSTOMER_LENGTH] = ' ';
    memcpy(key + CUSTOMER_LENGTH + 1, url_hash, hash_length + 1);
    return CUSTOMER_LENGTH + 1 + hash_length;
}

struct backlog *backlogs_find(const struct backlogs *set, const char *customer_id,
                              const char *url_hash)
{
    char key[BACKLOG_KEY_SIZE];
    size_t length = make_key(key, customer_id, url_hash);
    struct backlog *found;

    HASH_FIND(by_key, set->by_key, key, (unsigned)length, found);
    return found;
}

static void open_backlog(struct backlogs *set, struct backlog *backlog, const char *customer_id,
                         const char *url_hash, int lane, const struct position *position)
{
    size_t length = make_key(backlog->key, customer_id, url_hash);

    backlog->lane = lane;
    backlog->limit = backlog->queued > BACKLOG_ROWS_MIN ? backlog->queued : BACKLOG_ROWS_MIN;
    backlog->refilled_us = set->now_us;
    position_set_time(&backlog->cursor, position->time);
    HASH_ADD(by_key, set->by_key, key, (unsigned)length, backlog);
    TAILQ_INSERT_HEAD(&set->seen, backlog, in_seen);
    settle(set, backlog);
}

static void set_back(struct backlog *backlog, const struct position *position)
{
    if (position_compare(position, &backlog->cursor) <= 0)
        position_set_time(&backlog->cursor, position->time);
}

void backlog_pass(struct backlogs *set, struct backlog *backlog, const struct position *position)
{
    set_back(backlog, position);
    if (TAILQ_FIRST(&set->seen) == backlog)
        return;
    TAILQ_REMOVE(&set->seen, backlog, in_seen);
    TAILQ_INSERT_HEAD(&set->seen, backlog, in_seen);
}

bool backlog_admits(struct backlogs *set, struct backlog *backlog, const char *customer_id,
                    const char *url_hash, int lane, const struct position *position,
                    int rows_wanted)
{
    struct backlog *other;

    if (backlog_is_open(backlog)) {
        backlog_pass(set, backlog, position);
        return false;
    }
    /* Another URL with the same hash has one: refills of that bring this row as well. */
    other = backlogs_find(set, customer_id, url_hash);
    if (other != NULL) {
        backlog_pass(set, other, position);
        return false;
    }
    backlog->wanted = rows_wanted;
    if (backlog->queued < limit_of(set, backlog))
        return true;
    open_backlog(set, backlog, customer_id, url_hash, lane, position);
    return false;
}

static void close_backlog(struct backlogs *set, struct backlog *backlog)
{
    set_state(set, backlog, BACKLOG_NONE);
    backlog->is_emptied = false;
    TAILQ_REMOVE(&set->seen, backlog, in_seen);
    /* The analyzer does not know that uthash frees its table with the last entry alone. */
    HASH_DELETE(by_key, set->by_key, backlog); /* NOLINT(clang-analyzer-unix.Malloc) */
}

void backlog_forget(struct backlogs *set, struct backlog *backlog)
{
    if (backlog_is_open(backlog))
        close_backlog(set, backlog);
}

void backlog_remove(struct backlogs *set, struct backlog *backlog)
{
    backlog_forget(set, backlog);
    if (backlog->queued > 0) {
        TAILQ_REMOVE(&set->waiting[backlog->standing], backlog, in_waiting);
        crowds_count(&set->crowds, backlog->standing, -backlog->queued, 0);
        set->waiting_count--;
    }
    backlog->queued = 0;
}

/* A hungry one of that standing that may be given something. */
static struct backlog *hungry_of(const struct backlogs *set, enum standing standing)
{
    if (standing != STANDING_PROVEN && set->now_us < set->others_us)
        return NULL;
    if (!crowds_has_room(&set->crowds, standing, set->now_us))
        return NULL;
    return TAILQ_FIRST(&set->hungry[standing]);
}

static struct backlog *first_hungry(const struct backlogs *set)
{
    struct backlog *backlog = NULL;

    for (int standing = 0; standing < STANDINGS && backlog == NULL; standing++)
        backlog = hungry_of(set, (enum standing)standing);
    return backlog;
}

/* Each standing earns its turns (core/standing.h); who has earned most is next, and pays for it. */
static enum standing whose_turn(struct backlogs *set)
{
    enum standing next = STANDING_PROVEN;

    for (int standing = 0; standing < STANDINGS; standing++) {
        set->earned[standing] += standing_policies[standing].refill_turns;
        if (set->earned[standing] > set->earned[next])
            next = (enum standing)standing;
    }
    set->earned[next] -= STANDING_TURNS;
    return next;
}

struct backlog *backlogs_next_hungry(struct backlogs *set)
{
    struct heap_node *node;
    struct backlog *backlog;

    while ((node = heap_first(&set->resting)) != NULL && node->at_us <= set->now_us)
        set_state(set, CONTAINER_OF(node, struct backlog, timer), BACKLOG_HUNGRY);
    backlog = hungry_of(set, whose_turn(set));
    return backlog != NULL ? backlog : first_hungry(set);
}

/* Longer each time, up to a limit. */
static void rest(struct backlogs *set, struct backlog *backlog)
{
    backlog->rest_us = backlog->rest_us == 0 ? BACKLOG_REST_US : backlog->rest_us * 2;
    if (backlog->rest_us > BACKLOG_REST_LONG_US)
        backlog->rest_us = BACKLOG_REST_LONG_US;
    set_state(set, backlog, BACKLOG_RESTING);
}

/* By how long the last rows have lasted. */
static void adapt_limit(const struct backlogs *set, struct backlog *backlog)
{
    int64_t lasted_us = set->now_us - backlog->refilled_us;

    if (lasted_us < BACKLOG_QUICK_US)
        backlog->limit *= 2;
    else if (lasted_us > BACKLOG_SLOW_US)
        backlog->limit /= 2;
    if (backlog->limit < BACKLOG_ROWS_MIN)
        backlog->limit = BACKLOG_ROWS_MIN;
    if (backlog->limit > set->rows_ahead)
        backlog->limit = set->rows_ahead;
}

int backlog_begin_refill(struct backlogs *set, struct backlog *backlog, int rows_wanted, int room)
{
    int rows;

    if (backlog->state != BACKLOG_HUNGRY || backlog->is_awaited)
        bug("a refill of a backlog that is %s", state_name(backlog->state));
    backlog->wanted = rows_wanted;
    if (rows_wanted == 0) {
        set_state(set, backlog, BACKLOG_BLOCKED);
        return 0;
    }
    if (!backlog->is_emptied)
        adapt_limit(set, backlog);
    rows = limit_of(set, backlog) - backlog->queued;
    if (rows <= 0) {
        rest(set, backlog);
        return 0;
    }
    if (backlog->standing != STANDING_PROVEN)
        set->has_others = true;
    set->asked_us = set->now_us;
    backlog->is_emptied = false;
    backlog->asked = rows < room ? rows : room;
    backlog->is_awaited = true;
    set_state(set, backlog, BACKLOG_REFILLING);
    return backlog->asked;
}

void backlog_end_refill(struct backlogs *set, struct backlog *backlog, int rows,
                        const struct position *last)
{
    backlog->is_awaited = false;
    if (backlog->state != BACKLOG_REFILLING)
        return; /* forgotten meanwhile */
    if (last != NULL)
        backlog->cursor = *last;
    backlog->refilled_us = set->now_us;
    if (rows < backlog->asked)
        close_backlog(set, backlog);
    else
        settle(set, backlog);
}

void backlog_fail_refill(struct backlogs *set, struct backlog *backlog)
{
    backlog->is_awaited = false;
    if (backlog->state == BACKLOG_REFILLING)
        rest(set, backlog);
}

void backlogs_end_refills(struct backlogs *set)
{
    if (set->has_others)
        set->others_us = set->now_us + (set->now_us - set->asked_us) * (BACKLOG_OTHERS_PARTS - 1);
    set->has_others = false;
}

static int64_t stall_of_us(const struct backlogs *set, enum standing standing)
{
    const struct backlog *first = TAILQ_FIRST(&set->waiting[standing]);

    return first != NULL ? first->moved_us + BACKLOG_STALL_US : INT64_MAX;
}

/* Whether rows of that standing that don't move are to make room. */
static bool makes_room(const struct backlogs *set, enum standing standing, bool is_starved)
{
    return is_starved || crowds_is_excessive(&set->crowds, standing, set->now_us);
}

int64_t backlogs_stall_us(const struct backlogs *set, bool is_starved)
{
    int64_t next_us = INT64_MAX;

    for (int i = 0; i < STANDINGS; i++) {
        enum standing standing = (enum standing)i;

        if (makes_room(set, standing, is_starved) && stall_of_us(set, standing) < next_us)
            next_us = stall_of_us(set, standing);
    }
    return next_us;
}

struct backlog *backlogs_stalled(struct backlogs *set, bool is_starved)
{
    if (is_starved && stall_of_us(set, STANDING_UNKNOWN) <= set->now_us)
        crowds_tighten(&set->crowds, set->now_us);
    for (int i = STANDINGS; i-- > 0;) {
        enum standing standing = (enum standing)i;

        if (makes_room(set, standing, is_starved) && stall_of_us(set, standing) <= set->now_us)
            return TAILQ_FIRST(&set->waiting[standing]);
    }
    return NULL;
}

void backlog_begin_empty(struct backlog *backlog)
{
    backlog->is_emptied = true;
}

void backlog_end_empty(struct backlogs *set, struct backlog *backlog, const char *customer_id,
                       const char *url_hash, int lane, const struct position *first)
{
    struct backlog *other = backlogs_find(set, customer_id, url_hash);

    if (other == NULL) {
        open_backlog(set, backlog, customer_id, url_hash, lane, first);
        other = backlog;
    }
    set_back(other, first);
    other->limit = BACKLOG_ROWS_MIN;
    other->is_emptied = true;
    backlog->is_emptied = other == backlog;
    rest(set, other);
}

static bool has_hungry_others(const struct backlogs *set)
{
    for (int standing = STANDING_PROVEN + 1; standing < STANDINGS; standing++)
        if (!TAILQ_EMPTY(&set->hungry[standing]))
            return true;
    return false;
}

int64_t backlogs_next_us(const struct backlogs *set)
{
    const struct heap_node *first = heap_first(&set->resting);
    int64_t next_us = first != NULL ? first->at_us : INT64_MAX;

    if (first_hungry(set) != NULL)
        return set->now_us;
    if (set->others_us > set->now_us && set->others_us < next_us && has_hungry_others(set))
        return set->others_us;
    return next_us;
}

const char *backlog_url_hash(const struct backlog *backlog)
{
    return backlog->key + CUSTOMER_LENGTH + 1;
}

void backlog_customer_id(const struct backlog *backlog, char *customer_id)
{
    memcpy(customer_id, backlog->key, CUSTOMER_LENGTH);
    customer_id[CUSTOMER_LENGTH] = '\0';
}
