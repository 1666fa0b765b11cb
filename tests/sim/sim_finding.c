/* SPDX-License-Identifier: MIT */
/*
 * The finder, late commits and backlogs under a virtual clock, with a model of the database:
 * transactions of random length (some roll back, some have subtransactions, some write a while
 * after a row's time was set), rows that are due in the past, now or later, retries, operators who
 * change and delete rows, triggers that swallow outcomes, endpoints that take nothing for a while,
 * lanes that come and go, lost connections. A read has a snapshot, which is older than its answer.
 * For every seed:
 *   found    a row that is committed and due is in a queue, or behind the position of its
 *            endpoint's backlog, within a bound (below) of being so, while there is room
 *   once     no version of a row is sent twice, not even from an answer that is out of date
 *   bounded  no more rows wait than may be read ahead
 *   done     when all is calm, nothing that is due is left
 * It runs with each kind of scan alone (tighter bounds, without what only the others are for) and
 * with all. Each rule is also broken on purpose, and must be missed.
 *
 *   sim_finding [--seeds N] [--first SEED]
 */
#include "unit.h"

#include <stdlib.h>

#include "core/backlog.h"
#include "core/finder.h"
#include "core/settlement.h"
#include "dice.h"

#define MS        INT64_C(1000)
#define TRAFFIC   (5000 * MS)
#define CALM      (BACKLOG_REST_LONG_US + 6000 * MS)
#define POLL      (1000 * MS)
#define CHECK     (20 * MS)
#define ACTORS    7
#define ENDPOINTS 6
#define ROWS      700
#define VERSIONS  4000
#define TXS       4000
#define AHEAD     64
#define NEVER     INT64_MAX

/* A poll notices what has come or ended, at the latest after POLL. A reread waits for the pause of
 * the one before (3 ms / 5 %), and for its turn and its fetch; a recheck likewise (500 ms, or 3 ms
 * / 1 %). */
#define BOUND_REREAD  (POLL + 200 * MS)
#define BOUND_RECHECK (POLL + 1000 * MS)
/* A sweep begins POLL after the end of the one before, which took its pages' pauses. */
#define BOUND_SWEEP (2 * POLL + 800 * MS)

enum rule {
    NOTHING_BROKEN,
    NO_REREADS,
    NO_SLACK,        /* the bounds are now(), not a while before */
    NO_NEXT_NUMBER,  /* xmax instead: what runs unlisted is not seen */
    NO_RUNNING_LIST, /* everything below xmax has ended */
    NO_SET_BACK,     /* a backlog's position never goes back */
    NO_MEMORY,       /* a finished row is forgotten at once, also while a read is out */
    STALE_ANSWERS,   /* a forgotten row that looks changed is taken from the answer that shows it */
    NO_SECOND_LOOK,  /* at a row whose outcome was refused, since somebody had changed it */
    EARLY_END,       /* a backlog ends with every refill */
    NO_PUT_OFF,      /* an outcome that was undone is taken for one that somebody was faster with */
};

enum mode { REREADS_ALONE, RECHECKS_ALONE, SWEEPS_ALONE, ALL };

static const struct {
    enum finder_read scan; /* the only one; FINDER_NOTHING: all of them */
    int64_t slow_us;       /* up to so long a row's time is set before it is written */
    int64_t bound_us;
} modes[] = {
    [REREADS_ALONE] = {FINDER_REREAD, 90 * MS, BOUND_REREAD},
    [RECHECKS_ALONE] = {FINDER_RECHECK, 900 * MS, BOUND_RECHECK},
    [SWEEPS_ALONE] = {FINDER_SWEEP, 3900 * MS, BOUND_SWEEP},
    [ALL] = {FINDER_NOTHING, 3900 * MS, BOUND_SWEEP},
};

enum tx_state { RUNNING, COMMITTED, ABORTED };
struct tx {
    uint64_t first, last; /* numbers; 0 = none yet */
    enum tx_state state;
    int64_t numbered_us, ended_us;
};

enum status { PENDING, ENDED };
struct version {
    int row;
    int64_t time;
    enum status status;
    int attempts;
    int born, died; /* transactions; died -1 = it lives */
    bool was_sent;
    struct position position;
    int64_t missed_us; /* since when it should have been found; -1 = it need not */
};

enum delivery { UNKNOWN, WAITING, IN_FLIGHT, WRITING, WRITTEN, FORGOTTEN };
struct row {
    uint32_t id;
    int endpoint;
    int last; /* version */
    enum delivery delivery;
    int version; /* that was read */
    bool is_dropped, is_written;
    bool is_retry;   /* its outcome, while it is being written */
    int64_t next_us; /* of IN_FLIGHT, WRITING and WRITTEN */
    int tx;          /* that writes the outcome */
    uint64_t forgotten_at_read;
};

struct endpoint {
    struct backlog backlog;
    int queue[AHEAD * 4];
    int64_t next_take_us;
    int64_t interval_us;
    char hash[24];
};

enum phase { IDLE, BETWEEN, WRITES };
struct actor {
    enum phase phase;
    int tx;
    int ops;
    int64_t began_us, gap_us, next_us;
    int64_t time; /* of the row that is on its way to be written */
    int target;   /* row to change, -1 = a new one */
    bool deletes;
};

enum read_kind { NO_READ, PLANNED, REFILL, FETCH };
struct read {
    enum read_kind kind;
    bool is_executed;
    int64_t sent_us, execute_us, answer_us;
    struct finder_plan plan;
    int refills[ENDPOINTS], refills_count;
    int ids[FINDER_ROWS_MAX], ids_count;
    int found[VERSIONS], found_count;
    int refilled_by[VERSIONS];
    char snapshot[400];
    struct late_bounds bounds;
    uint32_t next;
};

struct sim {
    struct dice dice;
    enum mode mode;
    enum rule broken;
    uint64_t seed;
    bool is_quiet; /* little happens, so that what runs is listed in no snapshot for long */
    char failure[400];
    int64_t now_us, clock_us; /* the database's clock is ahead by clock_us */
    uint64_t next_number, latest_ended;
    struct tx txs[TXS];
    int txs_count, active[64], active_count;
    struct version versions[VERSIONS];
    int versions_count;
    int live[VERSIONS], live_count; /* pending ones that are not gone for good */
    int busy[ROWS], busy_count;     /* rows that are in flight or being written */
    struct row rows[ROWS];
    int rows_count;
    struct actor actors[ACTORS];
    int lanes;
    int64_t lane_us[8], lane_owned_us[8]; /* next change; since when */
    struct endpoint endpoints[ENDPOINTS];
    struct backlogs backlogs;
    struct finder finder;
    struct read read;
    bool is_reading, was_refill, has_forgotten;
    uint64_t newest_read;
    int found[FINDER_ROWS_MAX], found_count;
    int waiting;
    int64_t check_us, restart_us, jump_us;
};

static const char customer[] = "00000000-0000-0000-0000-000000000001";
static struct sim *sim;

static void go_wrong(const char *what, int version)
{
    const struct version *v = version >= 0 ? &sim->versions[version] : NULL;

    if (sim->failure[0] != '\0')
        return;
    snprintf(sim->failure, sizeof(sim->failure),
             "seed %llu mode %d at %lld us: %s; version %d of row %d: time %lld, endpoint %d, "
             "numbered at %lld, ended at %lld, delivery %d, missed since %lld",
             (unsigned long long)sim->seed, (int)sim->mode, (long long)sim->now_us, what, version,
             v ? v->row : -1, v ? (long long)v->time : 0, v ? sim->rows[v->row].endpoint : -1,
             v ? (long long)sim->txs[v->born].numbered_us : 0,
             v ? (long long)sim->txs[v->born].ended_us : 0,
             v ? (int)sim->rows[v->row].delivery : -1, v ? (long long)v->missed_us : 0);
}

static int64_t clock_now(void)
{
    return sim->now_us + sim->clock_us;
}

static bool happens(double probability)
{
    return dice_fraction(&sim->dice) < probability;
}

static int64_t between(int64_t low, int64_t high)
{
    return dice_between(&sim->dice, low, high);
}

/* --- the database --- */

static int tx_begin(void)
{
    if (sim->txs_count == TXS || sim->active_count == 64)
        abort();
    sim->txs[sim->txs_count] = (struct tx){.state = RUNNING, .ended_us = -1};
    sim->active[sim->active_count++] = sim->txs_count;
    return sim->txs_count++;
}

static void tx_number(int tx)
{
    if (sim->txs[tx].first == 0) {
        sim->txs[tx].first = sim->txs[tx].last = sim->next_number++;
        sim->txs[tx].numbered_us = sim->now_us;
    }
    if (happens(0.1)) /* a subtransaction */
        sim->txs[tx].last = sim->next_number++;
}

static void undo(int tx)
{
    for (int i = 0; i < sim->versions_count; i++)
        if (sim->versions[i].died == tx)
            sim->versions[i].died = -1;
    for (int i = 0; i < sim->rows_count; i++) {
        int at = sim->rows[i].last;

        while (at >= 0 &&
               (sim->versions[at].row != i || sim->txs[sim->versions[at].born].state == ABORTED))
            at--;
        sim->rows[i].last = at;
    }
}

static bool is_gone(const struct version *version)
{
    return sim->txs[version->born].state == ABORTED ||
           (version->died >= 0 && sim->txs[version->died].state == COMMITTED);
}

static void tx_end(int tx, bool commits)
{
    sim->txs[tx].state = commits ? COMMITTED : ABORTED;
    sim->txs[tx].ended_us = sim->now_us;
    if (sim->txs[tx].last > sim->latest_ended)
        sim->latest_ended = sim->txs[tx].last;
    for (int i = 0; i < sim->active_count; i++)
        if (sim->active[i] == tx)
            sim->active[i--] = sim->active[--sim->active_count];
    if (!commits)
        undo(tx);
    for (int i = 0; i < sim->live_count; i++)
        if (is_gone(&sim->versions[sim->live[i]]))
            sim->live[i--] = sim->live[--sim->live_count];
}
static bool is_visible(const struct version *version)
{
    return sim->txs[version->born].state == COMMITTED &&
           (version->died < 0 || sim->txs[version->died].state != COMMITTED);
}

/* The row's newest version, when no running transaction has written it or deleted it; else -1. */
static int unlocked_version(int row)
{
    int last = sim->rows[row].last;

    if (last < 0 || sim->txs[sim->versions[last].born].state != COMMITTED ||
        sim->versions[last].died >= 0)
        return -1;
    return last;
}

static void write_version(int tx, int row, int64_t time, enum status status, int attempts)
{
    int last = sim->rows[row].last;
    struct position *position = &sim->versions[sim->versions_count].position;

    if (sim->versions_count == VERSIONS)
        return;
    if (last >= 0)
        sim->versions[last].died = tx;
    sim->versions[sim->versions_count] = (struct version){.row = row,
                                                          .time = time,
                                                          .status = status,
                                                          .attempts = attempts,
                                                          .born = tx,
                                                          .died = -1,
                                                          .missed_us = -1};
    snprintf(position->time, sizeof(position->time), "%020lld", (long long)time);
    snprintf(position->id, sizeof(position->id), "%08x", sim->rows[row].id);
    if (status == PENDING)
        sim->live[sim->live_count++] = sim->versions_count;
    sim->rows[row].last = sim->versions_count++;
}

/* --- those who write --- */

/* What the trigger leaves of the time that somebody asks for. */
static int64_t choose_time(const struct actor *actor)
{
    int64_t clock = clock_now();
    int64_t began = actor->began_us + sim->clock_us;

    if (happens(0.15))
        return clock + between(0, sim->is_quiet ? 3000 * MS : 800 * MS);
    if (happens(0.3) && clock - began < 10 * MS)
        return began; /* now() */
    if (happens(0.2))
        return clock - between(0, 10 * MS);
    return clock;
}

static int64_t choose_gap(void)
{
    if (sim->is_quiet && happens(0.5))
        return between(0, 2500 * MS);
    if (happens(0.6))
        return between(0, 4 * MS);
    return happens(0.7) ? between(0, 150 * MS) : between(0, 900 * MS);
}

/* Often one that is under way at the worker. */
static int choose_target(void)
{
    if (sim->busy_count > 0 && happens(0.7))
        return sim->busy[between(0, sim->busy_count - 1)];
    return (int)between(0, sim->rows_count - 1);
}

static void actor_operate(struct actor *actor)
{
    bool is_slow = happens(0.05);

    actor->target = sim->rows_count > 0 && happens(0.2) ? choose_target() : -1;
    actor->deletes = happens(0.2);
    actor->phase = WRITES;
    if (actor->target >= 0 && unlocked_version(actor->target) >= 0)
        tx_number(actor->tx); /* an UPDATE locks its row before its trigger runs */
    actor->time = choose_time(actor);
    actor->next_us = sim->now_us + between(0, is_slow ? modes[sim->mode].slow_us : 100);
}

static void actor_write(struct actor *actor)
{
    int row = actor->target;

    tx_number(actor->tx);
    if (row < 0 && sim->rows_count < ROWS) {
        row = sim->rows_count++;
        sim->rows[row] =
            (struct row){.id = (uint32_t)dice_next(&sim->dice) / 1024 * 1024 + (uint32_t)row,
                         .endpoint = (int)between(0, ENDPOINTS - 1),
                         .last = -1};
        if (happens(0.4))
            sim->rows[row].endpoint = 0; /* has more than the others */
        write_version(actor->tx, row, actor->time, PENDING, 0);
    } else if (row >= 0 && unlocked_version(row) >= 0) {
        int last = unlocked_version(row);

        write_version(actor->tx, row, actor->time, actor->deletes ? ENDED : PENDING,
                      happens(0.5) ? (int)between(0, 5) : sim->versions[last].attempts);
    }
    actor->phase = BETWEEN;
    actor->ops--;
    actor->next_us = sim->now_us + between(0, actor->gap_us);
}

static void actor_step(struct actor *actor)
{
    switch (actor->phase) {
    case IDLE:
        if (sim->now_us > TRAFFIC) {
            actor->next_us = NEVER;
            return;
        }
        actor->tx = tx_begin();
        actor->began_us = sim->now_us;
        actor->ops = (int)between(1, happens(0.1) ? 25 : 4);
        actor->gap_us = choose_gap();
        actor->phase = BETWEEN;
        actor->next_us = sim->now_us + between(0, actor->gap_us);
        return;
    case BETWEEN:
        if (actor->ops > 0 && sim->now_us < TRAFFIC) {
            actor_operate(actor);
            return;
        }
        tx_end(actor->tx, !happens(0.1));
        actor->phase = IDLE;
        actor->next_us = sim->now_us + (happens(0.3) ? between(0, 600 * MS) : between(0, 20 * MS));
        return;
    case WRITES:
        actor_write(actor);
        return;
    }
}

/* --- the worker: what worker/finding.c and worker/refilling.c do --- */

static int lane_of(int row)
{
    return sim->rows[row].endpoint % sim->lanes;
}

static void forget(struct row *row, bool is_dropped)
{
    row->delivery = FORGOTTEN;
    sim->has_forgotten = true;
    row->is_dropped = is_dropped;
    row->forgotten_at_read = sim->newest_read;
    if (sim->broken == NO_MEMORY)
        row->delivery = UNKNOWN;
}

static void reap(void)
{
    if (!sim->has_forgotten)
        return;
    sim->has_forgotten = sim->is_reading;
    for (int i = 0; i < sim->rows_count; i++)
        if (sim->rows[i].delivery == FORGOTTEN &&
            (!sim->is_reading || sim->newest_read > sim->rows[i].forgotten_at_read))
            sim->rows[i].delivery = UNKNOWN;
}

static void take(struct endpoint *endpoint)
{
    memmove(endpoint->queue, endpoint->queue + 1,
            (size_t)(endpoint->backlog.queued - 1) * sizeof(endpoint->queue[0]));
    backlog_note_taken(&sim->backlogs, &endpoint->backlog);
    sim->waiting--;
}

static void admit(int version)
{
    struct row *row = &sim->rows[sim->versions[version].row];
    struct endpoint *endpoint = &sim->endpoints[row->endpoint];

    if (sim->versions[version].was_sent)
        go_wrong("sent twice", version);
    if (endpoint->backlog.queued == (int)ARRAY_LENGTH(endpoint->queue)) {
        go_wrong("queue overflows", version);
        return;
    }
    row->delivery = WAITING;
    row->version = version;
    endpoint->queue[endpoint->backlog.queued] = sim->versions[version].row;
    backlog_note_queued(&sim->backlogs, &endpoint->backlog);
    if (++sim->waiting > AHEAD)
        go_wrong("more rows wait than may", version);
}

/* Its row is to be fetched by key, by a read that is sent after this. */
static void look_again(int row)
{
    if (sim->found_count < FINDER_ROWS_MAX)
        sim->found[sim->found_count++] = row;
}

/* What was forgotten may be seen as it was before, by a read that was sent before. */
static bool is_new(int version)
{
    const struct row *row = &sim->rows[sim->versions[version].row];
    bool differs = sim->versions[row->version].attempts != sim->versions[version].attempts;

    if (!finder_owns(&sim->finder, lane_of(sim->versions[version].row)))
        return false;
    if (row->delivery == UNKNOWN || (row->delivery == FORGOTTEN && row->is_dropped))
        return true;
    if (row->delivery == FORGOTTEN && differs && sim->broken == STALE_ANSWERS)
        return true;
    if (row->delivery == FORGOTTEN && sim->broken != NO_SECOND_LOOK)
        look_again(sim->versions[version].row);
    return false;
}

static void pass(struct backlog *backlog, const struct position *position)
{
    if (sim->broken == NO_SET_BACK && position_compare(position, &backlog->cursor) <= 0)
        return;
    backlog_pass(&sim->backlogs, backlog, position);
}

static void note_row(int version)
{
    int row = sim->versions[version].row;
    struct endpoint *endpoint = &sim->endpoints[sim->rows[row].endpoint];
    const struct position *position = &sim->versions[version].position;

    if (!is_new(version))
        return;
    if (endpoint->backlog.state != BACKLOG_NONE)
        pass(&endpoint->backlog, position);
    else if (backlog_admits(&sim->backlogs, &endpoint->backlog, customer, endpoint->hash,
                            lane_of(row), position, INT32_MAX))
        admit(version);
}

/* True when it is new. */
static bool note_key(int version)
{
    const struct row *row = &sim->rows[sim->versions[version].row];
    struct backlog *backlog =
        backlogs_find(&sim->backlogs, customer, sim->endpoints[row->endpoint].hash);

    if (row->delivery != UNKNOWN && !(row->delivery == FORGOTTEN && row->is_dropped))
        return false;
    if (backlog == NULL) {
        look_again(sim->versions[version].row);
        return true;
    }
    pass(backlog, &sim->versions[version].position);
    return false;
}

static int room(void)
{
    return AHEAD - sim->waiting;
}

static bool has_room(void)
{
    return room() * 4 >= AHEAD;
}

static void empty_queue(struct endpoint *endpoint)
{
    int lane = (int)(endpoint - sim->endpoints) % sim->lanes;
    struct position first = sim->versions[sim->rows[endpoint->queue[0]].version].position;

    backlog_begin_empty(&endpoint->backlog);
    while (endpoint->backlog.queued > 0) {
        struct row *row = &sim->rows[endpoint->queue[0]];
        const struct position *position = &sim->versions[row->version].position;

        if (position_compare(position, &first) < 0)
            first = *position;
        take(endpoint);
        forget(row, true);
    }
    backlog_end_empty(&sim->backlogs, &endpoint->backlog, customer, endpoint->hash, lane, &first);
}

static void drop_lane(int lane)
{
    for (int i = 0; i < ENDPOINTS; i++) {
        struct endpoint *endpoint = &sim->endpoints[i];

        if (i % sim->lanes != lane)
            continue;
        while (endpoint->backlog.queued > 0) {
            struct row *row = &sim->rows[endpoint->queue[0]];

            take(endpoint);
            forget(row, true);
        }
        backlog_forget(&sim->backlogs, &endpoint->backlog);
    }
}

static void send_read(enum read_kind kind)
{
    sim->read.kind = kind;
    sim->read.is_executed = false;
    sim->read.sent_us = sim->now_us;
    sim->read.execute_us = sim->now_us + between(50, 1000);
    sim->read.answer_us = sim->read.execute_us + between(50, 2000);
    sim->is_reading = true;
    sim->newest_read++;
}

static bool send_refill(void)
{
    int left = room() - AHEAD / 4;
    struct backlog *backlog;

    if (left * 16 < AHEAD)
        return false;
    sim->read.refills_count = 0;
    while (left > 0 && sim->read.refills_count < ENDPOINTS &&
           (backlog = backlogs_next_hungry(&sim->backlogs)) != NULL) {
        int rows = backlog_begin_refill(&sim->backlogs, backlog, INT32_MAX, left);

        if (rows == 0)
            continue;
        sim->read.refills[sim->read.refills_count++] =
            (int)(CONTAINER_OF(backlog, struct endpoint, backlog) - sim->endpoints);
        left -= rows;
    }
    if (sim->read.refills_count == 0)
        return false;
    send_read(REFILL);
    sim->was_refill = true;
    return true;
}

static void send_fetch(void)
{
    int count = sim->found_count < room() ? sim->found_count : room();

    memcpy(sim->read.ids, sim->found, (size_t)count * sizeof(sim->found[0]));
    sim->read.ids_count = count;
    sim->found_count -= count;
    memmove(sim->found, sim->found + count, (size_t)sim->found_count * sizeof(sim->found[0]));
    send_read(FETCH);
}

static bool owns_any(void)
{
    for (int lane = 0; lane < sim->lanes; lane++)
        if (finder_owns(&sim->finder, lane))
            return true;
    return false;
}

static void worker_step(void)
{
    struct backlog *stalled;

    backlogs_set_time(&sim->backlogs, sim->now_us);
    if (sim->is_reading || !owns_any())
        return;
    while (!has_room() && (stalled = backlogs_stalled(&sim->backlogs, true)) != NULL)
        empty_queue(CONTAINER_OF(stalled, struct endpoint, backlog));
    if (!sim->was_refill && send_refill())
        return;
    sim->was_refill = false;
    if (has_room() && sim->found_count > 0) {
        send_fetch();
    } else if (has_room()) {
        sim->read.plan = finder_plan(&sim->finder, sim->now_us, room(), 1 << 20);
        if (sim->read.plan.read != FINDER_NOTHING)
            send_read(PLANNED);
    }
    if (!sim->is_reading)
        send_refill();
}

static int64_t worker_next_us(void)
{
    int64_t next = NEVER;

    if (sim->is_reading || !owns_any())
        return NEVER;
    if ((room() - AHEAD / 4) * 16 >= AHEAD)
        next = backlogs_next_us(&sim->backlogs);
    if (!has_room())
        return next < backlogs_stall_us(&sim->backlogs, true)
                   ? next
                   : backlogs_stall_us(&sim->backlogs, true);
    if (sim->found_count > 0 || finder_next_us(&sim->finder) < next)
        next = sim->found_count > 0 ? sim->now_us : finder_next_us(&sim->finder);
    return next;
}

/* --- reads --- */

static int compare_versions(const void *a, const void *b)
{
    const struct version *x = &sim->versions[*(const int *)a], *y = &sim->versions[*(const int *)b];

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (sim->rows[x->row].id > sim->rows[y->row].id) -
           (sim->rows[x->row].id < sim->rows[y->row].id);
}

static bool is_behind(const struct version *version, const struct position *from)
{
    return position_compare(&version->position, from) > 0;
}

/* Adds the pending rows of a lane or an endpoint behind a position, in order, at most limit. */
static int collect(int lane, int endpoint, const struct position *from, const struct position *to,
                   int64_t now_us, int limit)
{
    struct read *read = &sim->read;
    int begin = read->found_count;

    for (int i = 0; i < sim->live_count; i++) {
        const struct version *version = &sim->versions[sim->live[i]];

        if (version->time > now_us || !is_visible(version) ||
            (lane >= 0 && lane_of(version->row) != lane) ||
            (endpoint >= 0 && sim->rows[version->row].endpoint != endpoint) ||
            !is_behind(version, from) || (to != NULL && is_behind(version, to)))
            continue;
        read->found[read->found_count++] = sim->live[i];
    }
    qsort(read->found + begin, (size_t)(read->found_count - begin), sizeof(int), compare_versions);
    if (read->found_count > begin + limit)
        read->found_count = begin + limit;
    return read->found_count - begin;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void take_snapshot(int64_t now_us)
{
    static const int64_t slack_us[LATE_SLACKS] = {[LATE_NEAR] = 100 * MS, [LATE_FAR] = 1000 * MS};
    struct read *read = &sim->read;
    uint64_t xmax = sim->latest_ended + 1, running[64];
    int count = 0, length;

    for (int i = 0; i < sim->active_count; i++) {
        uint64_t number = sim->txs[sim->active[i]].first;

        if (number != 0 && number < xmax && sim->broken != NO_RUNNING_LIST)
            running[count++] = number;
    }
    qsort(running, (size_t)count, sizeof(running[0]), compare_numbers);
    length = snprintf(read->snapshot, sizeof(read->snapshot),
                      "%llu:%llu:", (unsigned long long)(count > 0 ? running[0] : xmax),
                      (unsigned long long)xmax);
    for (int i = 0; i < count; i++)
        length += snprintf(read->snapshot + length, sizeof(read->snapshot) - (size_t)length,
                           "%s%llu", i > 0 ? "," : "", (unsigned long long)running[i]);
    read->next = (uint32_t)(sim->broken == NO_NEXT_NUMBER ? xmax : sim->next_number);
    for (int i = 0; i < LATE_SLACKS; i++)
        snprintf(read->bounds.times[i], sizeof(read->bounds.times[i]), "%020lld",
                 (long long)(now_us - (sim->broken == NO_SLACK ? 0 : slack_us[i])));
}

static void read_execute(void)
{
    struct read *read = &sim->read;
    int64_t now_us = between(read->sent_us, sim->now_us) + sim->clock_us;
    int room_left = read->plan.rows;

    read->is_executed = true;
    read->found_count = 0;
    take_snapshot(now_us);
    for (int i = 0; read->kind == PLANNED && i < read->plan.lanes_count; i++) {
        int lane = read->plan.lanes[i];
        bool is_forward = read->plan.read == FINDER_FORWARD;
        int limit = read->plan.lane_rows < room_left ? read->plan.lane_rows : room_left;

        room_left -= collect(lane, -1, finder_from(&sim->finder, &read->plan, lane),
                             is_forward ? NULL : finder_to(&sim->finder, &read->plan, lane),
                             is_forward ? now_us : NEVER, limit);
    }
    for (int i = 0; read->kind == REFILL && i < read->refills_count; i++) {
        struct backlog *backlog = &sim->endpoints[read->refills[i]].backlog;
        int begin = read->found_count;

        collect(-1, read->refills[i], &backlog->cursor, NULL, now_us, backlog->asked);
        for (int at = begin; at < read->found_count; at++)
            read->refilled_by[at] = i;
    }
    for (int i = 0; read->kind == FETCH && i < sim->live_count; i++)
        for (int at = 0; at < read->ids_count; at++)
            if (sim->versions[sim->live[i]].row == read->ids[at] &&
                sim->versions[sim->live[i]].time <= now_us &&
                is_visible(&sim->versions[sim->live[i]]))
                read->found[read->found_count++] = sim->live[i];
}

static void answer_planned(void)
{
    struct read *read = &sim->read;
    struct finder_yield yield = {.started_us = read->sent_us};
    struct late_snapshot snapshot = {
        .text = read->snapshot,
        .next = read->next,
        .bounds = {read->bounds.times[LATE_NEAR], read->bounds.times[LATE_FAR]}};

    for (int i = 0; i < read->found_count; i++) {
        const struct version *version = &sim->versions[read->found[i]];
        const struct endpoint *endpoint = &sim->endpoints[sim->rows[version->row].endpoint];

        yield.rows[lane_of(version->row)]++;
        finder_note_row(&sim->finder, &read->plan, lane_of(version->row), version->position.time,
                        version->position.id);
        /* Of closed endpoints, keys alone come. */
        if (read->plan.read == FINDER_FORWARD &&
            (endpoint->backlog.state == BACKLOG_NONE || (version->row & 1) == 0))
            note_row(read->found[i]);
        else
            yield.known += !note_key(read->found[i]);
    }
    if (read->plan.read == FINDER_FORWARD && sim->broken != NO_REREADS)
        finder_note_snapshot(&sim->finder, &snapshot, sim->now_us);
    finder_note_end(&sim->finder, &read->plan, &yield, sim->now_us);
}

static void answer_refill(void)
{
    struct read *read = &sim->read;
    int counts[ENDPOINTS] = {0}, last[ENDPOINTS];

    for (int i = 0; i < read->found_count; i++) {
        counts[read->refilled_by[i]]++;
        last[read->refilled_by[i]] = read->found[i];
        if (is_new(read->found[i]))
            admit(read->found[i]);
    }
    for (int i = 0; i < read->refills_count; i++) {
        int rows = sim->broken == EARLY_END ? 0 : counts[i];

        backlog_end_refill(&sim->backlogs, &sim->endpoints[read->refills[i]].backlog, rows,
                           counts[i] > 0 ? &sim->versions[last[i]].position : NULL);
    }
    backlogs_end_refills(&sim->backlogs);
}

static void read_answer(void)
{
    backlogs_set_time(&sim->backlogs, sim->now_us);
    sim->is_reading = false;
    if (sim->read.kind == PLANNED)
        answer_planned();
    else if (sim->read.kind == REFILL)
        answer_refill();
    else
        for (int i = 0; i < sim->read.found_count; i++)
            note_row(sim->read.found[i]);
    reap();
}

/* --- what is sent --- */

static void endpoint_step(struct endpoint *endpoint)
{
    if (sim->now_us < endpoint->next_take_us)
        return;
    endpoint->next_take_us = sim->now_us + endpoint->interval_us;
    if (sim->now_us < TRAFFIC && happens(0.01))
        endpoint->next_take_us = sim->now_us + between(0, 2000 * MS); /* hangs */
    if (endpoint->backlog.queued > 0) {
        struct row *row = &sim->rows[endpoint->queue[0]];

        take(endpoint);
        row->delivery = IN_FLIGHT;
        row->next_us = sim->now_us + between(200, 20 * MS);
        sim->busy[sim->busy_count++] = (int)(row - sim->rows);
        sim->versions[row->version].was_sent = true;
    }
}

/* A success is written if the row is pending, a failure if it also has as many attempts as it was
 * read with (db/outcomes.c). */
static bool is_writable(const struct row *row)
{
    const struct version *last = &sim->versions[row->last];

    return last->status == PENDING &&
           (!row->is_retry || last->attempts == sim->versions[row->version].attempts);
}

/* A trigger of the application may swallow it. */
static void write_outcome(struct row *row)
{
    const struct version *read = &sim->versions[row->version];
    bool is_swallowed = sim->now_us < TRAFFIC && happens(0.1);
    bool retries = sim->now_us < TRAFFIC && happens(0.4);
    int64_t delay_us = retries ? between(0, 200 * MS) : 0;

    row->is_retry = retries;
    row->tx = tx_begin();
    tx_number(row->tx);
    row->is_written = is_writable(row) && !is_swallowed;
    if (row->is_written)
        sim->versions[row->last].was_sent = true; /* what somebody made of it was sent with it */
    if (row->is_written)
        write_version(row->tx, (int)(row - sim->rows), clock_now() + delay_us,
                      retries ? PENDING : ENDED, read->attempts + 1);
}

/* It is not sent again, and its outcome is written again after a pause (worker/recording.c). */
static bool put_off_undone(struct row *row)
{
    /* What a running transaction makes of it is not seen. */
    bool is_locked = unlocked_version((int)(row - sim->rows)) < 0;

    if (row->is_written || sim->broken == NO_PUT_OFF ||
        settlement_of_missing(is_locked || is_writable(row)) != SETTLEMENT_UNDONE)
        return false;
    row->delivery = WRITING;
    row->next_us = sim->now_us + between(50 * MS, 300 * MS);
    return true;
}

static void row_step(struct row *row)
{
    switch (row->delivery) {
    case IN_FLIGHT:
        row->delivery = WRITING;
        row->next_us = sim->now_us + between(0, 3 * MS);
        return;
    case WRITING:
        row->next_us = sim->now_us + between(0, 3 * MS);
        if (unlocked_version((int)(row - sim->rows)) < 0)
            return;
        row->delivery = WRITTEN;
        write_outcome(row);
        return;
    case WRITTEN:
        tx_end(row->tx, true);
        if (put_off_undone(row))
            return;
        forget(row, false);
        if (!row->is_written && sim->broken != NO_SECOND_LOOK)
            look_again((int)(row - sim->rows));
        reap();
        return;
    case UNKNOWN:
    case WAITING:
    case FORGOTTEN:
        return;
    }
}

/* --- what happens to the worker --- */

static void lane_step(int lane)
{
    if (sim->now_us < sim->lane_us[lane])
        return;
    if (!finder_owns(&sim->finder, lane)) {
        finder_own(&sim->finder, lane);
        sim->lane_owned_us[lane] = sim->now_us;
        sim->lane_us[lane] = sim->now_us < TRAFFIC ? sim->now_us + between(0, 4000 * MS) : NEVER;
        return;
    }
    finder_disown(&sim->finder, lane);
    drop_lane(lane);
    sim->lane_us[lane] = sim->now_us + between(0, 300 * MS);
}

static void restart(void)
{
    sim->restart_us = sim->now_us < TRAFFIC ? sim->now_us + between(0, 8000 * MS) : NEVER;
    for (int lane = 0; lane < sim->lanes; lane++)
        drop_lane(lane);
    if (sim->is_reading && sim->read.kind == REFILL)
        for (int i = 0; i < sim->read.refills_count; i++)
            backlog_fail_refill(&sim->backlogs, &sim->endpoints[sim->read.refills[i]].backlog);
    sim->is_reading = false;
    finder_note_failure(&sim->finder, sim->now_us);
    finder_restart(&sim->finder);
    for (int i = 0; i < sim->versions_count; i++)
        sim->versions[i].missed_us = -1;
}

/* --- what must hold --- */

static bool is_covered(const struct version *version)
{
    const struct row *row = &sim->rows[version->row];
    const struct backlog *backlog = &sim->endpoints[row->endpoint].backlog;

    if (row->delivery == WAITING || row->delivery == IN_FLIGHT || row->delivery == WRITING ||
        row->delivery == WRITTEN)
        return true;
    return backlog->state != BACKLOG_NONE && is_behind(version, &backlog->cursor);
}

/* Time is not counted while there is no room; that there will be is the last check. */
static void check(void)
{
    sim->check_us = sim->now_us + CHECK;
    for (int i = 0; i < sim->live_count; i++) {
        struct version *version = &sim->versions[sim->live[i]];
        bool is_due = version->time <= clock_now() && is_visible(version) &&
                      finder_owns(&sim->finder, lane_of(version->row));

        if (!is_due || !has_room() || is_covered(version))
            version->missed_us = -1;
        else if (version->missed_us < 0)
            version->missed_us = sim->now_us;
        else if (sim->now_us - version->missed_us > modes[sim->mode].bound_us)
            go_wrong("not found in time", sim->live[i]);
    }
}

static void check_done(void)
{
    for (int i = 0; i < sim->versions_count; i++)
        if (sim->versions[i].status == PENDING && is_visible(&sim->versions[i]) &&
            sim->versions[i].time <= clock_now() - BOUND_SWEEP &&
            sim->txs[sim->versions[i].born].ended_us < sim->now_us - BOUND_SWEEP)
            go_wrong("left at the end", i);
}

/* --- the run --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_event_us(void)
{
    int64_t next = earlier(sim->check_us, sim->restart_us);

    next = earlier(next, sim->jump_us);
    next = earlier(next, worker_next_us());
    if (sim->is_reading)
        next = earlier(next, sim->read.is_executed ? sim->read.answer_us : sim->read.execute_us);
    for (int i = 0; i < ACTORS; i++)
        next = earlier(next, sim->actors[i].next_us);
    for (int i = 0; i < ENDPOINTS; i++)
        if (sim->endpoints[i].backlog.queued > 0)
            next = earlier(next, sim->endpoints[i].next_take_us);
    for (int i = 0; i < sim->lanes; i++)
        next = earlier(next, sim->lane_us[i]);
    for (int i = 0; i < sim->busy_count; i++)
        next = earlier(next, sim->rows[sim->busy[i]].next_us);
    return next > sim->now_us ? next : sim->now_us + 1;
}

static void step(void)
{
    sim->now_us = next_event_us();
    backlogs_set_time(&sim->backlogs, sim->now_us);
    if (sim->is_reading && !sim->read.is_executed && sim->now_us >= sim->read.execute_us)
        read_execute();
    for (int i = 0; i < ACTORS; i++)
        if (sim->now_us >= sim->actors[i].next_us)
            actor_step(&sim->actors[i]);
    if (sim->is_reading && sim->read.is_executed && sim->now_us >= sim->read.answer_us)
        read_answer();
    for (int i = 0; i < ENDPOINTS; i++)
        endpoint_step(&sim->endpoints[i]);
    for (int i = 0; i < sim->busy_count; i++) {
        struct row *row = &sim->rows[sim->busy[i]];

        if (sim->now_us >= row->next_us)
            row_step(row);
        if (row->delivery < IN_FLIGHT || row->delivery > WRITTEN)
            sim->busy[i--] = sim->busy[--sim->busy_count];
    }
    for (int i = 0; i < sim->lanes; i++)
        lane_step(i);
    if (sim->now_us >= sim->restart_us)
        restart();
    if (sim->now_us >= sim->jump_us) {
        sim->clock_us += between(-1500 * MS, 1500 * MS);
        sim->jump_us = sim->now_us < TRAFFIC ? sim->now_us + between(0, 5000 * MS) : NEVER;
    }
    worker_step();
    if (sim->now_us >= sim->check_us)
        check();
}

static void sim_init(uint64_t seed, enum mode mode, enum rule broken)
{
    memset(sim, 0, sizeof(*sim));
    sim->dice.state = seed;
    sim->seed = seed;
    sim->mode = mode;
    sim->broken = broken;
    sim->clock_us = 1000000 * MS;
    sim->next_number = UINT32_MAX - (uint64_t)between(0, 500);
    sim->latest_ended = sim->next_number - 1;
    sim->lanes = (int)between(1, 4);
    sim->is_quiet = happens(0.25);
    sim->restart_us = happens(0.3) ? between(0, 6000 * MS) : NEVER;
    sim->jump_us = mode >= SWEEPS_ALONE && happens(0.3) ? between(0, 5000 * MS) : NEVER;
    finder_init(&sim->finder, POLL);
    for (int i = 0; i < FINDER_SCANS; i++)
        if (modes[mode].scan != FINDER_NOTHING && (int)modes[mode].scan != FINDER_FIRST_SCAN + i)
            sim->finder.scans[i].next_us = NEVER;
    backlogs_init(&sim->backlogs);
    backlogs_set_rows_ahead(&sim->backlogs, AHEAD);
    for (int i = 0; i < ACTORS; i++)
        sim->actors[i].next_us = sim->is_quiet && i > 1 ? NEVER : between(0, 500 * MS);
    for (int i = 0; i < ENDPOINTS; i++) {
        sim->endpoints[i].interval_us = between(200, 8 * MS);
        snprintf(sim->endpoints[i].hash, sizeof(sim->endpoints[i].hash), "%d", 1000 + i);
    }
    for (int i = 0; i < sim->lanes; i++)
        sim->lane_us[i] = between(0, 400 * MS);
}

/* "" when all went well. */
static const char *simulate(uint64_t seed, enum mode mode, enum rule broken)
{
    sim_init(seed, mode, broken);
    while (sim->now_us < TRAFFIC + CALM && sim->failure[0] == '\0')
        step();
    if (sim->failure[0] == '\0')
        check_done();
    for (int i = 0; i < ENDPOINTS; i++)
        backlog_remove(&sim->backlogs, &sim->endpoints[i].backlog);
    backlogs_free(&sim->backlogs);
    return sim->failure;
}

static uint64_t seeds = 100, first_seed = 1;

static void run_mode(enum mode mode)
{
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++)
        if (simulate(seed, mode, NOTHING_BROKEN)[0] != '\0')
            fail_msg("%s", sim->failure);
}

static void test_rereads_alone(void **state)
{
    (void)state;
    run_mode(REREADS_ALONE);
}

static void test_rechecks_alone(void **state)
{
    (void)state;
    run_mode(RECHECKS_ALONE);
}

static void test_sweeps_alone(void **state)
{
    (void)state;
    run_mode(SWEEPS_ALONE);
}

static void test_all(void **state)
{
    (void)state;
    run_mode(ALL);
}

/* Each rule is there for a reason: without it some seed goes wrong. */
static void test_each_rule_is_missed(void **state)
{
    static const struct {
        enum rule rule;
        const char *name;
    } rules[] = {{NO_REREADS, "no rereads"},         {NO_SLACK, "no slack"},
                 {NO_NEXT_NUMBER, "no next number"}, {NO_RUNNING_LIST, "no running list"},
                 {NO_SET_BACK, "no set back"},       {NO_MEMORY, "no memory"},
                 {STALE_ANSWERS, "stale answers"},   {NO_SECOND_LOOK, "no second look"},
                 {EARLY_END, "backlogs end early"},  {NO_PUT_OFF, "none is put off"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        uint64_t seed = 1;

        while (seed < 1000 && simulate(seed, REREADS_ALONE, rules[i].rule)[0] == '\0')
            seed++;
        print_message("%s: %s\n", rules[i].name, sim->failure);
        check_case(sim->failure[0] != '\0', "%s", rules[i].name);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rereads_alone),       cmocka_unit_test(test_rechecks_alone),
        cmocka_unit_test(test_sweeps_alone),        cmocka_unit_test(test_all),
        cmocka_unit_test(test_each_rule_is_missed),
    };
    int failed;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--first") == 0)
            first_seed = strtoull(argv[i + 1], NULL, 10);
    }
    sim = calloc(1, sizeof(*sim));
    if (sim == NULL)
        return EXIT_FAILURE;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(sim);
    return failed;
}
