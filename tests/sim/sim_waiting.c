/* SPDX-License-Identifier: MIT */
/*
 * sim_waiting.c: endpoints whose rows are in the database, and may not be sent for a while, under a
 * virtual clock: core/scheduler.h and core/backlog.h together, as core/queue.h ties them.
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
#include "core/queue.h"
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
    struct queue queue;
    struct queue_row rows[AHEAD];
    int rows_used; /* a ring of them */
    enum kind kind;
    int requests;
    int64_t due_us; /* its next request; NEVER: not known */
    char customer_id[37];
    struct heap_node end; /* of the request that is out */
    struct scheduler_ticket ticket;
};

static struct sim {
    struct queues queues;
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

static void add_row(struct host *host)
{
    queue_push(&sim.queues, &host->queue, &host->rows[host->rows_used++ % AHEAD], sim.now_us);
}

static void take_row(struct host *host)
{
    queue_take(&sim.queues, &host->queue, queue_first(&host->queue), sim.now_us);
}

static void empty(struct host *host)
{
    struct position position;

    position_set(&position, "t", host->customer_id);
    queue_begin_empty(&host->queue);
    while (queue_first(&host->queue) != NULL)
        take_row(host);
    queue_end_empty(&sim.queues, &host->queue, host->customer_id, "1", 0, &position, sim.now_us);
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
    scheduler_origin_init(&sim.queues.scheduler, &host->own);
    queue_init(&sim.queues, &host->queue, host->origin);
    scheduler_entry_set_terms(&sim.queues.scheduler, &host->queue.entry, &terms, sim.now_us, 0);
    queue_set_ready(&sim.queues, &host->queue, true, sim.now_us);
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
    queues_init(&sim.queues);
    scheduler_set_limits(&sim.queues.scheduler, &limits);
    queues_set_rows_ahead(&sim.queues, AHEAD);
    heap_init(&sim.requests);
    for (int i = 0; i < HOSTS; i++)
        add_host(i);
}

static void end(void)
{
    for (int i = 0; i < HOSTS; i++) {
        struct host *host = &sim.hosts[i];

        while (queue_first(&host->queue) != NULL)
            take_row(host);
        if (heap_has(&host->end))
            scheduler_finish(&sim.queues.scheduler, &host->queue.entry, &host->ticket,
                             HEALTH_UNKNOWN, 0, sim.now_us, 0);
        queue_remove(&sim.queues, &host->queue, sim.now_us);
    }
    queues_free(&sim.queues);
    heap_free(&sim.requests);
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
    host->ticket = scheduler_start(&sim.queues.scheduler, &host->queue.entry, sim.now_us);
    if (host->kind == LIMITED)
        host->due_us = sim.now_us + 8 * SECOND;
    take_row(host);
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
    scheduler_finish(&sim.queues.scheduler, &host->queue.entry, &host->ticket, health, hold_us,
                     sim.now_us, dice_fraction(&sim.dice));
    if (is_held)
        host->due_us = sim.now_us + hold_us;
    else if (host->kind == DOWN)
        note_due(host, &host->queue.entry.breaker);
    else if (host->kind == CUT_OFF)
        note_due(CONTAINER_OF(host->origin, struct host, own), &host->origin->breaker);
}

/* The rule is broken where what the scheduler tells is thrown away. */
static void wake(void)
{
    if (sim.wakes)
        queues_wake(&sim.queues, sim.now_us);
    else
        while (scheduler_next_woken(&sim.queues.scheduler, sim.now_us) != NULL)
            ;
}

static void send_refill(void)
{
    struct queue *queue;
    int rows;

    while (sim.refills_count < REFILLS &&
           (queue = queues_next_refill(&sim.queues, 4, &rows, sim.now_us)) != NULL) {
        sim.refills[sim.refills_count] = CONTAINER_OF(queue, struct host, queue);
        sim.asked[sim.refills_count++] = rows;
    }
    if (sim.refills_count > 0)
        sim.answer_us = sim.now_us + READ_US;
}

static void answer_refill(void)
{
    for (int i = 0; i < sim.refills_count; i++) {
        struct host *host = sim.refills[i];

        for (int row = 0; row < sim.asked[i]; row++)
            add_row(host);
        queue_end_refill(&sim.queues, &host->queue, sim.asked[i], &host->queue.backlog.cursor,
                         sim.now_us);
    }
    queues_end_refills(&sim.queues, sim.now_us);
    sim.refills_count = 0;
    sim.answer_us = NEVER;
}

static void turn(void)
{
    struct scheduler_entry *entry;
    struct queue *stalled;
    struct heap_node *node;

    while ((node = heap_first(&sim.requests)) != NULL && node->at_us <= sim.now_us)
        finish(CONTAINER_OF(node, struct host, end));
    if (sim.answer_us <= sim.now_us)
        answer_refill();
    while ((entry = scheduler_next(&sim.queues.scheduler, sim.now_us)) != NULL)
        start(CONTAINER_OF(entry, struct host, queue.entry));
    wake();
    while ((stalled = queues_stalled(&sim.queues, true, sim.now_us)) != NULL)
        empty(CONTAINER_OF(stalled, struct host, queue));
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
    int64_t next = earlier(scheduler_next_us(&sim.queues.scheduler), sim.answer_us);

    next = earlier(next, queues_stall_us(&sim.queues, true));
    next = earlier(next, request != NULL ? request->at_us : NEVER);
    return sim.answer_us == NEVER ? earlier(next, queues_refill_us(&sim.queues)) : next;
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
