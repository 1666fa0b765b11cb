/* SPDX-License-Identifier: MIT */
/* test_refilling.c: refills that the database never gets. */
#include "unit.h"

#include <event2/event.h>

#include "worker/finding.h"
#include "worker/refilling.h"

#define CUSTOMER "11111111-2222-3333-4444-555555555555"
#define NOW_US   INT64_C(1000000000)

static struct config config = {
    .worker = {.max_in_flight = 1024, .max_buffered_bytes = 1 << 20, .poll_interval_ms = 250},
    .delivery = {.max_payload_bytes = 1 << 16}};
static struct worker worker;

/* A link that is never up, so that whatever is sent on it isn't. */
static int set_up(void **state)
{
    static const struct db_link_events events;

    (void)state;
    worker =
        (struct worker){.config = &config, .now_us = NOW_US, .loop = {.base = event_base_new()}};
    deliveries_init(&worker.deliveries);
    endpoints_init(&worker.endpoints);
    finding_init(&worker);
    refilling_init(&worker);
    queues_set_rows_ahead(&worker.endpoints.queues, 2048);
    worker.reading = db_link_new(worker.loop.base, "host=/nowhere", "public", &events);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    db_link_free(worker.reading);
    finding_free(&worker);
    refilling_free(&worker);
    deliveries_free(&worker.deliveries);
    endpoints_free(&worker.endpoints);
    event_base_free(worker.loop.base);
    return 0;
}

/* An endpoint that has all its rows in the database, of which the first is to be read back. */
static struct endpoint *add_hungry(const char *url, const char *url_hash)
{
    struct endpoint *endpoint = endpoint_get(&worker.endpoints, CUSTOMER, url, worker.now_us);
    struct position position;

    position_set(&position, "2026-01-01 00:00:00+00", CUSTOMER);
    queue_begin_empty(&endpoint->queue);
    queue_end_empty(&worker.endpoints.queues, &endpoint->queue, CUSTOMER, url_hash, 3, &position,
                    worker.now_us);
    return endpoint;
}

static void pass_time(int64_t us)
{
    worker.now_us += us;
    queues_wake(&worker.endpoints.queues, worker.now_us);
}

static void test_unsent_refill_rests_and_is_asked_for_again(void **state)
{
    struct endpoint *endpoints[] = {add_hungry("https://a.example/", "1"),
                                    add_hungry("https://b.example/", "2")};

    (void)state;
    for (int round = 0; round < 3; round++) {
        int64_t next_us;

        pass_time(BACKLOG_REST_LONG_US);
        assert_true(refilling_next_us(&worker) <= worker.now_us);
        assert_false(refilling_send(&worker));
        assert_false(finding_is_reading(&worker));
        for (size_t i = 0; i < ARRAY_LENGTH(endpoints); i++) {
            assert_int_equal(endpoints[i]->queue.backlog.state, BACKLOG_RESTING);
            assert_false(endpoints[i]->queue.backlog.is_awaited);
            assert_string_equal(endpoints[i]->queue.backlog.cursor.time, "2026-01-01 00:00:00+00");
        }
        next_us = refilling_next_us(&worker);
        assert_true(next_us > worker.now_us && next_us <= worker.now_us + BACKLOG_REST_LONG_US);
    }
}

/* The time that those of others took is known to the next ones. */
static void test_unsent_refill_leaves_no_mark(void **state)
{
    (void)state;
    add_hungry("https://a.example/", "1");
    pass_time(BACKLOG_REST_LONG_US);
    assert_false(refilling_send(&worker));
    assert_false(worker.endpoints.queues.backlogs.has_others);
}

/* Its endpoint asked to be left alone for two hours: nobody asks for its rows before, then at once.
 */
static void test_a_hold_ends_with_a_refill(void **state)
{
    struct endpoint *endpoint = add_hungry("https://a.example/", "1");
    const struct backlog *backlog = &endpoint->queue.backlog;
    struct scheduler *scheduler = &worker.endpoints.queues.scheduler;
    int64_t hold_us = INT64_C(7200) * 1000000;
    struct scheduler_ticket ticket;

    (void)state;
    ticket = scheduler_start(scheduler, &endpoint->queue.entry, worker.now_us);
    scheduler_finish(scheduler, &endpoint->queue.entry, &ticket, HEALTH_BUSY, hold_us,
                     worker.now_us, 0);
    pass_time(BACKLOG_REST_LONG_US);
    assert_false(refilling_send(&worker));
    assert_int_equal(backlog->state, BACKLOG_BLOCKED);
    assert_true(refilling_next_us(&worker) == WORKER_NEVER);
    pass_time(hold_us - BACKLOG_REST_LONG_US - SCHEDULER_AHEAD_US - 1);
    assert_true(refilling_next_us(&worker) == WORKER_NEVER);
    assert_int_equal(scheduler_next_us(scheduler), worker.now_us + 1);
    pass_time(1);
    assert_int_equal(refilling_next_us(&worker), worker.now_us);
    assert_false(refilling_send(&worker));
    assert_int_equal(backlog->state, BACKLOG_RESTING); /* it was asked for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unsent_refill_rests_and_is_asked_for_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unsent_refill_leaves_no_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_hold_ends_with_a_refill, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
