/* SPDX-License-Identifier: MIT */
/*
 * test_engine_reuse.c: connections that the HTTP engine uses again: how many it keeps, what becomes
 * of a request under which one ends, and requests that are given up.
 */
#include <sched.h>

#include "client.h"
#include "names.h"

static void serve_hang(struct connection *connection)
{
    read_request(connection);
    wait_for_close(connection);
}

static void turn_until(struct client *client, const atomic_int *count, int value)
{
    while (*count < value) {
        event_base_loop(client->base, EVLOOP_NONBLOCK);
        sched_yield();
    }
}

static void test_cancel_all(void **state)
{
    struct client *client = client_new();
    struct receiver *hanging = receiver_start(serve_hang);
    struct receiver *good = receiver_start(serve_ok);
    struct result result = {0};
    char url[URL_SIZE];
    struct http_request request = {.url = local_url(hanging->port, "/", url),
                                   .body = "{}",
                                   .body_length = 2,
                                   .timeout_ms = LONG_MS};
    struct client_request owner = {.client = client, .result = &result};

    (void)state;
    client_open(client);
    for (int i = 0; i < 20; i++)
        http_start(client->engine, &request, &owner);
    request.url = "nonsense";
    http_start(client->engine, &request, &owner);
    request.url = "http://slow.test/";
    http_start(client->engine, &request, &owner);
    assert_int_equal(http_engine_in_flight(client->engine), 22);
    turn_until(client, &hanging->requests, 20);
    http_engine_cancel_all(client->engine);
    assert_int_equal(http_engine_in_flight(client->engine), 0);
    assert_false(http_engine_collect(client->engine, 100));
    client_post_to(client, local_url(good->port, "/", url), LONG_MS, &result);
    assert_int_equal(result.status, 200);
    assert_int_equal(client->finished, 1);
    free(result.transcript);
    client_free(client);
    receiver_stop(hanging);
    receiver_stop(good);
    sem_post(&slow_names);
    while (slow_ended < 1)
        sched_yield();
}

/* Answers a connection's first request, and closes when it has read the second. */
static void serve_stale(struct connection *connection)
{
    if (read_request(connection))
        send_text(connection, OK_ANSWER);
    read_request(connection);
}

/*
 * A request that was written to its end may have been taken: it never goes out twice. Afterwards
 * the receiver is not trusted with kept connections.
 */
static void test_stale_connection(void **state)
{
    struct exchange_fixture *fixture = *state;
    char url[URL_SIZE];

    fixture_start(fixture, serve_stale);
    client_post_to(fixture->client, local_url(fixture->receiver->port, "/", url), LONG_MS,
                   &fixture->result);
    assert_int_equal(fixture->result.status, 200);
    client_post_to(fixture->client, url, LONG_MS, &fixture->result);
    assert_int_equal(fixture->result.result, ATTEMPT_BROKEN);
    assert_true(fixture->result.is_reused);
    assert_string_equal(fixture->result.error, "the kept connection was closed without an answer");
    assert_int_equal(fixture->receiver->requests, 2);
    for (int i = 0; i < 5; i++) {
        client_post_to(fixture->client, url, LONG_MS, &fixture->result);
        assert_int_equal(fixture->result.status, 200);
        assert_false(fixture->result.is_reused);
    }
    assert_int_equal(fixture->receiver->connections, 6);
}

/* Takes a second request's first bytes only, and ends the connection as a restarted server does. */
static void serve_stale_early(struct connection *connection)
{
    char byte;

    if (!read_request(connection))
        return;
    send_text(connection, OK_ANSWER);
    if (connection->index == 0 && recv(connection->fd, &byte, 1, 0) == 1)
        reset_connection(connection);
    else if (read_request(connection))
        send_text(connection, OK_ANSWER);
}

/* The socket can't take all of such a body, so what was not written can't have been taken. */
static void test_unfinished_request_goes_out_again(void **state)
{
    enum { LENGTH = 20000000 };
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_stale_early);
    struct result result = {0};
    char url[URL_SIZE];
    char *body = memset(memory_new(LENGTH, 1), 'x', LENGTH);
    const struct http_request request = {.url = local_url(receiver->port, "/", url),
                                         .body = body,
                                         .body_length = LENGTH,
                                         .timeout_ms = LONG_MS};

    (void)state;
    client_open(client);
    client_post_to(client, url, LONG_MS, &result);
    assert_int_equal(result.status, 200);
    client_post(client, &request, &result);
    if (result.status != 200)
        fail_msg("%s", result.error);
    assert_false(result.is_reused);
    assert_int_equal(receiver->requests, 2);
    assert_int_equal(receiver->connections, 2);
    free(body);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

static void serve_close(struct connection *connection)
{
    read_request(connection);
}

/* On a new connection nothing goes out twice. */
static void test_no_resend_on_new_connection(void **state)
{
    struct receiver *receiver = receiver_start(serve_close);
    struct result result =
        post_to_format(client_new(), "http://127.0.0.1:%d/", receiver->port, LONG_MS);

    (void)state;
    assert_int_equal(result.result, ATTEMPT_BROKEN);
    assert_int_equal(receiver->requests, 1);
    free(result.transcript);
    receiver_stop(receiver);
}

/* Closes each connection after its answer; the client must notice before it uses it again. */
static void serve_one(struct connection *connection)
{
    read_request(connection);
    send_text(connection, OK_ANSWER);
}

static void test_connection_closed_while_idle(void **state)
{
    struct exchange_fixture *fixture = *state;
    char url[URL_SIZE];

    fixture_start(fixture, serve_one);
    for (int i = 0; i < 10; i++) {
        client_post_to(fixture->client, local_url(fixture->receiver->port, "/", url), LONG_MS,
                       &fixture->result);
        assert_int_equal(fixture->result.status, 200);
        assert_false(fixture->result.is_reused);
        turn_until(fixture->client, &fixture->receiver->ended, i + 1);
        event_base_loop(fixture->client->base,
                        EVLOOP_NONBLOCK); /* as a turn does before it starts any */
    }
    assert_int_equal(fixture->receiver->requests, 10);
}

static int count_open(struct receiver *receiver)
{
    int open = 0;

    for (int i = 0; i < receiver->connections; i++) {
        char byte;

        open += recv(receiver->table[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
    }
    return open;
}

static void test_many_origins_at_once(void **state)
{
    struct exchange_fixture *fixture = *state;
    enum { COUNT = 100 };
    static struct result results[COUNT];
    static char urls[COUNT][URL_SIZE];
    struct http_request request = {.body = "{}", .body_length = 2, .timeout_ms = LONG_MS};

    fixture->client->options.max_connections = COUNT;
    fixture_start(fixture, serve_ok);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(urls[i], URL_SIZE, "http://h%d.localhost:%d/", i, fixture->receiver->port);
            request.url = urls[i];
            client_start(fixture->client, &request, &results[i]);
        }
        assert_int_equal(http_engine_in_flight(fixture->client->engine), COUNT);
        client_run(fixture->client, COUNT * round);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(results[i].callbacks, round);
            assert_int_equal(results[i].status, 200);
        }
    }
    assert_int_equal(fixture->receiver->connections, COUNT); /* all were kept */
    for (int i = 0; i < COUNT; i++)
        free(results[i].transcript);
}

static void test_idle_connections_are_limited(void **state)
{
    struct exchange_fixture *fixture = *state;
    char url[URL_SIZE];

    fixture->client->options.max_connections = 10;
    fixture->client->options.max_tls_connections = 1000;
    fixture_start(fixture, serve_ok);
    for (int i = 0; i < 100; i++) {
        snprintf(url, sizeof(url), "http://h%d.localhost:%d/", i, fixture->receiver->port);
        client_post_to(fixture->client, url, LONG_MS, &fixture->result);
        assert_int_equal(fixture->result.status, 200);
    }
    assert_int_equal(fixture->receiver->connections, 100);
    assert_int_equal(count_open(fixture->receiver), 10);
}

struct chain {
    struct http_engine *engine;
    const struct http_request *request;
    int left;
};

static void on_chain_finished(void *owner, const struct http_response *response)
{
    struct chain *chain = owner;

    assert_int_equal(response->status, 200);
    if (--chain->left > 0)
        http_start(chain->engine, chain->request, chain);
}

static void test_start_from_callback(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    char url[URL_SIZE];
    const struct http_request request = {.url = local_url(receiver->port, "/", url),
                                         .body = "{}",
                                         .body_length = 2,
                                         .timeout_ms = LONG_MS};
    struct chain chain = {.request = &request, .left = 50};
    struct error error;

    (void)state;
    chain.engine = http_engine_new(client->base, &client->options, on_chain_finished, &error);
    assert_non_null(chain.engine);
    http_start(chain.engine, &request, &chain);
    while (chain.left > 0) {
        event_base_loop(client->base, EVLOOP_ONCE);
        http_engine_collect(chain.engine, 1);
    }
    assert_int_equal(receiver->requests, 50);
    assert_int_equal(receiver->connections, 1);
    http_engine_free(chain.engine);
    client_free(client);
    receiver_stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_all),
        engine_test(test_stale_connection),
        cmocka_unit_test(test_unfinished_request_goes_out_again),
        cmocka_unit_test(test_no_resend_on_new_connection),
        engine_test(test_connection_closed_while_idle),
        engine_test(test_many_origins_at_once),
        engine_test(test_idle_connections_are_limited),
        cmocka_unit_test(test_start_from_callback),
    };

    alarm(120);
    names_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
