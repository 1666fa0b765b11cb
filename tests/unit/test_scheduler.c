/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "unit.h"

#include "core/scheduler.h"

#define SECOND  INT64_C(1000000)
#define ENTRIES 300

/* Endpoints of a few origins, all of them with work, and the requests that are out. */
struct bench {
    struct scheduler scheduler;
    struct scheduler_origin origins[ENTRIES];
    struct scheduler_entry entries[ENTRIES];
    struct scheduler_ticket tickets[ENTRIES][64];
    bool is_blocked[ENTRIES]; /* nobody asks for its rows until it is woken */
    int64_t now_us;
};

static struct scheduler_terms usual = {.max_in_flight = 32};

#define FULL_REACH 64

/* entries_count endpoints, so many of them on each origin; none has to show its need first. */
static void bench_init(struct bench *bench, int slots, int entries_count, int on_each)
{
    struct scheduler_limits limits = {
        .slots = slots,
        .origin_max = 8,
        .breaker = {.failures = 10, .max_interval_us = 60 * SECOND},
    };

    scheduler_free(&bench->scheduler);
    memset(bench, 0, sizeof(*bench));
    bench->now_us = 1000 * SECOND;
    scheduler_init(&bench->scheduler);
    scheduler_set_limits(&bench->scheduler, &limits);
    for (int i = 0; i < entries_count; i++) {
        struct scheduler_origin *origin = &bench->origins[i / on_each];

        if (i % on_each == 0)
            scheduler_origin_init(&bench->scheduler, origin);
        scheduler_entry_init(&bench->scheduler, &bench->entries[i], origin);
        scheduler_entry_set_terms(&bench->scheduler, &bench->entries[i], &usual, bench->now_us, 0);
        bench->entries[i].reach.size = FULL_REACH;
        scheduler_set_work(&bench->scheduler, &bench->entries[i], SCHEDULER_WORK_HERE,
                           bench->now_us);
    }
}

/* Starts the next request; the number of its endpoint, -1 when nobody may send. */
static int start(struct bench *bench)
{
    struct scheduler_entry *entry = scheduler_next(&bench->scheduler, bench->now_us);
    int number;

    if (entry == NULL)
        return -1;
    if (entry->is_unsendable) {
        scheduler_pass(&bench->scheduler, entry, bench->now_us);
        scheduler_set_work(&bench->scheduler, entry, SCHEDULER_NO_WORK, bench->now_us);
        return start(bench);
    }
    number = (int)(entry - bench->entries);
    bench->tickets[number][entry->in_flight] =
        scheduler_start(&bench->scheduler, entry, bench->now_us);
    return number;
}

static int start_all(struct bench *bench)
{
    int count = 0;

    while (start(bench) >= 0)
        count++;
    return count;
}

static struct scheduler_change finish_held(struct bench *bench, int number, enum health health,
                                           int64_t hold_us)
{
    struct scheduler_entry *entry = &bench->entries[number];

    assert_true(entry->in_flight > 0);
    return scheduler_finish(&bench->scheduler, entry, &bench->tickets[number][entry->in_flight - 1],
                            health, hold_us, bench->now_us, 0);
}

static struct scheduler_change finish(struct bench *bench, int number, enum health health)
{
    return finish_held(bench, number, health, 0);
}

/* Every endpoint answers a few times, so that all are proven with their windows open. */
static void prove(struct bench *bench, int from, int until, int times)
{
    for (int n = 0; n < times; n++) {
        start_all(bench);
        for (int i = from; i < until; i++)
            while (bench->entries[i].in_flight > 0)
                finish(bench, i, HEALTH_GOOD);
    }
}

static void stop_work(struct bench *bench, int from, int until)
{
    for (int i = from; i < until; i++)
        scheduler_set_work(&bench->scheduler, &bench->entries[i], SCHEDULER_NO_WORK, bench->now_us);
}

static void break_down(struct bench *bench, int number, enum health health, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(start(bench), number);
        finish(bench, number, health);
    }
}

static void test_turns_go_round(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 5, 1);
    for (int round = 0; round < WINDOW_START; round++)
        for (int i = 0; i < 5; i++)
            assert_int_equal(start(&bench), i);
    assert_int_equal(start(&bench), -1);
    finish(&bench, 3, HEALTH_GOOD);
    assert_int_equal(start(&bench), 3);
}

static void test_no_work_no_turn(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 3, 1);
    stop_work(&bench, 1, 2);
    assert_int_equal(start(&bench), 0);
    assert_int_equal(start(&bench), 2);
    assert_int_equal(start(&bench), 0);
    stop_work(&bench, 0, 3);
    assert_int_equal(start(&bench), -1);
    assert_true(scheduler_next_us(&bench.scheduler) == INT64_MAX);
}

static void test_window_of_an_endpoint_opens(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    assert_int_equal(start_all(&bench), WINDOW_START);
    for (int i = 0; i < WINDOW_START; i++)
        finish(&bench, 0, HEALTH_GOOD);
    assert_int_equal(start_all(&bench), 2 * WINDOW_START);
}

/* A second request beside the first only when that has not answered for a while. */
static void test_one_at_a_time_until_more_are_needed(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 2, 1);
    prove(&bench, 0, 2, 1);
    for (int i = 0; i < 2; i++)
        reach_init(&bench.entries[i].reach);
    assert_int_equal(start_all(&bench), 2);
    assert_int_equal(scheduler_next_us(&bench.scheduler), bench.now_us + REACH_PATIENCE_MIN_US);
    finish(&bench, 1, HEALTH_GOOD);
    assert_int_equal(start(&bench), 1);
    stop_work(&bench, 1, 2);
    bench.now_us += REACH_PATIENCE_MIN_US - 1;
    assert_int_equal(start(&bench), -1);
    bench.now_us += 1;
    assert_int_equal(start(&bench), 0);
    assert_int_equal(start(&bench), -1);
}

/* Those that have never answered have one slot each to hang in, once they have half of theirs. */
static void test_few_slots_until_the_first_answer(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 64, 24, 1);
    for (int i = 0; i < 24; i++)
        reach_init(&bench.entries[i].reach);
    stop_work(&bench, 8, 24);
    assert_int_equal(start_all(&bench), 8);
    bench.now_us += REACH_PATIENCE_MAX_US;
    assert_int_equal(start_all(&bench), 8); /* 16 of their 32 */
    bench.now_us += REACH_PATIENCE_MAX_US;
    assert_int_equal(start_all(&bench), 0);
    for (int i = 8; i < 24; i++)
        scheduler_set_work(&bench.scheduler, &bench.entries[i], SCHEDULER_WORK_HERE, bench.now_us);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(start_all(&bench), i == 0 ? 16 : 0);
        bench.now_us += SECOND;
    }
    finish(&bench, 23, HEALTH_GOOD);
    assert_true(start_all(&bench) > 1);
}

static void test_slow_answers_are_waited_for(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    reach_init(&bench.entries[0].reach);
    assert_int_equal(start_all(&bench), 1);
    bench.now_us += SECOND / 10;
    finish(&bench, 0, HEALTH_GOOD);
    stop_work(&bench, 0, 1);
    scheduler_set_work(&bench.scheduler, &bench.entries[0], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start_all(&bench), 1);
    assert_int_equal(scheduler_next_us(&bench.scheduler), bench.now_us + SECOND / 5);
}

/* While others need the slots that are left, nobody gets used to more. */
static void test_no_reach_into_the_reserve(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 64, 64, 1);
    prove(&bench, 0, 64, 3);
    for (int i = 0; i < 64; i++)
        reach_init(&bench.entries[i].reach);
    assert_int_equal(start_all(&bench), 64);
    finish(&bench, 63, HEALTH_GOOD);
    stop_work(&bench, 1, 64);
    for (int i = 0; i < 10; i++) {
        bench.now_us += REACH_PATIENCE_MIN_US;
        assert_int_equal(start_all(&bench), 0);
    }
    assert_int_equal(bench.entries[0].reach.size, 1);
    finish(&bench, 62, HEALTH_GOOD);
    finish(&bench, 61, HEALTH_GOOD);
    bench.now_us += REACH_PATIENCE_MIN_US;
    assert_int_equal(start_all(&bench), 1);
}

/* An override is obeyed at once, in both directions. */
static void test_override_of_the_window(void **state)
{
    static struct bench bench;
    struct scheduler_terms terms = {.max_in_flight = 1};

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    assert_int_equal(start_all(&bench), 1);
    for (int i = 0; i < 20; i++) {
        finish(&bench, 0, HEALTH_GOOD);
        assert_int_equal(start_all(&bench), 1);
    }
    terms.max_in_flight = 3;
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    for (int i = 0; i < 5; i++) {
        finish(&bench, 0, HEALTH_GOOD);
        start_all(&bench);
        assert_true(bench.entries[0].in_flight <= 3);
    }
    assert_int_equal(bench.entries[0].in_flight, 3);
}

static void test_origin_is_capped_and_its_endpoints_take_turns(void **state)
{
    static struct bench bench;
    int turns[20] = {0};
    int order[200];

    (void)state;
    bench_init(&bench, 1000, 20, 20);
    prove(&bench, 0, 20, 5);
    for (int i = 0; i < 8; i++)
        turns[order[i] = start(&bench)]++;
    assert_int_equal(start(&bench), -1);
    for (int n = 8; n < 200; n++) {
        finish(&bench, order[n - 8], HEALTH_GOOD);
        turns[order[n] = start(&bench)]++;
        assert_int_equal(bench.origins[0].in_flight, 8);
        assert_int_equal(start(&bench), -1);
    }
    for (int i = 0; i < 20; i++)
        check_case(turns[i] >= 9 && turns[i] <= 11, "endpoint %d: %d turns", i, turns[i]);
}

static void test_full_origin_does_not_stop_others(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 40, 20);
    prove(&bench, 0, 40, 5);
    assert_int_equal(start_all(&bench), 16);
    assert_int_equal(bench.origins[1].in_flight, 8);
}

static void test_rate_limit_says_when(void **state)
{
    static struct bench bench;
    struct scheduler_terms terms = {.max_in_flight = 32, .rate_per_s = 10};
    int64_t next_us;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(start(&bench), -1);
        next_us = scheduler_next_us(&bench.scheduler);
        assert_int_equal(next_us, bench.now_us + SECOND / 10);
        bench.now_us = next_us - 1;
        assert_int_equal(start(&bench), -1);
        bench.now_us = next_us;
        assert_int_equal(start(&bench), 0);
        finish(&bench, 0, HEALTH_GOOD);
    }
    terms.rate_per_s = 0;
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    assert_int_equal(start_all(&bench), 8);
}

/* Its lane comes back from another worker, which has used the tokens meanwhile. */
static void test_rate_limit_begins_anew_with_a_lane(void **state)
{
    static struct bench bench;
    struct scheduler_terms terms = {.max_in_flight = 32, .rate_per_s = 100};

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    bench.now_us += 60 * SECOND;
    scheduler_entry_restart_rate(&bench.scheduler, &bench.entries[0], bench.now_us);
    assert_int_equal(start(&bench), -1);
    bench.now_us += SECOND / 100;
    assert_int_equal(start_all(&bench), 1);
}

static void test_breaker_probes_one_at_a_time(void **state)
{
    static struct bench bench;
    struct scheduler_change change;
    int64_t opened_us;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    break_down(&bench, 0, HEALTH_DOWN, 9);
    assert_int_equal(start(&bench), 0);
    change = finish(&bench, 0, HEALTH_DOWN);
    assert_true(change.has_opened && change.is_down);
    opened_us = bench.now_us;
    for (int64_t pause = 1; pause <= 60; pause *= 2) {
        assert_int_equal(start(&bench), -1);
        assert_int_equal(scheduler_next_us(&bench.scheduler), bench.now_us + pause * SECOND);
        bench.now_us += pause * SECOND;
        assert_int_equal(start(&bench), 0);
        assert_int_equal(start(&bench), -1);
        bench.now_us += 5 * SECOND;
        change = finish(&bench, 0, HEALTH_DOWN);
        assert_true(change.is_down && !change.has_opened && !change.has_closed);
    }
    bench.now_us = scheduler_next_us(&bench.scheduler);
    assert_int_equal(start(&bench), 0);
    change = finish(&bench, 0, HEALTH_GOOD);
    assert_true(change.has_closed && !change.is_down);
    assert_int_equal(change.open_us, bench.now_us - opened_us);
    /* The ramp. */
    assert_int_equal(start_all(&bench), 1);
    finish(&bench, 0, HEALTH_GOOD);
    assert_int_equal(start_all(&bench), 2);
}

/* A 4xx says that the server works; and so does a 429, which also makes the window small. */
static void test_answers_that_close_a_breaker(void **state)
{
    static const enum health healths[] = {HEALTH_GOOD, HEALTH_ALIVE, HEALTH_BUSY};
    static struct bench bench;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(healths); i++) {
        bench_init(&bench, 1000, 1, 1);
        break_down(&bench, 0, HEALTH_DOWN, 10);
        bench.now_us += 10 * SECOND;
        assert_int_equal(start(&bench), 0);
        assert_true(finish(&bench, 0, healths[i]).has_closed);
        assert_int_equal(start_all(&bench), 1);
    }
}

static void test_late_success_closes_a_breaker(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    prove(&bench, 0, 1, 3);
    assert_true(start_all(&bench) == 8);
    finish(&bench, 0, HEALTH_DOWN);
    for (int i = 0; i < 12 && bench.entries[0].in_flight > 1; i++)
        finish(&bench, 0, HEALTH_DOWN);
    while (bench.entries[0].breaker.state == BREAKER_CLOSED)
        if (start(&bench) < 0 || bench.entries[0].in_flight > 1)
            finish(&bench, 0, HEALTH_DOWN);
    assert_true(bench.entries[0].in_flight > 0);
    assert_true(finish(&bench, 0, HEALTH_GOOD).has_closed);
}

/* One customer's broken hook leaves the others on its host alone. */
static void test_endpoints_breaker_is_its_own(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 2, 2);
    stop_work(&bench, 1, 2);
    break_down(&bench, 0, HEALTH_DOWN, 10);
    assert_int_equal(start(&bench), -1);
    scheduler_set_work(&bench.scheduler, &bench.entries[1], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 1);
    assert_int_equal(bench.origins[0].breaker.state, BREAKER_CLOSED);
}

/* A host that is down is asked once, for all that wait for it. */
static void test_origins_breaker_is_everybodys(void **state)
{
    static struct bench bench;
    struct scheduler_change change = {.is_down = false};
    int probing;

    (void)state;
    bench_init(&bench, 1000, 40, 20);
    for (int i = 0; i < 10; i++) {
        int number = start(&bench);

        while (number >= 20)
            number = start(&bench);
        change = finish(&bench, number, HEALTH_UNREACHABLE);
    }
    assert_true(change.origin_has_opened && change.is_down);
    start_all(&bench);
    assert_int_equal(bench.origins[0].in_flight, 0);
    assert_int_equal(bench.entries[0].breaker.state, BREAKER_CLOSED);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    probing = start(&bench);
    assert_in_range(probing, 0, 19);
    assert_int_equal(start(&bench), -1);
    assert_int_equal(bench.origins[0].in_flight, 1);
    finish(&bench, probing, HEALTH_UNREACHABLE);
    assert_int_equal(start(&bench), -1);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    probing = start(&bench);
    /* A 500 of one endpoint: the host works. */
    change = finish(&bench, probing, HEALTH_DOWN);
    assert_true(change.origin_has_closed && !change.is_down);
    assert_true(start_all(&bench) > 0);
    /* It comes back as a ramp. */
    assert_in_range(bench.origins[0].in_flight, 1, 2);
}

static void count_restood(void *owner, struct scheduler_entry *entry)
{
    int *counts = owner;

    counts[scheduler_standing(entry)]++;
}

/* Its breaker moves all of its endpoints at once, also those that have no work, and no others. */
static void test_standing_is_reported(void **state)
{
    static struct bench bench;
    int counts[STANDINGS] = {0};

    (void)state;
    bench_init(&bench, 1000, 40, 20);
    for (int i = 0; i < 40; i++)
        assert_int_equal(scheduler_standing(&bench.entries[i]), STANDING_UNKNOWN);
    stop_work(&bench, 3, 40);
    scheduler_on_restood(&bench.scheduler, count_restood, counts);
    for (int i = 0; i < 10; i++)
        finish(&bench, start(&bench), HEALTH_UNREACHABLE);
    assert_int_equal(counts[STANDING_DEAD], 20);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    finish(&bench, start(&bench), HEALTH_GOOD);
    assert_int_equal(counts[STANDING_UNKNOWN], 17); /* the three that failed before are dead */
    assert_int_equal(counts[STANDING_PROVEN], 1);
    assert_int_equal(counts[STANDING_DEAD] + counts[STANDING_FALTERING], 20);
}

/* The one that was let through for the probe goes away; another one makes it. */
static void test_origins_probe_is_not_lost(void **state)
{
    static struct bench bench;
    int waiting;

    (void)state;
    bench_init(&bench, 1000, 3, 3);
    for (int i = 0; i < 10; i++)
        finish(&bench, start(&bench), HEALTH_UNREACHABLE);
    assert_int_equal(start(&bench), -1);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    waiting = (int)(scheduler_next(&bench.scheduler, bench.now_us) - bench.entries);
    stop_work(&bench, waiting, waiting + 1);
    assert_non_null(scheduler_next(&bench.scheduler, bench.now_us));
    assert_true(start(&bench) != waiting);
    /* Abandoned: nothing was learnt, and it is made again. */
    for (int i = 0; i < 3; i++)
        if (bench.entries[i].in_flight > 0)
            finish(&bench, i, HEALTH_UNKNOWN);
    assert_int_equal(start(&bench), -1);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    assert_true(start(&bench) >= 0);
}

/* Who was let through for the probe doesn't make it: after a second the next one is, and no more.
 */
static void test_origins_probe_is_offered_to_one_after_the_other(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 4, 4);
    for (int i = 0; i < 10; i++)
        finish(&bench, start(&bench), HEALTH_UNREACHABLE);
    assert_int_equal(start(&bench), -1);
    assert_int_equal(bench.origins[0].waiting_count, 4);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    for (int left = 3; left >= 0; left--) {
        assert_non_null(scheduler_next(&bench.scheduler, bench.now_us));
        assert_int_equal(bench.origins[0].waiting_count, left);
        bench.now_us += SECOND - 1;
        assert_non_null(scheduler_next(&bench.scheduler, bench.now_us));
        assert_int_equal(bench.origins[0].waiting_count, left);
        bench.now_us++;
    }
}

static void test_retry_after_holds_the_endpoint(void **state)
{
    static struct bench bench;
    struct scheduler_change change;

    (void)state;
    bench_init(&bench, 1000, 2, 2);
    prove(&bench, 0, 2, 3);
    stop_work(&bench, 1, 2);
    assert_int_equal(start(&bench), 0);
    change = finish_held(&bench, 0, HEALTH_BUSY, 30 * SECOND);
    assert_true(change.is_held && !change.has_opened);
    assert_int_equal(start(&bench), -1);
    assert_int_equal(scheduler_next_us(&bench.scheduler), bench.now_us + 30 * SECOND);
    scheduler_set_work(&bench.scheduler, &bench.entries[1], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 1);
    stop_work(&bench, 1, 2);
    bench.now_us += 30 * SECOND;
    assert_int_equal(start_all(&bench), 1);
}

/* What can't be sent fails without a request, whatever is open or full. */
static void test_unsendable_is_not_held_back(void **state)
{
    static struct bench bench;
    struct scheduler_terms terms = {.max_in_flight = 32, .rate_per_s = 1, .is_unsendable = true};

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    break_down(&bench, 0, HEALTH_DOWN, 10);
    assert_int_equal(start(&bench), -1);
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(scheduler_next(&bench.scheduler, bench.now_us), &bench.entries[0]);
        scheduler_pass(&bench.scheduler, &bench.entries[0], bench.now_us);
    }
}

/* Neither sent nor failed, whatever else it says; and on again as it was. */
static void test_stopped_by_its_terms(void **state)
{
    static struct bench bench;
    struct scheduler_terms stopped = {.max_in_flight = 32, .is_stopped = true};
    struct scheduler_terms both = {.max_in_flight = 32, .is_stopped = true, .is_unsendable = true};
    struct scheduler_entry *entry = &bench.entries[0];

    (void)state;
    bench_init(&bench, 1000, 2, 1);
    assert_int_equal(start(&bench), 0);
    assert_int_equal(start(&bench), 1);
    scheduler_entry_set_terms(&bench.scheduler, entry, &stopped, bench.now_us, 0);
    finish(&bench, 0, HEALTH_GOOD);
    finish(&bench, 1, HEALTH_GOOD);
    assert_int_equal(scheduler_standing(entry), STANDING_DEAD);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(start(&bench), 1);
    assert_int_equal(entry->in_flight, 0);
    scheduler_entry_set_terms(&bench.scheduler, entry, &both, bench.now_us, 0);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), 1);
    stop_work(&bench, 1, 2);
    assert_null(scheduler_next(&bench.scheduler, bench.now_us + 3600 * SECOND));
    scheduler_entry_set_terms(&bench.scheduler, entry, &usual, bench.now_us, 0);
    assert_int_equal(scheduler_standing(entry), STANDING_PROVEN);
    assert_int_equal(start(&bench), 0);
}

static void test_revived_by_an_operator(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    break_down(&bench, 0, HEALTH_DOWN, 10);
    assert_int_equal(start(&bench), -1);
    scheduler_entry_revive(&bench.scheduler, &bench.entries[0], bench.now_us);
    assert_int_equal(start_all(&bench), 1);
    assert_false(bench.entries[0].is_troubled);
}

/* Known to be down from before the start: one probe, and a success ends it. */
static void test_known_to_be_failing(void **state)
{
    static struct bench bench;
    struct scheduler_terms terms = {.max_in_flight = 32, .failing_us = 1};

    (void)state;
    bench_init(&bench, 1000, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    assert_int_equal(start_all(&bench), 1);
    assert_true(finish(&bench, 0, HEALTH_GOOD).has_closed);
    /* The database's word is older than what was seen since. */
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[0], &terms, bench.now_us, 0);
    assert_int_equal(bench.entries[0].breaker.state, BREAKER_CLOSED);
}

static void test_shares(void **state)
{
    static struct bench bench;

    (void)state;
    /* Nothing is known of any of them: they get half. */
    bench_init(&bench, 64, 200, 1);
    assert_int_equal(start_all(&bench), 32);
    /* They fail: their next attempts get an eighth, and the rest stays free. */
    for (int i = 0; i < 200; i++)
        while (bench.entries[i].in_flight > 0)
            finish(&bench, i, HEALTH_UNREACHABLE);
    for (int n = 0; n < 20; n++) {
        start_all(&bench);
        for (int i = 0; i < 200; i++)
            while (bench.entries[i].in_flight > 0 &&
                   bench.tickets[i][bench.entries[i].in_flight - 1].standing == STANDING_UNKNOWN)
                finish(&bench, i, HEALTH_UNREACHABLE);
    }
    assert_int_equal(bench.scheduler.in_flight, 8);
    assert_int_equal(start(&bench), -1);
    /* One that has never been heard of, and one that works, go before them. */
    scheduler_origin_init(&bench.scheduler, &bench.origins[250]);
    scheduler_entry_init(&bench.scheduler, &bench.entries[250], &bench.origins[250]);
    bench.entries[250].reach.size = FULL_REACH;
    scheduler_entry_set_terms(&bench.scheduler, &bench.entries[250], &usual, bench.now_us, 0);
    scheduler_set_work(&bench.scheduler, &bench.entries[250], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 250);
    prove(&bench, 250, 251, 6);
    assert_int_equal(start_all(&bench), 8);
}

/* One that worked before is not put behind those that never did, and isn't after one failure. */
static void test_faltering_is_not_dead(void **state)
{
    static struct bench bench;
    int number;

    (void)state;
    bench_init(&bench, 64, 200, 1);
    stop_work(&bench, 1, 200);
    prove(&bench, 0, 1, 2);
    break_down(&bench, 0, HEALTH_DOWN, FALTERING_FAILURES - 1);
    number = start(&bench);
    assert_int_equal(bench.tickets[number][0].standing, STANDING_PROVEN);
    finish(&bench, 0, HEALTH_DOWN);
    number = start(&bench);
    assert_int_equal(bench.tickets[number][0].standing, STANDING_FALTERING);
    finish(&bench, 0, HEALTH_GOOD);
    number = start(&bench);
    assert_int_equal(bench.tickets[number][0].standing, STANDING_PROVEN);
}

/* Endpoints that hang with their windows full leave the last slots to those that have none. */
static void test_reserve_for_who_has_nothing_in_flight(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 64, 30, 1);
    prove(&bench, 0, 30, 6);
    stop_work(&bench, 20, 30);
    assert_int_equal(start_all(&bench), 62);
    scheduler_set_work(&bench.scheduler, &bench.entries[25], SCHEDULER_WORK_HERE, bench.now_us);
    scheduler_set_work(&bench.scheduler, &bench.entries[26], SCHEDULER_WORK_HERE, bench.now_us);
    scheduler_set_work(&bench.scheduler, &bench.entries[27], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 25);
    assert_int_equal(start(&bench), 26);
    assert_int_equal(start(&bench), -1);
    finish(&bench, 25, HEALTH_GOOD);
    assert_int_equal(start(&bench), 27);
}

static void test_rows_wanted(void **state)
{
    static struct bench bench;
    struct scheduler_terms slow = {.max_in_flight = 32, .rate_per_s = 2};
    struct scheduler_entry *entry = &bench.entries[0];

    (void)state;
    bench_init(&bench, 1000, 2, 2);
    stop_work(&bench, 1, 2);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), INT32_MAX);
    scheduler_entry_set_terms(&bench.scheduler, entry, &slow, bench.now_us, 0);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), 4);
    slow.rate_per_s = 50;
    scheduler_entry_set_terms(&bench.scheduler, entry, &slow, bench.now_us, 0);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), 50);
    scheduler_entry_set_terms(&bench.scheduler, entry, &usual, bench.now_us, 0);
    break_down(&bench, 0, HEALTH_DOWN, 10);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), 0);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us + SECOND), 1);
    slow.is_unsendable = true;
    scheduler_entry_set_terms(&bench.scheduler, entry, &slow, bench.now_us, 0);
    assert_int_equal(scheduler_rows_wanted(entry, bench.now_us), INT32_MAX);
}

/* Its rows are in the database alone. */
static void set_awaited(struct bench *bench, int from, int until)
{
    for (int i = from; i < until; i++)
        scheduler_set_work(&bench->scheduler, &bench->entries[i], SCHEDULER_WORK_AWAITED,
                           bench->now_us);
}

/* The number of the one that is woken, -1: none. */
static int woken(struct bench *bench)
{
    struct scheduler_entry *entry = scheduler_next_woken(&bench->scheduler, bench->now_us);

    return entry != NULL ? (int)(entry - bench->entries) : -1;
}

/* Whose rows are here alone has turns; it goes on in the same order as if they had been here. */
static void test_awaited_work_gets_no_turn(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 10, 1, 1);
    set_awaited(&bench, 0, 1);
    assert_int_equal(start(&bench), -1);
    assert_int_equal(woken(&bench), -1);
    assert_int_equal(scheduler_next_us(&bench.scheduler), INT64_MAX);
    scheduler_set_work(&bench.scheduler, &bench.entries[0], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 0);
}

/* A little before its time, once, and again when it is held again. */
static void test_woken_when_a_hold_ends(void **state)
{
    static const int64_t holds_us[] = {2 * SECOND, 7 * SECOND, 14400 * SECOND};
    static struct bench bench;

    (void)state;
    bench_init(&bench, 10, 1, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(holds_us); i++) {
        int64_t until_us = bench.now_us + holds_us[i];

        scheduler_set_work(&bench.scheduler, &bench.entries[0], SCHEDULER_WORK_HERE, bench.now_us);
        assert_int_equal(start(&bench), 0);
        set_awaited(&bench, 0, 1);
        finish_held(&bench, 0, HEALTH_BUSY, holds_us[i]);
        assert_int_equal(scheduler_rows_wanted(&bench.entries[0], bench.now_us), 0);
        assert_int_equal(scheduler_next_us(&bench.scheduler), until_us - SCHEDULER_AHEAD_US);
        bench.now_us = until_us - SCHEDULER_AHEAD_US - 1;
        assert_int_equal(woken(&bench), -1);
        bench.now_us++;
        assert_int_equal(woken(&bench), 0);
        assert_int_equal(woken(&bench), -1);
        assert_true(scheduler_rows_wanted(&bench.entries[0], bench.now_us) > 0);
        scheduler_set_work(&bench.scheduler, &bench.entries[0], SCHEDULER_WORK_HERE, bench.now_us);
        assert_int_equal(start(&bench), -1);
        assert_int_equal(scheduler_next_us(&bench.scheduler), until_us);
        bench.now_us = until_us;
    }
}

static void test_woken_for_probes(void **state)
{
    static struct bench bench;
    int64_t pause_us = SECOND;

    (void)state;
    bench_init(&bench, 10, 1, 1);
    break_down(&bench, 0, HEALTH_DOWN, 10);
    for (int i = 0; i < 5; i++, pause_us *= 2) {
        set_awaited(&bench, 0, 1);
        assert_int_equal(scheduler_rows_wanted(&bench.entries[0], bench.now_us), 0);
        bench.now_us += pause_us - SCHEDULER_AHEAD_US - 1;
        assert_int_equal(woken(&bench), -1);
        bench.now_us++;
        assert_int_equal(woken(&bench), 0);
        assert_int_equal(scheduler_rows_wanted(&bench.entries[0], bench.now_us), 1);
        scheduler_set_work(&bench.scheduler, &bench.entries[0], SCHEDULER_WORK_HERE, bench.now_us);
        assert_int_equal(start(&bench), -1);
        bench.now_us += SCHEDULER_AHEAD_US;
        assert_int_equal(start(&bench), 0);
        finish(&bench, 0, HEALTH_DOWN);
    }
}

/* By a result, by other terms, by an operator. */
static void test_woken_by_what_is_no_time(void **state)
{
    static struct bench bench;
    struct scheduler_terms stopped = {.max_in_flight = 32, .is_stopped = true};
    struct scheduler_terms narrow = {.max_in_flight = 1};
    struct scheduler_entry *entry = &bench.entries[0];

    (void)state;
    bench_init(&bench, 10, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, entry, &narrow, bench.now_us, 0);
    assert_int_equal(start(&bench), 0);
    set_awaited(&bench, 0, 1);
    assert_int_equal(entry->state, SCHEDULER_BUSY);
    assert_int_equal(woken(&bench), -1);
    finish(&bench, 0, HEALTH_GOOD);
    assert_int_equal(woken(&bench), 0);
    for (int i = 0; i < 2; i++) {
        entry->held_until_us = bench.now_us + 7200 * SECOND;
        scheduler_await(&bench.scheduler, entry, bench.now_us);
        assert_int_equal(woken(&bench), -1);
        if (i == 0)
            scheduler_entry_revive(&bench.scheduler, entry, bench.now_us);
        else
            scheduler_entry_set_terms(&bench.scheduler, entry, &stopped, bench.now_us, 0);
        assert_int_equal(woken(&bench), 0);
        assert_true(scheduler_rows_wanted(entry, bench.now_us) > 0);
    }
}

static void test_woken_when_its_rate_allows_more(void **state)
{
    static struct bench bench;
    struct scheduler_terms slow = {.max_in_flight = 32, .rate_per_s = 0.02};
    struct scheduler_entry *entry = &bench.entries[0];

    (void)state;
    bench_init(&bench, 10, 1, 1);
    scheduler_entry_set_terms(&bench.scheduler, entry, &slow, bench.now_us, 0);
    set_awaited(&bench, 0, 1);
    assert_int_equal(woken(&bench), -1);
    bench.now_us = scheduler_next_us(&bench.scheduler);
    assert_int_equal(woken(&bench), 0);
    scheduler_set_work(&bench.scheduler, entry, SCHEDULER_WORK_HERE, bench.now_us);
    bench.now_us += SCHEDULER_AHEAD_US;
    assert_int_equal(start(&bench), 0);
    set_awaited(&bench, 0, 1);
    /* The operator allows more. */
    slow.rate_per_s = 0;
    scheduler_entry_set_terms(&bench.scheduler, entry, &slow, bench.now_us, 0);
    assert_int_equal(woken(&bench), 0);
}

/* One of them makes the origin's probe; the others are told when it has answered. */
static void test_woken_by_the_origin(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 100, 4, 4);
    for (int i = 0; i < 10; i++)
        finish(&bench, start(&bench), HEALTH_UNREACHABLE);
    set_awaited(&bench, 0, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(scheduler_rows_wanted(&bench.entries[i], bench.now_us), 0);
        scheduler_await(&bench.scheduler, &bench.entries[i], bench.now_us);
        assert_int_equal(bench.entries[i].state, SCHEDULER_ORIGIN);
    }
    bench.now_us += SECOND - 1;
    assert_int_equal(woken(&bench), -1);
    bench.now_us++;
    assert_int_equal(woken(&bench), 0);
    assert_int_equal(woken(&bench), -1);
    /* It makes none: the next one, after a while. */
    bench.now_us = scheduler_next_us(&bench.scheduler);
    assert_int_equal(woken(&bench), 1);
    scheduler_set_work(&bench.scheduler, &bench.entries[1], SCHEDULER_WORK_HERE, bench.now_us);
    assert_int_equal(start(&bench), 1);
    assert_int_equal(scheduler_rows_wanted(&bench.entries[0], bench.now_us), 0);
    scheduler_await(&bench.scheduler, &bench.entries[0], bench.now_us);
    finish(&bench, 1, HEALTH_GOOD);
    assert_int_equal(woken(&bench), 2);
    assert_int_equal(woken(&bench), 3);
    assert_int_equal(woken(&bench), 0);
    assert_int_equal(woken(&bench), -1);
}

static void test_troubled_are_listed(void **state)
{
    static struct bench bench;

    (void)state;
    bench_init(&bench, 1000, 3, 1);
    stop_work(&bench, 1, 3);
    assert_null(TAILQ_FIRST(&bench.scheduler.troubled));
    break_down(&bench, 0, HEALTH_DOWN, 10);
    assert_ptr_equal(TAILQ_FIRST(&bench.scheduler.troubled), &bench.entries[0]);
    scheduler_set_work(&bench.scheduler, &bench.entries[1], SCHEDULER_WORK_HERE, bench.now_us);
    break_down(&bench, 1, HEALTH_UNREACHABLE, 10);
    assert_ptr_equal(TAILQ_FIRST(&bench.scheduler.troubled_origins), &bench.origins[1]);
    scheduler_entry_remove(&bench.scheduler, &bench.entries[0], bench.now_us);
    scheduler_entry_remove(&bench.scheduler, &bench.entries[1], bench.now_us);
    scheduler_origin_remove(&bench.scheduler, &bench.origins[1]);
    assert_null(TAILQ_FIRST(&bench.scheduler.troubled));
    assert_null(TAILQ_FIRST(&bench.scheduler.troubled_origins));
}

static enum standing standing_by_fields(const struct scheduler_entry *entry)
{
    bool is_open =
        entry->breaker.state != BREAKER_CLOSED || entry->origin->breaker.state != BREAKER_CLOSED;

    if (is_open || entry->is_stopped || (!entry->was_alive && entry->failures > 0))
        return STANDING_DEAD;
    if (!entry->was_alive)
        return STANDING_UNKNOWN;
    return entry->failures >= FALTERING_FAILURES ? STANDING_FALTERING : STANDING_PROVEN;
}

/* The counts that everything rests on, recomputed. */
static void check_counts(struct bench *bench, int entries_count)
{
    int in_flight = 0;
    int by_origin[ENTRIES] = {0};

    for (int i = 0; i < entries_count; i++) {
        struct scheduler_entry *entry = &bench->entries[i];

        in_flight += entry->in_flight;
        by_origin[entry->origin - bench->origins] += entry->in_flight;
        assert_int_equal(scheduler_standing(entry), standing_by_fields(entry));
        assert_true(entry->in_flight <= 32);
    }
    assert_int_equal(in_flight, bench->scheduler.in_flight);
    assert_true(in_flight <= bench->scheduler.limits.slots);
    in_flight = 0;
    for (int i = 0; i < STANDINGS; i++) {
        in_flight += bench->scheduler.standing_in_flight[i];
        assert_true(bench->scheduler.standing_in_flight[i] >= 0);
    }
    assert_int_equal(in_flight, bench->scheduler.in_flight);
    for (int i = 0; i < entries_count; i++) {
        assert_int_equal(by_origin[i], bench->origins[i].in_flight);
        assert_true(by_origin[i] <= 8);
    }
}

/* Somebody was let through by the origin and waits for a slot; the others' turn comes after it. */
static bool has_released(struct bench *bench, const struct scheduler_origin *origin,
                         int entries_count)
{
    for (int i = 0; i < entries_count; i++)
        if (bench->entries[i].origin == origin && bench->entries[i].is_released)
            return true;
    return false;
}

/* Whoever waits is waiting for something that will come. */
static void check_nobody_is_forgotten(struct bench *bench, int entries_count)
{
    for (int i = 0; i < entries_count; i++) {
        const struct scheduler_entry *entry = &bench->entries[i];
        const struct scheduler_origin *origin = entry->origin;

        if (entry->state == SCHEDULER_ORIGIN && origin->in_flight == 0)
            check_case((origin->breaker.state == BREAKER_OPEN && heap_has(&origin->timer)) ||
                           has_released(bench, origin, entries_count),
                       "endpoint %d waits for an idle origin", i);
        if (entry->state == SCHEDULER_BUSY)
            check_case(entry->in_flight > 0 || entry->is_stopped, "endpoint %d waits for no result",
                       i);
        if (bench->scheduler.in_flight == 0)
            check_case(entry->state != SCHEDULER_READY, "endpoint %d gets no turn", i);
    }
}

/*
 * Whoever reads the rows of those that have them elsewhere, and asks nobody again who wanted none:
 * one that may send is known to.
 */
static void check_awaited_are_woken(struct bench *bench, int entries_count)
{
    int number;

    while ((number = woken(bench)) >= 0)
        bench->is_blocked[number] = false;
    for (int i = 0; i < entries_count; i++) {
        struct scheduler_entry *entry = &bench->entries[i];
        int wanted = scheduler_rows_wanted(entry, bench->now_us);

        if (entry->work != SCHEDULER_WORK_AWAITED)
            bench->is_blocked[i] = false;
        else if (wanted == 0) {
            bench->is_blocked[i] = true;
            scheduler_await(&bench->scheduler, entry, bench->now_us);
        } else if (entry->state == SCHEDULER_AWAITING &&
                   entry->origin->breaker.state == BREAKER_CLOSED)
            check_case(!bench->is_blocked[i], "endpoint %d was not woken", i);
    }
}

static void random_step(struct bench *bench, struct dice *dice, int entries_count)
{
    static const enum health healths[] = {HEALTH_GOOD, HEALTH_GOOD,        HEALTH_ALIVE,
                                          HEALTH_DOWN, HEALTH_UNREACHABLE, HEALTH_BUSY,
                                          HEALTH_DOWN, HEALTH_UNREACHABLE, HEALTH_UNKNOWN};
    int number = (int)dice_below(dice, entries_count);
    struct scheduler_terms terms = {.max_in_flight = (int)dice_below(dice, 32) + 1,
                                    .rate_per_s = (double)dice_below(dice, 3) * 5,
                                    .is_unsendable = dice_below(dice, 50) == 0,
                                    .is_stopped = dice_below(dice, 10) == 0};

    switch (dice_below(dice, 8)) {
    case 0:
        bench->is_blocked[number] = false; /* rows of it have moved */
        scheduler_set_work(&bench->scheduler, &bench->entries[number],
                           (enum scheduler_work)dice_below(dice, 3), bench->now_us);
        break;
    case 1:
        if (dice_below(dice, 20) == 0)
            scheduler_entry_set_terms(&bench->scheduler, &bench->entries[number], &terms,
                                      bench->now_us, 0);
        break;
    case 2:
        bench->now_us += dice_below(dice, SECOND);
        break;
    case 3:
        start_all(bench);
        check_nobody_is_forgotten(bench, entries_count);
        check_awaited_are_woken(bench, entries_count);
        break;
    default:
        if (bench->entries[number].in_flight > 0)
            /* Origins fail in thirds of the time, so that whole ones break down. */
            finish_held(bench, number,
                        number % 7 == 0 && bench->now_us / SECOND % 30 < 20
                            ? HEALTH_UNREACHABLE
                            : healths[dice_below(dice, ARRAY_LENGTH(healths))],
                        dice_below(dice, 40) == 0 ? SECOND : 0);
        break;
    }
}

static void test_random_steps_keep_the_books(void **state)
{
    static struct bench bench;

    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct dice dice = {.state = seed * 7919};
        int entries_count = (int)(seed % 5) * 30 + 5;

        bench_init(&bench, (int)(seed % 4) * 20 + 1, entries_count, (int)(seed % 3) * 4 + 1);
        for (int i = 0; i < 5000; i++) {
            random_step(&bench, &dice, entries_count);
            if (i % 50 == 0)
                check_counts(&bench, entries_count);
        }
        for (int i = 0; i < entries_count; i++) {
            while (bench.entries[i].in_flight > 0)
                finish(&bench, i, HEALTH_UNKNOWN);
            scheduler_entry_remove(&bench.scheduler, &bench.entries[i], bench.now_us);
        }
        assert_int_equal(bench.scheduler.in_flight, 0);
        scheduler_free(&bench.scheduler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_go_round),
        cmocka_unit_test(test_no_work_no_turn),
        cmocka_unit_test(test_window_of_an_endpoint_opens),
        cmocka_unit_test(test_one_at_a_time_until_more_are_needed),
        cmocka_unit_test(test_few_slots_until_the_first_answer),
        cmocka_unit_test(test_slow_answers_are_waited_for),
        cmocka_unit_test(test_no_reach_into_the_reserve),
        cmocka_unit_test(test_override_of_the_window),
        cmocka_unit_test(test_origin_is_capped_and_its_endpoints_take_turns),
        cmocka_unit_test(test_full_origin_does_not_stop_others),
        cmocka_unit_test(test_rate_limit_says_when),
        cmocka_unit_test(test_rate_limit_begins_anew_with_a_lane),
        cmocka_unit_test(test_breaker_probes_one_at_a_time),
        cmocka_unit_test(test_answers_that_close_a_breaker),
        cmocka_unit_test(test_late_success_closes_a_breaker),
        cmocka_unit_test(test_endpoints_breaker_is_its_own),
        cmocka_unit_test(test_origins_breaker_is_everybodys),
        cmocka_unit_test(test_standing_is_reported),
        cmocka_unit_test(test_origins_probe_is_not_lost),
        cmocka_unit_test(test_origins_probe_is_offered_to_one_after_the_other),
        cmocka_unit_test(test_retry_after_holds_the_endpoint),
        cmocka_unit_test(test_unsendable_is_not_held_back),
        cmocka_unit_test(test_stopped_by_its_terms),
        cmocka_unit_test(test_revived_by_an_operator),
        cmocka_unit_test(test_known_to_be_failing),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_faltering_is_not_dead),
        cmocka_unit_test(test_reserve_for_who_has_nothing_in_flight),
        cmocka_unit_test(test_rows_wanted),
        cmocka_unit_test(test_awaited_work_gets_no_turn),
        cmocka_unit_test(test_woken_when_a_hold_ends),
        cmocka_unit_test(test_woken_for_probes),
        cmocka_unit_test(test_woken_by_what_is_no_time),
        cmocka_unit_test(test_woken_when_its_rate_allows_more),
        cmocka_unit_test(test_woken_by_the_origin),
        cmocka_unit_test(test_troubled_are_listed),
        cmocka_unit_test(test_random_steps_keep_the_books),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
