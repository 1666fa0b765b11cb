/* SPDX-License-Identifier: MIT */
/* test_queue.c: what ties the two sides of a queue: rows here, rows in the database, turns. */
#include "unit.h"

#include "core/queue.h"

#define CUSTOMER "00000000-0000-0000-0000-000000000001"
#define S        INT64_C(1000000)
#define NOW_US   (1000 * S)

static struct bench {
    struct queues queues;
    struct scheduler_origin origins[2];
    struct queue queue[2];
    struct queue_row rows[64];
} bench;

static int set_up(void **state)
{
    struct scheduler_limits limits = {
        .slots = 100, .origin_max = 8, .breaker = {.failures = 3, .max_interval_us = 20 * S}};
    struct scheduler_terms terms = {.max_in_flight = 4};

    (void)state;
    memset(&bench, 0, sizeof(bench));
    queues_init(&bench.queues);
    scheduler_set_limits(&bench.queues.scheduler, &limits);
    queues_set_rows_ahead(&bench.queues, 32);
    for (int i = 0; i < 2; i++) {
        scheduler_origin_init(&bench.queues.scheduler, &bench.origins[i]);
        queue_init(&bench.queues, &bench.queue[i], &bench.origins[i]);
        scheduler_entry_set_terms(&bench.queues.scheduler, &bench.queue[i].entry, &terms, NOW_US,
                                  0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        queue_remove(&bench.queues, &bench.queue[i], NOW_US);
    queues_free(&bench.queues);
    return 0;
}

static struct queue *whose_turn(int64_t now_us)
{
    struct scheduler_entry *entry = scheduler_next(&bench.queues.scheduler, now_us);

    return entry != NULL ? CONTAINER_OF(entry, struct queue, entry) : NULL;
}

static void put_behind(struct queue *queue, int64_t now_us)
{
    struct position position;

    position_set(&position, "t1", CUSTOMER);
    queue_begin_empty(queue);
    while (queue_first(queue) != NULL)
        queue_take(&bench.queues, queue, queue_first(queue), now_us);
    queue_end_empty(&bench.queues, queue, CUSTOMER, queue == bench.queue ? "1" : "2", 3, &position,
                    now_us);
}

static void send(struct queue *queue, enum health health, int64_t hold_us, int64_t now_us)
{
    struct scheduler_ticket ticket =
        scheduler_start(&bench.queues.scheduler, &queue->entry, now_us);

    queue_take(&bench.queues, queue, queue_first(queue), now_us);
    scheduler_finish(&bench.queues.scheduler, &queue->entry, &ticket, health, hold_us, now_us, 0);
}

static void test_has_its_turn_while_it_is_ready_and_has_rows(void **state)
{
    struct queue *queue = &bench.queue[0];

    (void)state;
    queue_push(&bench.queues, queue, &bench.rows[0], NOW_US);
    assert_null(whose_turn(NOW_US)); /* its settings are not there */
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    assert_ptr_equal(whose_turn(NOW_US), queue);
    queue_set_ready(&bench.queues, queue, false, NOW_US);
    assert_null(whose_turn(NOW_US));
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    queue_take(&bench.queues, queue, &bench.rows[0], NOW_US);
    assert_null(whose_turn(NOW_US));
}

static void test_order_of_rows(void **state)
{
    struct queue *queue = &bench.queue[0];

    (void)state;
    queue_push(&bench.queues, queue, &bench.rows[0], NOW_US);
    queue_push(&bench.queues, queue, &bench.rows[1], NOW_US);
    assert_ptr_equal(queue_first(queue), &bench.rows[0]);
    queue_take(&bench.queues, queue, &bench.rows[0], NOW_US);
    assert_ptr_equal(queue_first(queue), &bench.rows[1]);
    queue_push_back(&bench.queues, queue, &bench.rows[0], NOW_US);
    assert_ptr_equal(queue_first(queue), &bench.rows[0]);
    put_behind(queue, NOW_US);
}

/* Rows that find it full are in the database alone, until it is refilled or they are forgotten. */
static void test_what_does_not_fit_is_behind_it(void **state)
{
    struct queue *queue = &bench.queue[0];
    struct position position;
    int rows = 0;

    (void)state;
    position_set(&position, "t1", CUSTOMER);
    while (queue_admits(&bench.queues, queue, CUSTOMER, "1", 3, &position, NOW_US))
        queue_push(&bench.queues, queue, &bench.rows[rows++], NOW_US);
    assert_int_equal(rows, 32);
    assert_true(queue_is_behind(queue));
    assert_true(queues_pass(&bench.queues, CUSTOMER, "1", &position));
    assert_false(queues_pass(&bench.queues, CUSTOMER, "2", &position));
    queue_forget_behind(&bench.queues, queue, NOW_US);
    assert_false(queue_is_behind(queue));
    assert_true(queue_is_used(queue));
    while (queue_first(queue) != NULL)
        queue_take(&bench.queues, queue, queue_first(queue), NOW_US);
    assert_false(queue_is_used(queue));
}

static void test_refilled_one_goes_on(void **state)
{
    struct queue *queue = &bench.queue[0];
    struct position last;
    int rows;

    (void)state;
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    put_behind(queue, NOW_US);
    assert_null(queues_next_refill(&bench.queues, 8, &rows, NOW_US)); /* it rests */
    assert_ptr_equal(queues_next_refill(&bench.queues, 8, &rows, NOW_US + BACKLOG_REST_US), queue);
    assert_int_equal(rows, 8);
    queue_push(&bench.queues, queue, &bench.rows[0], NOW_US + BACKLOG_REST_US);
    position_set(&last, "t2", CUSTOMER);
    queue_end_refill(&bench.queues, queue, 1, &last, NOW_US + BACKLOG_REST_US);
    assert_false(queue_is_behind(queue)); /* fewer than it asked for: these were all */
    assert_ptr_equal(whose_turn(NOW_US + BACKLOG_REST_US), queue);
    queue_take(&bench.queues, queue, &bench.rows[0], NOW_US + BACKLOG_REST_US);
}

/* Nobody asks for its rows until what stops it is over, and then nobody has to be told. */
static void test_held_one_is_refilled_when_its_hold_ends(void **state)
{
    struct queue *queue = &bench.queue[0];
    int64_t end_us = NOW_US + 7200 * S;
    int rows;

    (void)state;
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    queue_push(&bench.queues, queue, &bench.rows[0], NOW_US);
    send(queue, HEALTH_BUSY, 7200 * S, NOW_US);
    put_behind(queue, NOW_US);
    assert_null(queues_next_refill(&bench.queues, 8, &rows, NOW_US + BACKLOG_REST_US));
    queues_wake(&bench.queues, end_us - SCHEDULER_AHEAD_US - 1);
    assert_int_equal(queues_refill_us(&bench.queues), INT64_MAX);
    queues_wake(&bench.queues, end_us - SCHEDULER_AHEAD_US);
    assert_ptr_equal(queues_next_refill(&bench.queues, 8, &rows, end_us - SCHEDULER_AHEAD_US),
                     queue);
    queue_fail_refill(&bench.queues, queue, end_us);
}

/* Its origin is down, and has nobody with rows here to be asked by: it is woken for the probe. */
static void test_is_refilled_for_its_origins_probe(void **state)
{
    struct queue *queue = &bench.queue[0];
    int64_t probe_us;
    int rows;

    (void)state;
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    put_behind(queue, NOW_US);
    for (int i = 0; i < 3; i++) {
        queue_push(&bench.queues, queue, &bench.rows[i], NOW_US);
        send(queue, HEALTH_UNREACHABLE, 0, NOW_US);
    }
    probe_us = bench.origins[0].breaker.next_probe_us;
    assert_true(probe_us > NOW_US + BACKLOG_REST_US);
    assert_null(queues_next_refill(&bench.queues, 8, &rows, NOW_US + BACKLOG_REST_US));
    queues_wake(&bench.queues, probe_us - 1);
    assert_null(queues_next_refill(&bench.queues, 8, &rows, probe_us - 1));
    queues_wake(&bench.queues, probe_us);
    assert_ptr_equal(queues_next_refill(&bench.queues, 8, &rows, probe_us), queue);
    assert_int_equal(rows, 1);
    queue_fail_refill(&bench.queues, queue, probe_us);
}

/* One that begins to fail leaves the crowd of the proven with its rows, without being told. */
static void test_its_rows_are_of_its_standings_crowd(void **state)
{
    struct queue *queue = &bench.queue[0];
    const struct crowds *crowds = &bench.queues.backlogs.crowds;

    (void)state;
    queue_set_ready(&bench.queues, queue, true, NOW_US);
    for (int i = 0; i < 6; i++)
        queue_push(&bench.queues, queue, &bench.rows[i], NOW_US);
    assert_int_equal(crowds->of[STANDING_UNKNOWN].rows, 6);
    send(queue, HEALTH_GOOD, 0, NOW_US);
    assert_int_equal(crowds->of[STANDING_UNKNOWN].rows, 0);
    assert_int_equal(crowds->of[STANDING_PROVEN].rows, 5);
    for (int i = 0; i < 3; i++)
        send(queue, HEALTH_DOWN, 0, NOW_US);
    assert_int_equal(crowds->of[STANDING_PROVEN].rows, 0);
    assert_int_equal(crowds->of[STANDING_DEAD].rows, 2); /* its breaker is open */
    put_behind(queue, NOW_US);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_has_its_turn_while_it_is_ready_and_has_rows),
        TEST(test_order_of_rows),
        TEST(test_what_does_not_fit_is_behind_it),
        TEST(test_refilled_one_goes_on),
        TEST(test_held_one_is_refilled_when_its_hold_ends),
        TEST(test_is_refilled_for_its_origins_probe),
        TEST(test_its_rows_are_of_its_standings_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
