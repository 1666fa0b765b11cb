/*
 * sim_waiting.c: endpoints whose rows are in the database, and may not be sent for a while, under a
 * virtual clock: core/scheduler.h and core/backlog.h together, as worker/refilling.c ties them.
 *
 * Every host has rows without end, of which a few are read at a time, in a few milliseconds. It
 * asks to be left alone (Retry-After), has a rate limit, or is down, alone or with its origin; and
 * queues are emptied when nothing moves in them. Whatever a host waits for, its next request comes
 * at its time: not before, and not later than reads take (BOUND_US). The rule is also broken on
 * purpose (nobody is woken), and must be missed.
 */
#include "unit.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/backlog.h"
#include "core/scheduler.h"
#include "dice.h"

#define MS        INT64_C(1000)
#define SECOND    (1000 * MS)
#define RUN_US    (600 * SECOND)
#define HOSTS     60
#define AHEAD     64 /* rows: a few for each, so queues are emptied */
#define READ_US   (3 * MS)
#define ANSWER_US (100 * MS)
#define REFILLS   16
#define BOUND_US  (500 * MS)
#define NEVER     INT64_MAX

enum kind {
    HELD,    /* 503 with Retry-After, now and then */
    LIMITED, /* a request in eight seconds */
    DOWN,    /* nothing but 500s, with pauses of up to 20 s, for half of the time */
    CUT_OFF, /* the same for its origin, which it shares with the next two */
    KINDS
};

struct host {
    struct scheduler_origin own, *origin;
    struct scheduler_entry entry;
    struct backlog backlog;
    enum kind kind;
    int queued;
    int requests;
    int64_t due_us; /* its next request; NEVER: not known */
    char customer_id[37];
    struct heap_node end; /* of the request that is out */
    struct scheduler_ticket ticket;
};

static struct sim {
    struct scheduler scheduler;
    struct backlogs backlogs;
    struct heap requests;
    struct host hosts[HOSTS];
    struct dice dice;
    int64_t now_us, end_us, answer_us;
    struct host *refills[REFILLS];
    int asked[REFILLS], refills_count;
    bool wakes; /* the rule is kept */
    int64_t latest_us;
    int checked[KINDS];
} sim;

static void note_work(struct host *host)
{
    enum scheduler_work work =
        backlog_is_open(&host->backlog) ? SCHEDULER_WORK_AWAITED : SCHEDULER_NO_WORK;

    scheduler_set_work(&sim.scheduler, &host->entry, host->queued > 0 ? SCHEDULER_WORK_HERE : work,
                       sim.now_us);
}

static void on_restood(void *owner, struct scheduler_entry *entry)
{
    (void)owner;
    backlog_set_standing(&sim.backlogs, &CONTAINER_OF(entry, struct host, entry)->backlog,
                         scheduler_standing(entry));
}

static void take_row(struct host *host)
{
    host->queued--;
    backlog_note_taken(&sim.backlogs, &host->backlog);
}

static void empty(struct host *host)
{
    struct position position;

    position_set(&position, "t", host->customer_id);
    backlog_begin_empty(&host->backlog);
    while (host->queued > 0)
        take_row(host);
    backlog_end_empty(&sim.backlogs, &host->backlog, host->customer_id, "1", 0, &position);
    note_work(host);
}

static void add_host(int number)
{
    struct host *host = &sim.hosts[number];
    struct scheduler_terms terms = {.max_in_flight = 1};

    host->kind = (enum kind)(number / (HOSTS / KINDS));
    host->origin = host->kind == CUT_OFF ? &sim.hosts[number - number % 3].own : &host->own;
    terms.rate_per_s = host->kind == LIMITED ? 0.125 : 0;
    snprintf(host->customer_id, sizeof(host->customer_id), "00000000-0000-0000-0000-%012d", number);
    host->due_us = NEVER;
    scheduler_origin_init(&sim.scheduler, &host->own);
    scheduler_entry_init(&sim.scheduler, &host->entry, host->origin);
    scheduler_entry_set_terms(&sim.scheduler, &host->entry, &terms, sim.now_us, 0);
    empty(host);
}

static void begin(uint64_t seed, bool wakes)
{
    struct scheduler_limits limits = {
        .slots = 1024,
        .origin_max = 8,
        .breaker = {.failures = 3, .max_interval_us = 20 * SECOND},
    };

    memset(&sim, 0, sizeof(sim));
    sim.now_us = 1000 * SECOND;
    sim.end_us = sim.now_us + RUN_US;
    sim.answer_us = NEVER;
    sim.dice.state = seed;
    sim.wakes = wakes;
    scheduler_init(&sim.scheduler);
    scheduler_set_limits(&sim.scheduler, &limits);
    scheduler_on_restood(&sim.scheduler, on_restood, NULL);
    backlogs_init(&sim.backlogs);
    backlogs_set_time(&sim.backlogs, sim.now_us);
    backlogs_set_rows_ahead(&sim.backlogs, AHEAD);
    heap_init(&sim.requests);
    for (int i = 0; i < HOSTS; i++)
        add_host(i);
}

static void end(void)
{
    for (int i = 0; i < HOSTS; i++) {
        while (sim.hosts[i].queued > 0)
            take_row(&sim.hosts[i]);
        backlog_remove(&sim.backlogs, &sim.hosts[i].backlog);
    }
    backlogs_free(&sim.backlogs);
    heap_free(&sim.requests);
    scheduler_free(&sim.scheduler);
}

/* Between two requests of it there was one thing to wait for, and it was over at due_us. */
static void check_time(struct host *host)
{
    int64_t late_us = sim.now_us - host->due_us;

    if (host->due_us == NEVER)
        return;
    check_case(late_us >= 0, "host %d is sent to %lld us too early", (int)(host - sim.hosts),
               (long long)-late_us);
    if (late_us > sim.latest_us)
        sim.latest_us = late_us;
    sim.checked[host->kind]++;
    host->due_us = NEVER;
}

/* One request to an origin that is cut off is its probe, whoever makes it. */
static void start(struct host *host)
{
    check_time(host->kind == CUT_OFF ? CONTAINER_OF(host->origin, struct host, own) : host);
    host->requests++;
    host->ticket = scheduler_start(&sim.scheduler, &host->entry, sim.now_us);
    if (host->kind == LIMITED)
        host->due_us = sim.now_us + 8 * SECOND;
    take_row(host);
    note_work(host);
    heap_insert(&sim.requests, &host->end, sim.now_us + ANSWER_US);
}

static bool is_first_half(void)
{
    return sim.now_us < sim.end_us - RUN_US / 2;
}

static void note_due(struct host *host, const struct breaker *breaker)
{
    if (breaker->state == BREAKER_OPEN)
        host->due_us = breaker->next_probe_us;
}

static void finish(struct host *host)
{
    static const int64_t holds_us[] = {2 * SECOND, 7 * SECOND, 14 * SECOND, 26 * SECOND};
    bool is_held = host->kind == HELD && host->requests % 8 == 0;
    int64_t hold_us = is_held ? holds_us[dice_next(&sim.dice) % ARRAY_LENGTH(holds_us)] : 0;
    enum health health = is_held ? HEALTH_BUSY : HEALTH_GOOD;

    if (is_first_half() && host->kind == DOWN)
        health = HEALTH_DOWN;
    if (is_first_half() && host->kind == CUT_OFF)
        health = HEALTH_UNREACHABLE;
    heap_remove(&sim.requests, &host->end);
    scheduler_finish(&sim.scheduler, &host->entry, &host->ticket, health, hold_us, sim.now_us,
                     dice_fraction(&sim.dice));
    if (is_held)
        host->due_us = sim.now_us + hold_us;
    else if (host->kind == DOWN)
        note_due(host, &host->entry.breaker);
    else if (host->kind == CUT_OFF)
        note_due(CONTAINER_OF(host->origin, struct host, own), &host->origin->breaker);
}

static void wake(void)
{
    struct scheduler_entry *entry;

    while ((entry = scheduler_next_woken(&sim.scheduler, sim.now_us)) != NULL)
        if (sim.wakes)
            backlog_wake(&sim.backlogs, &CONTAINER_OF(entry, struct host, entry)->backlog);
}

static void plan_refill(struct host *host)
{
    int wanted = scheduler_rows_wanted(&host->entry, sim.now_us);
    int rows;

    if (wanted == 0)
        scheduler_await(&sim.scheduler, &host->entry, sim.now_us);
    rows = backlog_begin_refill(&sim.backlogs, &host->backlog, wanted, 4);
    if (rows == 0)
        return;
    sim.refills[sim.refills_count] = host;
    sim.asked[sim.refills_count++] = rows;
}

static void send_refill(void)
{
    struct backlog *backlog;

    while (sim.refills_count < REFILLS && (backlog = backlogs_next_hungry(&sim.backlogs)) != NULL)
        plan_refill(CONTAINER_OF(backlog, struct host, backlog));
    if (sim.refills_count > 0)
        sim.answer_us = sim.now_us + READ_US;
}

static void answer_refill(void)
{
    for (int i = 0; i < sim.refills_count; i++) {
        struct host *host = sim.refills[i];

        for (int row = 0; row < sim.asked[i]; row++, host->queued++)
            backlog_note_queued(&sim.backlogs, &host->backlog);
        backlog_end_refill(&sim.backlogs, &host->backlog, sim.asked[i], &host->backlog.cursor);
        note_work(host);
    }
    backlogs_end_refills(&sim.backlogs);
    sim.refills_count = 0;
    sim.answer_us = NEVER;
}

static void turn(void)
{
    struct scheduler_entry *entry;
    struct backlog *stalled;
    struct heap_node *node;

    backlogs_set_time(&sim.backlogs, sim.now_us);
    while ((node = heap_first(&sim.requests)) != NULL && node->at_us <= sim.now_us)
        finish(CONTAINER_OF(node, struct host, end));
    if (sim.answer_us <= sim.now_us)
        answer_refill();
    while ((entry = scheduler_next(&sim.scheduler, sim.now_us)) != NULL)
        start(CONTAINER_OF(entry, struct host, entry));
    wake();
    while ((stalled = backlogs_stalled(&sim.backlogs, true)) != NULL)
        empty(CONTAINER_OF(stalled, struct host, backlog));
    if (sim.answer_us == NEVER)
        send_refill();
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_us(void)
{
    const struct heap_node *request = heap_first(&sim.requests);
    int64_t next = earlier(scheduler_next_us(&sim.scheduler), sim.answer_us);

    next = earlier(next, backlogs_stall_us(&sim.backlogs, true));
    next = earlier(next, request != NULL ? request->at_us : NEVER);
    return sim.answer_us == NEVER ? earlier(next, backlogs_next_us(&sim.backlogs)) : next;
}

/* What has not come by the end counts as late, too. */
static void run(uint64_t seed, bool wakes)
{
    begin(seed, wakes);
    for (turn(); next_us() < sim.end_us; turn()) {
        check_case(next_us() >= sim.now_us, "time goes backwards");
        sim.now_us = next_us() > sim.now_us ? next_us() : sim.now_us + 1;
    }
    sim.now_us = sim.end_us;
    for (int i = 0; i < HOSTS; i++)
        if (sim.hosts[i].due_us < sim.end_us)
            check_time(&sim.hosts[i]);
    end();
}

/* Hosts that work again have had requests all of the second half, whoever's probe it was. */
static void check_all_go_on(void)
{
    for (int i = 0; i < HOSTS; i++)
        check_case(sim.hosts[i].requests > (sim.hosts[i].kind < DOWN ? 50 : 1000),
                   "host %d got %d requests", i, sim.hosts[i].requests);
}

static void test_whoever_waits_is_sent_to_at_its_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(seed, true);
        print_message("seed %llu: the latest came %lld us late; %d after a hold, %d by their rate, "
                      "%d probes, %d of origins\n",
                      (unsigned long long)seed, (long long)sim.latest_us, sim.checked[HELD],
                      sim.checked[LIMITED], sim.checked[DOWN], sim.checked[CUT_OFF]);
        check_case(sim.latest_us <= BOUND_US, "seed %llu", (unsigned long long)seed);
        check_all_go_on();
        for (int kind = 0; kind < KINDS; kind++)
            check_case(sim.checked[kind] > 30, "kind %d, seed %llu", kind,
                       (unsigned long long)seed);
    }
}

static void test_it_is_missed_that_nobody_is_woken(void **state)
{
    (void)state;
    run(1, false);
    assert_true(sim.latest_us > 10 * BOUND_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whoever_waits_is_sent_to_at_its_time),
        cmocka_unit_test(test_it_is_missed_that_nobody_is_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
