/* SPDX-License-Identifier: MIT */
/*
 * test_engine_keeping.c: for how long the HTTP engine uses a connection again: as long as the
 * receiver says, as long as it is seen to keep one, and as long as we want to.
 *
 * Here time must pass; only that something does not happen too early depends on it.
 */
#include <event2/event_struct.h>
#include <poll.h>

#include "base/clock.h"
#include "client.h"

#define ANSWER(header) "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" header "\r\nok"
#define POSTS_MAX      8

/* Each answer in turn, the last one again and again; of each connection. */
static const char *answers[POSTS_MAX];

static void serve_answers(struct connection *connection)
{
    for (int i = 0; read_request(connection); i++) {
        int last = 0;

        while (last + 1 < POSTS_MAX && answers[last + 1] != NULL)
            last++;
        send_text(connection, answers[i < last ? i : last]);
    }
}

static struct exchange_fixture *start(void **state, script *serve, int64_t lifetime_ms)
{
    struct exchange_fixture *fixture = *state;

    fixture->client->options.connection_lifetime_ms = lifetime_ms;
    fixture_start(fixture, serve);
    return fixture;
}

/* True when the request went over a connection that had been kept. */
static bool post(struct exchange_fixture *fixture)
{
    return fixture_post(fixture, "/")->is_reused;
}

/* Turns the loop until so much time has passed. */
static void pass(struct exchange_fixture *fixture, int64_t ms)
{
    int64_t end_us = clock_monotonic_us() + ms * 1000;
    int64_t left_us;

    while ((left_us = end_us - clock_monotonic_us()) > 0) {
        struct timeval left = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};

        event_base_loopexit(fixture->client->base, &left);
        event_base_loop(fixture->client->base, EVLOOP_ONCE);
    }
}

static void test_what_the_receiver_says(void **state)
{
    static const struct {
        const char *name;
        const char *answers[POSTS_MAX];
        const char *kept; /* of four requests, which went over a kept connection */
    } cases[] = {
        {"nothing", {ANSWER("")}, "nkkk"},
        {"a minute", {ANSWER("Keep-Alive: timeout=60\r\n")}, "nkkk"},
        {"an hour", {ANSWER("Keep-Alive: timeout=3600\r\n")}, "nkkk"},
        {"more than a number holds",
         {ANSWER("Keep-Alive: timeout=99999999999999999999\r\n")},
         "nkkk"},
        {"a second", {ANSWER("Keep-Alive: timeout=1\r\n")}, "nnnn"},
        {"no second", {ANSWER("Keep-Alive: timeout=0\r\n")}, "nnnn"},
        {"the smaller one",
         {ANSWER("Keep-Alive: timeout=60\r\nKeep-Alive: timeout=1\r\n")},
         "nnnn"},
        {"junk", {ANSWER("Keep-Alive: soon, timeout=, max=x\r\n")}, "nkkk"},
        {"no other request", {ANSWER("Keep-Alive: timeout=60, max=0\r\n")}, "nnnn"},
        {"one other request", {ANSWER("Keep-Alive: max=1\r\n")}, "nknk"},
        {"two, counted down",
         {ANSWER("Keep-Alive: max=2\r\n"), ANSWER("Keep-Alive: max=1\r\n"),
          ANSWER("Keep-Alive: max=0\r\n")},
         "nkkn"},
        {"two, said once", {ANSWER("Keep-Alive: max=2\r\n"), ANSWER("")}, "nkkn"},
        {"less than before",
         {ANSWER("Keep-Alive: max=100\r\n"), ANSWER("Keep-Alive: max=0\r\n")},
         "nknk"},
        {"close in the end", {ANSWER(""), ANSWER("Connection: keep-alive, close\r\n")}, "nknk"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exchange_fixture *fixture;
        void *own;
        char kept[5] = "";

        fixture_setup(&own);
        fixture = start(&own, serve_answers, 120000);
        memcpy(answers, cases[i].answers, sizeof(answers));
        for (int round = 0; round < 4; round++)
            kept[round] = post(fixture) ? 'k' : 'n';
        if (strcmp(kept, cases[i].kept) != 0 || fixture->result.status != 200)
            fail_msg("%s: %s, status %d, error \"%s\"", cases[i].name, kept, fixture->result.status,
                     fixture->result.error);
        fixture_teardown(&own);
    }
}

static void test_last_second_before_the_end(void **state)
{
    struct exchange_fixture *fixture = start(state, serve_answers, 120000);

    memset(answers, 0, sizeof(answers));
    answers[0] = ANSWER("Keep-Alive: timeout=2\r\n");
    assert_false(post(fixture));
    assert_true(post(fixture));
    pass(fixture, 1000);
    assert_false(post(fixture));
    assert_true(post(fixture));
    assert_int_equal(fixture->receiver->connections, 2);
}

/* However busy a connection is, it ends. */
static void test_lifetime(void **state)
{
    struct exchange_fixture *fixture = start(state, serve_answers, 1000);
    int64_t start_us = clock_monotonic_us();

    memset(answers, 0, sizeof(answers));
    answers[0] = ANSWER("");
    assert_false(post(fixture));
    assert_true(post(fixture));
    while (post(fixture))
        assert_true(clock_monotonic_us() - start_us < 20000000);
    assert_true(clock_monotonic_us() - start_us >= 750000);
    assert_int_equal(fixture->receiver->connections, 2);
    pass(fixture, 1000);
    assert_false(post(fixture));
}

/* Closes connections that are idle for two seconds, and says nothing of it. */
static void serve_two_seconds(struct connection *connection)
{
    struct pollfd wait = {.fd = connection->fd, .events = POLLIN};

    while (poll(&wait, 1, 2100) > 0 && read_request(connection))
        send_text(connection, ANSWER(""));
}

static void test_end_that_was_seen(void **state)
{
    struct exchange_fixture *fixture = start(state, serve_two_seconds, 120000);

    assert_false(post(fixture));
    while (fixture->receiver->ended < 1)
        pass(fixture, 10);
    pass(fixture, 10);
    assert_false(post(fixture));
    assert_true(post(fixture));
    pass(fixture, 1500);
    assert_int_equal(fixture->receiver->ended, 1);
    assert_false(post(fixture));
    assert_int_equal(fixture->receiver->connections, 3);
}

/* The first connection ends under its second request, as when a server is restarted. */
static void serve_restarted(struct connection *connection)
{
    while (read_request(connection)) {
        send_text(connection, ANSWER(""));
        if (connection->index == 0) {
            read_request(connection);
            return;
        }
    }
}

static void test_loss_is_forgiven(void **state)
{
    struct exchange_fixture *fixture = start(state, serve_restarted, 120000);
    int64_t lost_us;

    assert_false(post(fixture));
    assert_true(post(fixture));
    assert_int_equal(fixture->result.result, ATTEMPT_BROKEN);
    lost_us = clock_monotonic_us();
    assert_false(post(fixture));
    while (!post(fixture))
        pass(fixture, 50);
    assert_true(clock_monotonic_us() - lost_us >= 1000000);
    assert_int_equal(fixture->result.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_receiver_says),
        engine_test(test_last_second_before_the_end),
        engine_test(test_lifetime),
        engine_test(test_end_that_was_seen),
        engine_test(test_loss_is_forgiven),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
