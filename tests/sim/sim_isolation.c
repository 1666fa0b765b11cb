/* SPDX-License-Identifier: MIT */
/*
 * sim_isolation.c: core/scheduler.h under a virtual clock, with thousands of endpoints.
 *
 *   sim_isolation [SECONDS [SEED]]    virtual seconds of each run; 15 and 1 by default
 *
 * A host is an endpoint with a behaviour and an origin of its own: it answers after a while, is
 * dead, hangs, flaps, is limited. Rows arrive at random, or are there without end. The live hosts
 * draw from dice of their own, so their rows are the same with and without the troubled ones, and
 * what these cost them is a difference of two runs, exact to the microsecond. Prints what it has
 * measured; asserts what must not be otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "core/scheduler.h"
#include "dice.h"

#define SECOND     INT64_C(1000000)
#define SLOTS      1024
#define TIMEOUT_US (10 * SECOND)
#define CONNECT_US (5 * SECOND)
#define ENDLESS    INT64_MAX
#define DELAYS_MAX 2000000

static int64_t run_us = 15 * SECOND;
static uint64_t run_seed = 1;

enum behaviour {
    LIVE,     /* answers after latency_us on average */
    DEAD,     /* no connection before the timeout */
    HANGING,  /* answers until trouble_us, then no more */
    FLAPPING, /* two seconds of answers, two of errors */
    LIMITED,  /* answers, with a limit of rate_per_s */
    ERRORS,   /* nothing but 500s */
    OUTAGE,   /* errors until trouble_us, then answers */
};

struct sim;

struct request {
    struct heap_node timer; /* its end */
    struct host *host;
    struct scheduler_ticket ticket;
    enum health health;
};

struct host {
    struct scheduler_origin origin;
    struct scheduler_entry entry;
    struct heap_node arrival;
    enum behaviour behaviour;
    struct dice dice;
    int64_t latency_us;
    double arrivals_per_s; /* 0: all its rows are there from the start */
    int64_t rows;          /* waiting */
    int64_t *arrived_us;   /* of those that wait, a ring of ARRIVALS */
    uint64_t first, last;
    int64_t done;
    int most; /* in flight at one time */
    int64_t ramp_checked;
};

#define ARRIVALS 4096

struct sim {
    struct scheduler scheduler;
    struct heap requests;
    struct heap arrivals;
    struct host *hosts;
    int count;
    int64_t now_us;
    int64_t trouble_us;
    struct dice dice; /* of the scheduler */
    int64_t *delays_us;
    size_t delays_count;
    int most[STANDINGS]; /* slots at one time */
    uint64_t starts, decisions;
};

static struct sim *sim_new(int hosts, int slots)
{
    struct sim *sim = memory_new(1, sizeof(*sim));
    struct scheduler_limits limits = {
        .slots = slots,
        .origin_max = 128,
        .breaker = {.failures = 10, .max_interval_us = 300 * SECOND},
    };

    scheduler_init(&sim->scheduler);
    scheduler_set_limits(&sim->scheduler, &limits);
    heap_init(&sim->requests);
    heap_init(&sim->arrivals);
    sim->hosts = memory_new((size_t)hosts, sizeof(*sim->hosts));
    sim->delays_us = memory_new(DELAYS_MAX, sizeof(*sim->delays_us));
    sim->now_us = 1000 * SECOND;
    sim->trouble_us = sim->now_us + run_us / 3;
    sim->dice.state = run_seed * 977;
    return sim;
}

static void plan_arrival(struct sim *sim, struct host *host)
{
    double pause_s = dice_exponential(&host->dice, 1 / host->arrivals_per_s);

    heap_insert(&sim->arrivals, &host->arrival, sim->now_us + (int64_t)(pause_s * 1e6) + 1);
}

/* rows: ENDLESS, a number, or 0 with arrivals_per_s. */
static struct host *sim_add(struct sim *sim, enum behaviour behaviour, int64_t latency_us,
                            double arrivals_per_s, int64_t rows)
{
    struct host *host = &sim->hosts[sim->count++];
    struct scheduler_terms terms = {.max_in_flight = 32,
                                    .rate_per_s = behaviour == LIMITED ? 20 : 0};

    host->behaviour = behaviour;
    host->latency_us = latency_us;
    host->arrivals_per_s = arrivals_per_s;
    host->rows = rows;
    host->dice.state = run_seed * 1000003 + (uint64_t)(sim->count * 7919);
    scheduler_origin_init(&sim->scheduler, &host->origin);
    scheduler_entry_init(&sim->scheduler, &host->entry, &host->origin);
    scheduler_entry_set_terms(&sim->scheduler, &host->entry, &terms, sim->now_us, 0);
    if (arrivals_per_s > 0) {
        host->arrived_us = memory_new(ARRIVALS, sizeof(*host->arrived_us));
        plan_arrival(sim, host);
    }
    scheduler_set_work(&sim->scheduler, &host->entry,
                       rows > 0 ? SCHEDULER_WORK_HERE : SCHEDULER_NO_WORK, sim->now_us);
    return host;
}

static void sim_free(struct sim *sim)
{
    struct heap_node *node;

    while ((node = heap_first(&sim->requests)) != NULL) {
        heap_remove(&sim->requests, node);
        free(CONTAINER_OF(node, struct request, timer));
    }
    for (int i = 0; i < sim->count; i++)
        free(sim->hosts[i].arrived_us);
    heap_free(&sim->requests);
    heap_free(&sim->arrivals);
    scheduler_free(&sim->scheduler);
    free(sim->hosts);
    free(sim->delays_us);
    free(sim);
}

/* How a request that begins now will end, and when. */
static enum health outcome(const struct sim *sim, struct host *host, int64_t *ret_us)
{
    bool is_late = sim->now_us >= sim->trouble_us;

    *ret_us = 200 + (int64_t)dice_exponential(&host->dice, (double)host->latency_us);
    switch (host->behaviour) {
    case LIVE:
    case LIMITED:
        break;
    case DEAD:
        *ret_us = CONNECT_US;
        return HEALTH_UNREACHABLE;
    case HANGING:
        if (!is_late)
            break;
        *ret_us = TIMEOUT_US;
        return HEALTH_DOWN;
    case FLAPPING:
        return sim->now_us / (2 * SECOND) % 2 == 0 ? HEALTH_GOOD : HEALTH_DOWN;
    case ERRORS:
        return HEALTH_DOWN;
    case OUTAGE:
        return is_late ? HEALTH_GOOD : HEALTH_DOWN;
    }
    return HEALTH_GOOD;
}

static void note_start(struct sim *sim, struct host *host)
{
    sim->starts++;
    if (host->entry.in_flight > host->most)
        host->most = host->entry.in_flight;
    for (int i = 0; i < STANDINGS; i++)
        if (sim->scheduler.standing_in_flight[i] > sim->most[i])
            sim->most[i] = sim->scheduler.standing_in_flight[i];
    if (host->arrived_us == NULL)
        return;
    if (host->behaviour == LIVE && sim->delays_count < DELAYS_MAX)
        sim->delays_us[sim->delays_count++] =
            sim->now_us - host->arrived_us[host->first % ARRIVALS];
    host->first++;
}

static void start(struct sim *sim, struct host *host)
{
    struct request *request = memory_new(1, sizeof(*request));
    int64_t duration_us;

    request->host = host;
    request->health = outcome(sim, host, &duration_us);
    request->ticket = scheduler_start(&sim->scheduler, &host->entry, sim->now_us);
    heap_insert(&sim->requests, &request->timer, sim->now_us + duration_us);
    note_start(sim, host);
    if (host->rows != ENDLESS && --host->rows == 0)
        scheduler_set_work(&sim->scheduler, &host->entry, SCHEDULER_NO_WORK, sim->now_us);
}

static void finish(struct sim *sim, struct request *request)
{
    struct host *host = request->host;

    heap_remove(&sim->requests, &request->timer);
    host->done += request->health == HEALTH_GOOD;
    scheduler_finish(&sim->scheduler, &host->entry, &request->ticket, request->health, 0,
                     sim->now_us, dice_fraction(&sim->dice));
    free(request);
}

static void arrive(struct sim *sim, struct host *host)
{
    heap_remove(&sim->arrivals, &host->arrival);
    plan_arrival(sim, host);
    if (host->last - host->first >= ARRIVALS)
        return; /* a dead one's: they are in the database */
    host->arrived_us[host->last++ % ARRIVALS] = sim->now_us;
    if (host->rows++ == 0)
        scheduler_set_work(&sim->scheduler, &host->entry, SCHEDULER_WORK_HERE, sim->now_us);
}

static int64_t next_us(const struct sim *sim)
{
    const struct heap_node *request = heap_first(&sim->requests);
    const struct heap_node *arrival = heap_first(&sim->arrivals);
    int64_t next_us = scheduler_next_us(&sim->scheduler);

    if (request != NULL && request->at_us < next_us)
        next_us = request->at_us;
    if (arrival != NULL && arrival->at_us < next_us)
        next_us = arrival->at_us;
    return next_us;
}

static void sim_run(struct sim *sim, int64_t duration_us)
{
    int64_t until_us = sim->now_us + duration_us;

    for (;;) {
        struct scheduler_entry *entry;
        struct heap_node *node;

        while ((node = heap_first(&sim->requests)) != NULL && node->at_us <= sim->now_us)
            finish(sim, CONTAINER_OF(node, struct request, timer));
        while ((node = heap_first(&sim->arrivals)) != NULL && node->at_us <= sim->now_us)
            arrive(sim, CONTAINER_OF(node, struct host, arrival));
        while ((entry = scheduler_next(&sim->scheduler, sim->now_us)) != NULL)
            start(sim, CONTAINER_OF(entry, struct host, entry));
        sim->decisions++;
        assert_true(sim->scheduler.in_flight <= sim->scheduler.limits.slots);
        if (next_us(sim) >= until_us)
            break;
        assert_true(next_us(sim) > sim->now_us);
        sim->now_us = next_us(sim);
    }
    sim->now_us = until_us;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Of the live hosts' rows, from their arrival to their request. */
static int64_t delay_us(struct sim *sim, double part)
{
    qsort(sim->delays_us, sim->delays_count, sizeof(*sim->delays_us), compare);
    return sim->delays_us[(size_t)((double)(sim->delays_count - 1) * part)];
}

/* Jain's index of what the hosts from … until have got done: 1 = all the same. */
static double fairness(const struct sim *sim, int from, int until)
{
    double sum = 0, squares = 0;

    for (int i = from; i < until; i++) {
        sum += (double)sim->hosts[i].done;
        squares += (double)sim->hosts[i].done * (double)sim->hosts[i].done;
    }
    return sum * sum / ((until - from) * squares);
}

static void test_equals_with_endless_work_get_the_same(void **state)
{
    struct sim *sim = sim_new(500, 64);
    double index;

    (void)state;
    for (int i = 0; i < 500; i++)
        sim_add(sim, LIVE, 5000, 0, ENDLESS);
    sim_run(sim, run_us / 3);
    index = fairness(sim, 0, 500);
    print_message("500 equal endpoints, 64 slots: Jain %.4f, %llu requests\n", index,
                  (unsigned long long)sim->starts);
    assert_true(index > 0.99);
    sim_free(sim);
}

/* Slow ones hold a slot for longer; they get as many turns while they are ready, and no more. */
static void test_a_million_rows_get_one_turn_like_others(void **state)
{
    struct sim *sim = sim_new(101, 64);
    int64_t others = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        sim_add(sim, LIVE, 5000, 0, ENDLESS);
    sim_add(sim, LIVE, 5000, 0, 1000000);
    sim_run(sim, run_us / 3);
    for (int i = 0; i < 100; i++)
        others += sim->hosts[i].done;
    print_message("one with a million rows beside 100: %lld requests, the others %lld each\n",
                  (long long)sim->hosts[100].done, (long long)others / 100);
    assert_true(sim->hosts[100].done < others / 100 * 11 / 10);
    sim_free(sim);
}

/* Live hosts with work at random, after two seconds of getting to know them. */
static struct sim *live_hosts(int hosts, int troubled, int slots)
{
    struct sim *sim = sim_new(hosts + troubled, slots);

    for (int i = 0; i < hosts; i++)
        sim_add(sim, LIVE, 5000, 20, 0);
    sim_run(sim, 2 * SECOND);
    sim->delays_count = 0;
    return sim;
}

struct cost {
    int64_t p50_us, p99_us, longest_us;
    size_t rows;
};

static struct cost cost_of(struct sim *sim, const char *what)
{
    struct cost cost = {delay_us(sim, 0.5), delay_us(sim, 0.99), delay_us(sim, 1),
                        sim->delays_count};

    print_message("%s: delay p50 %lld us, p99 %lld us, longest %lld us, %zu rows; slots proven "
                  "%d, unknown %d, faltering %d, dead %d\n",
                  what, (long long)cost.p50_us, (long long)cost.p99_us, (long long)cost.longest_us,
                  cost.rows, sim->most[0], sim->most[1], sim->most[2], sim->most[3]);
    return cost;
}

static void add_troubled(struct sim *sim, enum behaviour behaviour, int count)
{
    for (int i = 0; i < count; i++)
        sim_add(sim, behaviour, 5000, 0, ENDLESS);
}

/* What each kind of trouble costs a hundred live hosts. Nothing: they always find a free slot. */
static void test_trouble_costs_the_others_nothing(void **state)
{
    static const struct {
        const char *name;
        enum behaviour behaviour;
        int count;
    } cases[] = {
        {"10,000 dead", DEAD, 10000},      {"10 that begin to hang", HANGING, 10},
        {"20 flapping", FLAPPING, 20},     {"300 limited", LIMITED, 300},
        {"2,000 with 500s", ERRORS, 2000},
    };
    struct sim *sim = live_hosts(100, 0, SLOTS);
    struct cost without, with;

    (void)state;
    sim_run(sim, run_us);
    without = cost_of(sim, "100 live alone");
    sim_free(sim);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sim = live_hosts(100, cases[i].count, SLOTS);
        add_troubled(sim, cases[i].behaviour, cases[i].count);
        sim_run(sim, run_us);
        with = cost_of(sim, cases[i].name);
        assert_int_equal(with.rows, without.rows);
        assert_int_equal(with.p50_us, without.p50_us);
        assert_int_equal(with.p99_us, without.p99_us);
        assert_int_equal(with.longest_us, without.longest_us);
        assert_true(sim->most[STANDING_UNKNOWN] <= SLOTS / 2);
        assert_true(sim->most[STANDING_DEAD] <= SLOTS / 8);
        assert_true(sim->most[STANDING_FALTERING] <= SLOTS / 8);
        sim_free(sim);
    }
}

/*
 * More hosts begin to hang at once than there are slots for their windows. What is left for the
 * others is the reserve, of which each may have one: enough for them, at a delay of their own
 * answers' length.
 */
static void test_many_that_hang_leave_the_reserve(void **state)
{
    struct sim *sim = live_hosts(100, 200, SLOTS);
    struct cost cost;

    (void)state;
    add_troubled(sim, HANGING, 200);
    sim_run(sim, run_us);
    cost = cost_of(sim, "200 that begin to hang with 6,400 requests");
    assert_true(cost.p50_us < 1000);
    assert_true(cost.p99_us < 100000);
    sim_free(sim);
}

/* The outage ends: one at a time, then more; all of it within a few seconds. */
static void test_recovery_is_a_ramp(void **state)
{
    struct sim *sim = sim_new(1, SLOTS);
    struct host *host = sim_add(sim, OUTAGE, 5000, 0, ENDLESS);
    uint64_t burned;
    int64_t began_us;

    (void)state;
    sim_run(sim, run_us / 3);
    burned = sim->starts;
    host->most = 0;
    while (host->done == 0)
        sim_run(sim, 1000);
    began_us = sim->now_us;
    assert_in_range(host->most, 1, 2);
    for (int64_t size = 1; host->most < 32; size++)
        while (host->most < size + 1 && sim->now_us < began_us + 60 * SECOND) {
            /* 1 + 2 + … answers come before size requests are in flight. */
            assert_true(host->done + 1 >= size * (size - 1) / 2);
            sim_run(sim, 100);
        }
    print_message(
        "an outage of %lld s: %llu requests; after it, from 1 to 32 in flight within %lld "
        "ms\n",
        (long long)(run_us / 3 / SECOND), (unsigned long long)burned,
        (long long)(sim->now_us - began_us) / 1000);
    assert_true(burned <= 10 + WINDOW_START + 10);
    assert_true(sim->now_us - began_us < 10 * SECOND);
    sim_free(sim);
}

/* Exact: 20 a second each, from the first second to the last. */
static void test_rates_are_kept(void **state)
{
    struct sim *sim = sim_new(50, SLOTS);
    int64_t low = INT64_MAX, high = 0;

    (void)state;
    add_troubled(sim, LIMITED, 50);
    sim_run(sim, run_us);
    for (int i = 0; i < 50; i++) {
        low = sim->hosts[i].done < low ? sim->hosts[i].done : low;
        high = sim->hosts[i].done > high ? sim->hosts[i].done : high;
    }
    print_message("50 limited to 20/s: %lld to %lld answers each in %lld s\n", (long long)low,
                  (long long)high, (long long)(run_us / SECOND));
    assert_true(high <= run_us / SECOND * 20 && low >= run_us / SECOND * 20 - 10);
    sim_free(sim);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_with_endless_work_get_the_same),
        cmocka_unit_test(test_a_million_rows_get_one_turn_like_others),
        cmocka_unit_test(test_trouble_costs_the_others_nothing),
        cmocka_unit_test(test_many_that_hang_leave_the_reserve),
        cmocka_unit_test(test_recovery_is_a_ramp),
        cmocka_unit_test(test_rates_are_kept),
    };

    if (argc > 1)
        run_us = strtoll(argv[1], NULL, 10) * SECOND;
    if (argc > 2)
        run_seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
