/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/memory.h"
#include "core/lane_shares.h"
#include "worker/endpoint.h"
#include "worker/endpoint_forgetting.h"

#define CUSTOMER "11111111-2222-3333-4444-555555555555"
#define URL      "https://shop.example/hook"

#define S INT64_C(1000000)

/* The endpoints of a worker, without the worker. */
struct fixture {
    struct deliveries deliveries;
    struct endpoints endpoints;
    int rows;
    double rate_limit;    /* of all of them */
    const char *unopened; /* the same */
    bool is_paused;       /* the same */
    bool is_there;        /* the same; else its row was removed, if its deliveries are events' */
    bool is_of_event;     /* the rows that are pushed */
};

static void begin(struct fixture *fixture)
{
    struct config config = {
        .endpoint = {.max_in_flight_per_origin = 128, .breaker_max_interval_ms = 300000}};

    *fixture = (struct fixture){0};
    deliveries_init(&fixture->deliveries);
    endpoints_init(&fixture->endpoints);
    endpoints_reconfigure(&fixture->endpoints, &config, 1024);
}

static void end(struct fixture *fixture)
{
    deliveries_free(&fixture->deliveries);
    endpoints_free(&fixture->endpoints);
}

/* A row of an endpoint begins to wait. */
static struct endpoint *push_in_lane(struct fixture *fixture, int lane, const char *url,
                                     int64_t now_us)
{
    struct endpoint *endpoint = endpoint_get(&fixture->endpoints, CUSTOMER, url, now_us);
    struct due_row row = {.event_id = "event", .next_retry_at = "2026-01-01", .url_hash = "1"};
    char id[37];

    snprintf(id, sizeof(id), "%d", ++fixture->rows);
    row.id = id;
    row.lane = lane;
    row.is_of_event = fixture->is_of_event;
    endpoint_push(&fixture->endpoints,
                  delivery_new(&fixture->deliveries, &row, endpoint, &endpoint->tally), now_us);
    return endpoint;
}

static struct endpoint *push(struct fixture *fixture, const char *url, int64_t now_us)
{
    return push_in_lane(fixture, 0, url, now_us);
}

/* As worker/loading.c does, with the database answering at once; the endpoints that were loaded. */
static int load_all(struct fixture *fixture, int64_t now_us)
{
    struct endpoint *endpoint;
    int count = 0;

    while ((endpoint = endpoint_begin_load(&fixture->endpoints)) != NULL) {
        endpoint->settings.max_in_flight = 32;
        endpoint->settings.rate_limit = fixture->rate_limit;
        free(endpoint->settings.unopened);
        endpoint->settings.unopened =
            fixture->unopened != NULL ? memory_copy_string(fixture->unopened) : NULL;
        endpoint->settings.is_paused = fixture->is_paused;
        endpoint->settings.is_there = fixture->is_there;
        endpoint_end_load(&fixture->endpoints, endpoint, true, now_us);
        count++;
    }
    return count;
}

/* Sends what may be sent, and all of it is answered and recorded at once; how many that was. */
static int send_all(struct fixture *fixture, int64_t now_us)
{
    struct endpoints *endpoints = &fixture->endpoints;
    struct endpoint *endpoint;
    int count = 0;

    while ((endpoint = endpoint_next_ready(endpoints, now_us)) != NULL) {
        struct delivery *delivery = endpoint_first(endpoint);

        delivery->ticket = endpoint_begin_request(endpoints, delivery, now_us);
        delivery_drop(&fixture->deliveries, delivery);
        endpoint_end_request(endpoints, delivery, HEALTH_GOOD, 0, now_us);
        count++;
    }
    deliveries_reap(&fixture->deliveries, 0);
    return count;
}

static void test_first_row_waits_for_the_settings(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, S);
    assert_int_equal(send_all(&fixture, S), 0);
    assert_int_equal(load_all(&fixture, S), 1);
    assert_int_equal(send_all(&fixture, S), 1);
    assert_int_equal(load_all(&fixture, S), 0);
    end(&fixture);
}

/* A row every three seconds, alone each time: after the first none waits for a load. */
static void test_old_settings_are_loaded_behind_a_lone_row(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    assert_int_equal(send_all(&fixture, 0), 1);
    for (int64_t now_us = 3 * S; now_us < 30 * S; now_us += 3 * S) {
        push(&fixture, URL, now_us);
        assert_int_equal(send_all(&fixture, now_us), 1);
        assert_int_equal(load_all(&fixture, now_us), 1);
    }
    end(&fixture);
}

static void test_too_old_settings_are_waited_for(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    assert_int_equal(send_all(&fixture, 0), 1);
    push(&fixture, URL, 6 * S);
    assert_int_equal(send_all(&fixture, 6 * S), 0);
    assert_int_equal(load_all(&fixture, 6 * S), 1);
    assert_int_equal(send_all(&fixture, 6 * S), 1);
    end(&fixture);
}

/* What was loaded behind its last row is not loaded again, and goes as any other does. */
static void test_unused_endpoint_is_loaded_once_more_and_freed(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    send_all(&fixture, 0);
    push(&fixture, URL, 3 * S);
    send_all(&fixture, 3 * S);
    endpoints_reap(&fixture.endpoints, 3 * S + ENDPOINT_KEEP_US);
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL)); /* its load is to come */
    assert_int_equal(load_all(&fixture, 3 * S), 1);
    for (int64_t now_us = 4 * S; now_us < 3 * S + ENDPOINT_KEEP_US; now_us += S) {
        endpoints_refresh(&fixture.endpoints, now_us);
        endpoints_reap(&fixture.endpoints, now_us);
        assert_int_equal(load_all(&fixture, now_us), 0);
        assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    }
    endpoints_reap(&fixture.endpoints, 3 * S + ENDPOINT_KEEP_US);
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    end(&fixture);
}

/* Its rows are in the database alone. */
static void put_behind(struct fixture *fixture, struct endpoint *endpoint, const char *hash,
                       int64_t now_us)
{
    struct position position;

    position_set(&position, "2026-01-01", "1");
    queue_begin_empty(&endpoint->queue);
    queue_end_empty(&fixture->endpoints.queues, &endpoint->queue, CUSTOMER, hash, 0, &position,
                    now_us);
}

static struct endpoint *get_numbered(struct fixture *fixture, int number, int64_t now_us)
{
    char url[64];

    snprintf(url, sizeof(url), "https://shop.example/%d", number);
    return endpoint_get(&fixture->endpoints, CUSTOMER, url, now_us);
}

/* A URL for each delivery: whoever is remembered for nothing but trouble makes room. */
static void test_there_are_not_more_than_can_be_remembered(void **state)
{
    struct fixture fixture;
    struct endpoint *in_flight;
    struct delivery *delivery;

    (void)state;
    begin(&fixture);
    in_flight = push(&fixture, "https://flies.example/", 0);
    delivery = endpoint_first(in_flight);
    endpoint_remove(&fixture.endpoints, delivery, 0);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    assert_int_equal(send_all(&fixture, 0), 1); /* it answers: proven */
    push(&fixture, "https://waits.example/", 0);
    for (int i = 0; i < ENDPOINTS_MAX + 1000; i++) {
        struct endpoint *endpoint = get_numbered(&fixture, i, S);
        char hash[24];

        snprintf(hash, sizeof(hash), "%d", i);
        put_behind(&fixture, endpoint, hash, S);
    }
    assert_int_equal(HASH_CNT(by_key, fixture.endpoints.by_key), ENDPOINTS_MAX);
    assert_int_equal(fixture.endpoints.full_us, S + ENDPOINTS_FULL_US);
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, "https://shop.example/0"));
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, "https://waits.example/"));
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    for (int i = 0; i < ENDPOINTS_MAX + 1000; i++)
        get_numbered(&fixture, -1 - i, 6 * S);
    assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, "https://flies.example/"),
                     in_flight);
    delivery_drop(&fixture.deliveries, delivery);
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL)); /* not used for so long */
    end(&fixture);
}

/* A refill that was asked for comes back to it. */
static void test_awaited_refill_keeps_its_endpoint(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;
    int rows;

    (void)state;
    begin(&fixture);
    endpoint = endpoint_get(&fixture.endpoints, CUSTOMER, URL, 0);
    put_behind(&fixture, endpoint, "7", 0);
    assert_ptr_equal(queues_next_refill(&fixture.endpoints.queues, 8, &rows, 10 * S),
                     &endpoint->queue);
    for (int i = 0; i < ENDPOINTS_MAX * 2; i++)
        get_numbered(&fixture, i, 100 * S);
    assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, URL), endpoint);
    queue_end_refill(&fixture.endpoints.queues, &endpoint->queue, 0, NULL, 100 * S);
    end(&fixture);
}

/* Nor is one that is to be written down, or whose rows are in the database alone. */
static void test_what_is_needed_is_kept(void **state)
{
    struct fixture fixture;
    struct endpoint *noted, *behind;
    enum endpoint_note note;

    (void)state;
    begin(&fixture);
    noted = endpoint_get(&fixture.endpoints, CUSTOMER, URL, 0);
    endpoint_note(&fixture.endpoints, noted, ENDPOINT_NOTE_FAILING);
    for (int i = 0; i < ENDPOINTS_MAX * 2; i++)
        get_numbered(&fixture, i, 100 * S);
    assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, URL), noted);
    assert_int_equal(fixture.endpoints.full_us, 0); /* nobody had a backlog */
    behind = endpoint_get(&fixture.endpoints, CUSTOMER, "https://behind.example/", 100 * S);
    put_behind(&fixture, behind, "7", 100 * S);
    for (int i = 0; i < 20; i++)
        endpoints_reap(&fixture.endpoints, 200 * S + 2 * ENDPOINT_KEEP_TROUBLED_US);
    assert_int_equal(HASH_CNT(by_key, fixture.endpoints.by_key), 2);
    assert_ptr_equal(endpoint_take_note(&fixture.endpoints, &note), noted);
    assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, "https://behind.example/"),
                     behind);
    end(&fixture);
}

/* That it works again is kept until it is written: a refusal brings it back, unless something newer is to be said. */
static void test_works_again_until_it_is_written(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;
    enum endpoint_note note;

    (void)state;
    begin(&fixture);
    endpoint = endpoint_get(&fixture.endpoints, CUSTOMER, URL, 0);
    assert_false(endpoint_is_working_unwritten(endpoint));
    endpoint_note(&fixture.endpoints, endpoint, ENDPOINT_NOTE_WORKING);
    for (int refused = 0; refused < 2; refused++) {
        assert_true(endpoint_is_working_unwritten(endpoint));
        assert_ptr_equal(endpoint_take_note(&fixture.endpoints, &note), endpoint);
        assert_int_equal(note, ENDPOINT_NOTE_WORKING);
        assert_false(endpoints_are_noted(&fixture.endpoints));
        assert_true(endpoint_is_working_unwritten(endpoint));
        for (int i = 0; i < ENDPOINTS_MAX * 2; i++) /* nor is it freed meanwhile */
            get_numbered(&fixture, i, 100 * S);
        assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, URL), endpoint);
        endpoint_end_note(&fixture.endpoints, endpoint, false);
    }
    assert_ptr_equal(endpoint_take_note(&fixture.endpoints, &note), endpoint);
    endpoint_note(&fixture.endpoints, endpoint, ENDPOINT_NOTE_USED);
    endpoint_end_note(&fixture.endpoints, endpoint, false);
    assert_ptr_equal(endpoint_take_note(&fixture.endpoints, &note), endpoint);
    assert_int_equal(note, ENDPOINT_NOTE_USED);
    endpoint_end_note(&fixture.endpoints, endpoint, true);
    assert_false(endpoint_is_working_unwritten(endpoint));
    assert_false(endpoints_are_noted(&fixture.endpoints));
    endpoint_note(&fixture.endpoints, endpoint, ENDPOINT_NOTE_FAILING);
    assert_ptr_equal(endpoint_take_note(&fixture.endpoints, &note), endpoint);
    endpoint_end_note(&fixture.endpoints, endpoint, false); /* the next failure brings it */
    assert_false(endpoints_are_noted(&fixture.endpoints));
    end(&fixture);
}

/* One without rows is not asked for again and again while the database doesn't answer. */
static void test_failed_load_of_an_unused_endpoint_is_its_last(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    send_all(&fixture, 0);
    push(&fixture, URL, 3 * S);
    send_all(&fixture, 3 * S);
    endpoint = endpoint_begin_load(&fixture.endpoints);
    assert_non_null(endpoint);
    endpoint_end_load(&fixture.endpoints, endpoint, false, 3 * S);
    assert_int_equal(load_all(&fixture, 3 * S), 0);
    endpoints_reap(&fixture.endpoints, 3 * S + ENDPOINT_KEEP_US);
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    end(&fixture);
}

static void test_endpoint_is_a_customer_and_a_url(void **state)
{
    static const char other[] = "99999999-2222-3333-4444-555555555555";
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    endpoint = endpoint_get(&fixture.endpoints, CUSTOMER, URL, 0);
    assert_string_equal(endpoint->url, URL);
    assert_string_equal(endpoint->customer_id, CUSTOMER);
    assert_ptr_equal(endpoint_get(&fixture.endpoints, CUSTOMER, URL, 0), endpoint);
    assert_ptr_equal(endpoint_find(&fixture.endpoints, CUSTOMER, URL), endpoint);
    assert_null(endpoint_find(&fixture.endpoints, other, URL));
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL "/"));
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, ""));
    assert_ptr_not_equal(endpoint_get(&fixture.endpoints, other, URL, 0), endpoint);
    assert_ptr_not_equal(endpoint_get(&fixture.endpoints, CUSTOMER, URL "/", 0), endpoint);
    assert_int_equal(fixture.endpoints.counts[ENDPOINT_IDLE], 3);
    end(&fixture);
}

/* What another worker may have sent of them counts as the burst. */
static void test_rates_begin_anew_in_the_lanes_that_were_taken(void **state)
{
    static const struct {
        const char *url;
        int lane;
        bool is_taken;
    } cases[] = {{"https://a.example/", 0, false},
                 {"https://b.example/", 1, true},
                 {"https://c.example/", 40, true},
                 {"https://d.example/", 62, false},
                 {"https://e.example/", 63, true}};
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    fixture.rate_limit = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        push_in_lane(&fixture, cases[i].lane, cases[i].url, 0);
    load_all(&fixture, 0);
    endpoints_restart_rates(&fixture.endpoints,
                            LANE_BIT(1) | LANE_BIT(2) | LANE_BIT(40) | LANE_BIT(63), S);
    send_all(&fixture, S);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct endpoint *endpoint = endpoint_find(&fixture.endpoints, CUSTOMER, cases[i].url);

        check_case((endpoint_first(endpoint) == NULL) == !cases[i].is_taken, "%s", cases[i].url);
    }
    assert_int_equal(send_all(&fixture, S + S - 1), 0);
    assert_int_equal(send_all(&fixture, S + S), 3);
    end(&fixture);
}

/* Nothing is sent however long it takes, and its settings are asked for until they are good. */
static void test_unopened_until_its_settings_are_good(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;
    int loads = 0;

    (void)state;
    begin(&fixture);
    fixture.unopened = "no key";
    endpoint = push(&fixture, URL, 0);
    push(&fixture, URL, 0);
    for (int64_t now_us = 0; now_us < 60 * S; now_us += S / 4) {
        endpoints_refresh(&fixture.endpoints, now_us);
        loads += load_all(&fixture, now_us);
        assert_int_equal(send_all(&fixture, now_us), 0);
    }
    assert_true(loads >= 20 && loads <= 30);
    assert_ptr_equal(TAILQ_FIRST(&fixture.endpoints.unopened), endpoint);
    fixture.unopened = NULL;
    endpoints_refresh(&fixture.endpoints, 63 * S);
    assert_int_equal(load_all(&fixture, 63 * S), 1);
    assert_null(TAILQ_FIRST(&fixture.endpoints.unopened));
    assert_int_equal(send_all(&fixture, 63 * S), 2);
    end(&fixture);
}

static void test_paused_until_it_is_resumed(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    fixture.is_paused = fixture.is_there = true;
    endpoint = push(&fixture, URL, 0);
    for (int64_t now_us = 0; now_us < 60 * S; now_us += S / 4) {
        endpoints_refresh(&fixture.endpoints, now_us);
        load_all(&fixture, now_us);
        assert_int_equal(send_all(&fixture, now_us), 0);
    }
    assert_ptr_equal(TAILQ_FIRST(&fixture.endpoints.paused), endpoint);
    fixture.is_paused = false;
    endpoints_refresh(&fixture.endpoints, 63 * S);
    assert_int_equal(load_all(&fixture, 63 * S), 1);
    assert_null(TAILQ_FIRST(&fixture.endpoints.paused));
    assert_int_equal(send_all(&fixture, 63 * S), 1);
    end(&fixture);
}

/* Neither a breaker nor a rate keeps deliveries that only fail for want of their endpoint. But a
 * plain row goes by them, since it needs no row of its endpoint. */
static void test_removed_one_is_not_held_up(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    fixture.rate_limit = 0.001;
    fixture.is_of_event = true;
    for (int i = 0; i < 5; i++)
        push(&fixture, URL, 0);
    load_all(&fixture, 0);
    assert_int_equal(send_all(&fixture, 0), 5);
    fixture.is_of_event = false;
    for (int i = 0; i < 5; i++)
        push(&fixture, URL, 0);
    load_all(&fixture, 0);
    assert_true(send_all(&fixture, 0) <= 1);
    end(&fixture);
}

/* In the list of those whose secret can't be opened it is forgotten, too. */
static void test_unopened_one_is_freed(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    fixture.unopened = "no key";
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    end(&fixture);
    assert_null(TAILQ_FIRST(&fixture.endpoints.unopened));
}

static bool may_condemn_first(const struct endpoint *endpoint)
{
    return endpoint_may_condemn(endpoint, endpoint_first(endpoint));
}

/* Nothing fails by settings that were not asked for after its row was read. */
static void test_what_condemns_is_younger_than_the_row(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;
    const struct delivery *last;

    (void)state;
    begin(&fixture);
    endpoint = push(&fixture, URL, 0);
    assert_false(may_condemn_first(endpoint));
    load_all(&fixture, 0);
    assert_true(may_condemn_first(endpoint));
    send_all(&fixture, 0);

    push(&fixture, URL, 0);
    assert_false(may_condemn_first(endpoint));
    endpoint_ask_again(&fixture.endpoints, endpoint, 0);
    assert_int_equal(send_all(&fixture, 0), 0);
    /* Whoever comes while they are being loaded is of the next load. */
    assert_ptr_equal(endpoint_begin_load(&fixture.endpoints), endpoint);
    push(&fixture, URL, 0);
    endpoint_end_load(&fixture.endpoints, endpoint, true, 0);
    assert_true(may_condemn_first(endpoint));
    endpoint_remove(&fixture.endpoints, endpoint_first(endpoint), 0);
    assert_false(may_condemn_first(endpoint));
    /* One load is enough for all that wait, and a load without an answer is none. */
    push(&fixture, URL, 0);
    last = TAILQ_LAST(&fixture.deliveries.lists[DELIVERY_WAITING], delivery_list);
    endpoint_ask_again(&fixture.endpoints, endpoint, 0);
    assert_ptr_equal(endpoint_begin_load(&fixture.endpoints), endpoint);
    endpoint_end_load(&fixture.endpoints, endpoint, false, 0);
    assert_false(may_condemn_first(endpoint));
    assert_int_equal(load_all(&fixture, 0), 1);
    assert_true(endpoint_may_condemn(endpoint, last));
    end(&fixture);
}

/* A 410 is as good as settings that were loaded then; until it is written nothing is newer. */
static void test_being_disabled_is_known_without_a_load(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    push(&fixture, URL, 0);
    load_all(&fixture, 0);
    send_all(&fixture, 0);
    endpoint = push(&fixture, URL, 0);
    endpoint_set_disabled(&fixture.endpoints, endpoint, "gone", 0);
    assert_true(may_condemn_first(endpoint));
    assert_true(endpoint->settings.is_disabled);
    endpoint_remove(&fixture.endpoints, endpoint_first(endpoint), 0);
    push(&fixture, URL, 0);
    assert_false(may_condemn_first(endpoint));
    endpoint->gone = 1;
    assert_true(may_condemn_first(endpoint));
    end(&fixture);
}

/* Put back by the engine's refusal, it is the first again, and needs newer settings. */
static void test_put_back_it_is_the_first(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;
    struct delivery *first;

    (void)state;
    begin(&fixture);
    endpoint = push(&fixture, URL, 0);
    load_all(&fixture, 0);
    push(&fixture, URL, 0);
    first = endpoint_first(endpoint);
    endpoint_remove(&fixture.endpoints, first, 0);
    endpoint_push_back(&fixture.endpoints, first, 0);
    endpoint_ask_again(&fixture.endpoints, endpoint, 0);
    assert_ptr_equal(endpoint_first(endpoint), first);
    assert_null(endpoint_next_ready(&fixture.endpoints, 0));
    assert_int_equal(load_all(&fixture, 0), 1);
    assert_int_equal(send_all(&fixture, 0), 2);
    end(&fixture);
}

/* A row of it was sent, and this came of it; nothing of it is here afterwards. */
static struct endpoint *answer(struct fixture *fixture, const char *url, enum health health,
                               int64_t hold_us, int64_t now_us)
{
    struct endpoints *endpoints = &fixture->endpoints;
    struct endpoint *endpoint = push(fixture, url, now_us);
    struct delivery *delivery = endpoint_first(endpoint);

    load_all(fixture, now_us);
    endpoint_next_ready(endpoints, now_us); /* its settings may be old */
    load_all(fixture, now_us);
    assert_ptr_equal(endpoint_next_ready(endpoints, now_us), endpoint);
    delivery->ticket = endpoint_begin_request(endpoints, delivery, now_us);
    endpoint_end_request(endpoints, delivery, health, hold_us, now_us);
    delivery_drop(&fixture->deliveries, delivery);
    deliveries_reap(&fixture->deliveries, 0);
    return endpoint;
}

static void reap_until(struct fixture *fixture, int64_t from_us, int64_t until_us)
{
    for (int64_t now_us = from_us; now_us < until_us; now_us += 10 * S)
        endpoints_reap(&fixture->endpoints, now_us);
}

/* Whatever keeps it from being asked outlasts the time for which idle ones are remembered. */
static void test_a_promise_is_kept_until_it_ends(void **state)
{
    static const struct {
        const char *name;
        enum health health;
        int failures;
        int64_t hold_us;
    } cases[] = {
        {"Retry-After", HEALTH_BUSY, 1, 7200 * S},
        {"the longest Retry-After", HEALTH_BUSY, 1, 14400 * S},
        {"the pause of its breaker", HEALTH_DOWN, 3, 0},
        {"the pause of its origin's breaker", HEALTH_UNREACHABLE, 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fixture fixture;
        struct endpoint *endpoint = NULL;
        int64_t until_us, now_us = S;

        begin(&fixture);
        fixture.endpoints.queues.scheduler.limits.breaker =
            (struct breaker_policy){.failures = 3, .max_interval_us = 86400 * S};
        for (int n = 0; n < cases[i].failures; n++)
            endpoint = answer(&fixture, URL, cases[i].health, cases[i].hold_us, now_us);
        /* Probes that fail, until the pause is longer than anything is remembered for. */
        while (cases[i].hold_us == 0 &&
               scheduler_promised_until_us(&endpoint->queue.entry) < now_us + 4000 * S) {
            now_us = scheduler_promised_until_us(&endpoint->queue.entry);
            endpoint = answer(&fixture, URL, cases[i].health, 0, now_us);
        }
        until_us = scheduler_promised_until_us(&endpoint->queue.entry);
        assert_int_equal(endpoint->state, ENDPOINT_PROMISED);
        reap_until(&fixture, now_us, until_us - 20 * S);
        check_case(endpoint_find(&fixture.endpoints, CUSTOMER, URL) == endpoint, "%s",
                   cases[i].name);
        push(&fixture, URL, until_us - 20 * S);
        load_all(&fixture, until_us - 20 * S);
        check_case(endpoint_next_ready(&fixture.endpoints, until_us - 20 * S) == NULL, "%s",
                   cases[i].name);
        endpoint_next_ready(&fixture.endpoints, until_us); /* its settings are old */
        load_all(&fixture, until_us);
        check_case(endpoint_next_ready(&fixture.endpoints, until_us) == endpoint, "%s",
                   cases[i].name);
        end(&fixture);
    }
}

/* One that is asked no more is remembered for as long as any other after that. */
static void test_a_promise_that_has_ended_keeps_nobody(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    answer(&fixture, URL, HEALTH_BUSY, 7200 * S, 0);
    reap_until(&fixture, 0, 7200 * S);
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    reap_until(&fixture, 7200 * S, 7230 * S);
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    end(&fixture);
}

/* An origin's pause is that of endpoints that were idle when another one of it failed. */
static void test_an_origins_pause_keeps_all_of_its_endpoints(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    answer(&fixture, URL, HEALTH_GOOD, 0, 0);
    for (int n = 0; n < 3; n++)
        endpoint = answer(&fixture, URL "/other", HEALTH_UNREACHABLE, 0, S);
    endpoint->origin->scheduled.breaker.state = BREAKER_OPEN;
    endpoint->origin->scheduled.breaker.next_probe_us = 7200 * S;
    reap_until(&fixture, S, 7200 * S);
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL));
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, URL "/other"));
    end(&fixture);
}

/* Beyond what can be remembered: who was promised nothing, then the shortest promise. */
static void test_who_makes_room(void **state)
{
    struct fixture fixture;
    char url[64];

    (void)state;
    begin(&fixture);
    for (int i = 0; i < 100; i++) {
        snprintf(url, sizeof(url), "https://promised.example/%d", i);
        answer(&fixture, url, HEALTH_BUSY, (7200 - i) * S, 0);
    }
    for (int i = 0; i < ENDPOINTS_MAX + 100; i++)
        get_numbered(&fixture, i, S);
    assert_int_equal(HASH_CNT(by_key, fixture.endpoints.by_key), ENDPOINTS_MAX);
    assert_int_equal(fixture.endpoints.counts[ENDPOINT_PROMISED], 100);
    /* As if all of the others were needed. */
    for (int i = 0; i < 40; i++) {
        struct endpoint *endpoint;

        TAILQ_FOREACH(endpoint, &fixture.endpoints.lists[ENDPOINT_IDLE], in_state)
            endpoint->tally.known = 1;
        get_numbered(&fixture, -1 - i, 6 * S);
    }
    assert_int_equal(HASH_CNT(by_key, fixture.endpoints.by_key), ENDPOINTS_MAX);
    assert_int_equal(fixture.endpoints.counts[ENDPOINT_PROMISED], 60);
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, "https://promised.example/0"));
    assert_non_null(endpoint_find(&fixture.endpoints, CUSTOMER, "https://promised.example/59"));
    assert_null(endpoint_find(&fixture.endpoints, CUSTOMER, "https://promised.example/60"));
    for (struct endpoint *at = fixture.endpoints.by_key; at != NULL; at = at->by_key.next)
        at->tally.known = 0;
    end(&fixture);
}

/* Whose rows are in the database alone: who puts the row right does not have to wait. */
static void test_settings_of_promised_ones_are_asked_for_again(void **state)
{
    struct fixture fixture;
    struct endpoint *endpoint;

    (void)state;
    begin(&fixture);
    endpoint = answer(&fixture, URL, HEALTH_BUSY, 7200 * S, 0);
    endpoints_refresh(&fixture.endpoints, 10 * S);
    assert_int_equal(load_all(&fixture, 10 * S), 0); /* nothing waits for it */
    put_behind(&fixture, endpoint, "7", 10 * S);
    endpoints_refresh(&fixture.endpoints, 20 * S);
    endpoint->settings.was_enabled = true; /* as the load will find */
    assert_int_equal(load_all(&fixture, 20 * S), 1);
    assert_ptr_equal(scheduler_next_woken(&fixture.endpoints.queues.scheduler, 20 * S),
                     &endpoint->queue.entry);
    assert_int_equal(scheduler_rows_wanted(&endpoint->queue.entry, 20 * S), INT32_MAX);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_row_waits_for_the_settings),
        cmocka_unit_test(test_old_settings_are_loaded_behind_a_lone_row),
        cmocka_unit_test(test_too_old_settings_are_waited_for),
        cmocka_unit_test(test_unused_endpoint_is_loaded_once_more_and_freed),
        cmocka_unit_test(test_there_are_not_more_than_can_be_remembered),
        cmocka_unit_test(test_awaited_refill_keeps_its_endpoint),
        cmocka_unit_test(test_what_is_needed_is_kept),
        cmocka_unit_test(test_works_again_until_it_is_written),
        cmocka_unit_test(test_failed_load_of_an_unused_endpoint_is_its_last),
        cmocka_unit_test(test_endpoint_is_a_customer_and_a_url),
        cmocka_unit_test(test_rates_begin_anew_in_the_lanes_that_were_taken),
        cmocka_unit_test(test_unopened_until_its_settings_are_good),
        cmocka_unit_test(test_paused_until_it_is_resumed),
        cmocka_unit_test(test_removed_one_is_not_held_up),
        cmocka_unit_test(test_unopened_one_is_freed),
        cmocka_unit_test(test_what_condemns_is_younger_than_the_row),
        cmocka_unit_test(test_being_disabled_is_known_without_a_load),
        cmocka_unit_test(test_put_back_it_is_the_first),
        cmocka_unit_test(test_a_promise_is_kept_until_it_ends),
        cmocka_unit_test(test_a_promise_that_has_ended_keeps_nobody),
        cmocka_unit_test(test_an_origins_pause_keeps_all_of_its_endpoints),
        cmocka_unit_test(test_who_makes_room),
        cmocka_unit_test(test_settings_of_promised_ones_are_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
