/* SPDX-License-Identifier: MIT */
/* test_engine_connections.c: which connections the HTTP engine keeps, and how a request ends early.
 */
#include <poll.h>

#include "client.h"

#define SHORT_MS   300
#define BODY_BYTES 20000000 /* no socket takes that much at once */

static void post_large(struct client *client, int port, struct result *result)
{
    static char body[BODY_BYTES];
    char url[URL_SIZE];
    const struct http_request request = {.url = local_url(port, "/", url),
                                         .body = body,
                                         .body_length = sizeof(body),
                                         .timeout_ms = LONG_MS};

    memset(body, 'x', sizeof(body));
    client_post(client, &request, result);
}

/* Reads nothing, until the receiver is stopped: what was sent stays in the way of the end. */
static void wait_unread(struct connection *connection)
{
    struct pollfd wait = {.fd = connection->fd, .events = POLLRDHUP};

    poll(&wait, 1, LONG_MS);
}

/* These answer when the first byte has come, and read no other: then it can't all be written. */

static void serve_early(struct connection *connection)
{
    char byte;

    if (recv(connection->fd, &byte, 1, 0) != 1)
        return;
    send_text(connection, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    wait_unread(connection);
}

static void serve_early_and_reset(struct connection *connection)
{
    char byte;

    if (recv(connection->fd, &byte, 1, 0) != 1)
        return;
    send_text(connection, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    shutdown(connection->fd, SHUT_RDWR); /* with bytes unread: Linux answers the next with RST */
}

static void serve_early_in_parts(struct connection *connection)
{
    char byte;

    if (recv(connection->fd, &byte, 1, 0) != 1)
        return;
    send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nb");
    poll(NULL, 0, 10); /* so that it is read by itself */
    send_text(connection, "ig");
    wait_unread(connection);
}

static void test_early_answers(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        int status;
    } cases[] = {
        {"stays open", serve_early, 413},
        {"is reset", serve_early_and_reset, 413},
        {"in parts", serve_early_in_parts, 200},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *client = client_new();
        struct receiver *receiver = receiver_start(cases[i].serve);
        struct result result = {0};

        client_open(client);
        for (int round = 1; round <= 2; round++) {
            post_large(client, receiver->port, &result);
            if (result.status != cases[i].status || strcmp(result.snippet, "big") != 0 ||
                result.is_truncated || result.is_reused || receiver->connections != round)
                fail_msg("%s: result %d, status %d, error \"%s\", %d connections", cases[i].name,
                         (int)result.result, result.status, result.error, receiver->connections);
        }
        free(result.transcript);
        client_free(client);
        receiver_stop(receiver);
    }
}

/* Scripts after which no connection is kept. */

static void serve_more(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, OK_ANSWER "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
}

static void serve_closing(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection,
                  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
}

static void serve_http_1_0(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void serve_bare_lf(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.1 200 OK\nContent-Length: 2\n\nok");
}

static void serve_bad_chunk(struct connection *connection)
{
    while (read_request(connection))
        send_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "2\r\nok\r\nnonsense\r\n");
}

static void test_not_kept(void **state)
{
    static const struct {
        const char *name;
        script *serve;
        int is_truncated;
    } cases[] = {
        {"bytes behind the answer", serve_more, false},
        {"Connection: close", serve_closing, false},
        {"HTTP/1.0", serve_http_1_0, false},
        {"bare LF", serve_bare_lf, false},
        {"bad chunk", serve_bad_chunk, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *client = client_new();
        struct receiver *receiver = receiver_start(cases[i].serve);
        struct result result = {0};
        char url[URL_SIZE];

        client_open(client);
        for (int round = 1; round <= 3; round++) {
            client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
            if (result.status != 200 || strcmp(result.snippet, "ok") != 0 || result.is_reused ||
                result.is_truncated != cases[i].is_truncated || receiver->connections != round)
                fail_msg("%s: status %d, error \"%s\", truncated %d, %d connections", cases[i].name,
                         result.status, result.error, result.is_truncated, receiver->connections);
        }
        free(result.transcript);
        client_free(client);
        receiver_stop(receiver);
    }
}

/* Says something that nobody asked for, when the test tells it to. */
static atomic_int may_speak;
static atomic_int has_spoken;

static void serve_unasked(struct connection *connection)
{
    if (!read_request(connection))
        return;
    send_text(connection, OK_ANSWER);
    while (connection->index == 0 && may_speak == 0)
        sched_yield();
    if (connection->index == 0) {
        send_text(connection, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        has_spoken = 1;
    }
    wait_for_close(connection);
}

static void test_unasked_bytes_on_an_idle_connection(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_unasked);
    struct result result = {0};
    char url[URL_SIZE];

    (void)state;
    client_open(client);
    client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
    assert_int_equal(result.status, 200);
    may_speak = 1;
    while (has_spoken == 0)
        sched_yield();
    event_base_loop(client->base, EVLOOP_NONBLOCK);
    client_post_to(client, url, LONG_MS, &result);
    assert_int_equal(result.status, 200);
    assert_false(result.is_reused);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

static void test_none_is_kept_where_none_may_be(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    struct result result = {0};
    char url[URL_SIZE];

    (void)state;
    client->options.max_connections = 0;
    client_open(client);
    for (int round = 1; round <= 3; round++) {
        client_post_to(client, local_url(receiver->port, "/", url), LONG_MS, &result);
        assert_int_equal(result.status, 200);
        assert_int_equal(receiver->connections, round);
    }
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

/* Receivers that are slow on purpose. */

static void drip(struct connection *connection, const char *start, const char *unit)
{
    if (!read_request(connection))
        return;
    send_text(connection, start);
    for (int i = 0; i < 1000; i++) { /* until the client closes, that is */
        if (send(connection->fd, unit, strlen(unit), MSG_NOSIGNAL) < 0)
            return;
        poll(NULL, 0, 20);
    }
}

static void serve_dripping_head(struct connection *connection)
{
    drip(connection, "HTTP/1.1 200 OK\r\nX: ", "x");
}

static void serve_dripping_interim(struct connection *connection)
{
    drip(connection, "", "HTTP/1.1 100 Continue\r\n\r\n");
}

static void serve_dripping_body(struct connection *connection)
{
    drip(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", "x");
}

static void test_dripping_ends_with_the_timeout(void **state)
{
    static const struct {
        script *serve;
        enum attempt_result result;
    } cases[] = {
        {serve_dripping_head, ATTEMPT_TIMEOUT},
        {serve_dripping_interim, ATTEMPT_TIMEOUT},
        {serve_dripping_body, ATTEMPT_ANSWERED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *client = client_new();
        struct receiver *receiver = receiver_start(cases[i].serve);
        struct result result = {0};
        char url[URL_SIZE];

        client_open(client);
        client_post_to(client, local_url(receiver->port, "/", url), SHORT_MS, &result);
        assert_int_equal(result.result, cases[i].result);
        assert_int_equal(result.is_truncated, cases[i].result == ATTEMPT_ANSWERED);
        free(result.transcript);
        client_free(client);
        receiver_stop(receiver);
    }
}

/* A receiver that reads nothing of a large request. */
static void serve_deaf(struct connection *connection)
{
    wait_unread(connection);
}

static void test_request_that_is_not_taken(void **state)
{
    static char body[BODY_BYTES];
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_deaf);
    struct result result = {0};
    char url[URL_SIZE];
    const struct http_request request = {.url = local_url(receiver->port, "/", url),
                                         .body = body,
                                         .body_length = sizeof(body),
                                         .timeout_ms = SHORT_MS};

    (void)state;
    client_open(client);
    client_post(client, &request, &result);
    assert_int_equal(result.result, ATTEMPT_TIMEOUT);
    assert_non_null(strstr(result.error, "not all of the request was taken by 127.0.0.1:"));
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

/* Answers a connection's first and third request at once, the second after some time or never. */
static atomic_int slow_ms;

static void serve_second_late(struct connection *connection)
{
    for (int i = 0; read_request(connection); i++) {
        if (i == 1 && slow_ms < 0) {
            wait_for_close(connection);
            return;
        }
        if (i == 1)
            poll(NULL, 0, slow_ms);
        send_text(connection, OK_ANSWER);
    }
}

/* One timer serves one request after the other, and must neither fire late nor too early. */
static void test_timeouts_of_consecutive_requests(void **state)
{
    static const struct {
        int64_t first_ms;
        int64_t second_ms;
        int slow_ms; /* -1: never */
        enum attempt_result result;
    } cases[] = {
        {LONG_MS, SHORT_MS, -1, ATTEMPT_TIMEOUT},
        {SHORT_MS, LONG_MS, SHORT_MS * 2, ATTEMPT_ANSWERED},
        {SHORT_MS, SHORT_MS * 2, -1, ATTEMPT_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct client *client = client_new();
        struct receiver *receiver = receiver_start(serve_second_late);
        struct result result = {0};
        char url[URL_SIZE];

        slow_ms = cases[i].slow_ms;
        client_open(client);
        client_post_to(client, local_url(receiver->port, "/", url), cases[i].first_ms, &result);
        assert_int_equal(result.status, 200);
        client_post_to(client, url, cases[i].second_ms, &result);
        assert_true(result.is_reused);
        assert_int_equal(result.result, cases[i].result);
        free(result.transcript);
        client_free(client);
        receiver_stop(receiver);
    }
}

/* Requests to all http URLs share the proxy's connections, and it gets its credentials. */
static void test_proxy_is_shared_and_gets_credentials(void **state)
{
    struct client *client = client_new();
    struct receiver *receiver = receiver_start(serve_ok);
    struct result result = {0};
    char proxy[URL_SIZE];

    (void)state;
    snprintf(proxy, sizeof(proxy), "http://user:p%%40ss@127.0.0.1:%d", receiver->port);
    client->options.proxy = proxy;
    client_open(client);
    for (int i = 0; i < 3; i++) {
        char url[URL_SIZE];

        snprintf(url, sizeof(url), "http://h%d.test:81/?a#b", i);
        client_post_to(client, url, LONG_MS, &result);
        assert_int_equal(result.status, 200);
        snprintf(url, sizeof(url), "POST http://h%d.test:81/?a HTTP/1.1\r\nHost: h%d.test:81\r\n",
                 i, i);
        assert_memory_equal(receiver->last_request, url, strlen(url));
        assert_non_null(
            strstr(receiver->last_request, "\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n"));
    }
    assert_int_equal(receiver->connections, 1);
    free(result.transcript);
    client_free(client);
    receiver_stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_answers),
        cmocka_unit_test(test_not_kept),
        cmocka_unit_test(test_unasked_bytes_on_an_idle_connection),
        cmocka_unit_test(test_none_is_kept_where_none_may_be),
        cmocka_unit_test(test_dripping_ends_with_the_timeout),
        cmocka_unit_test(test_request_that_is_not_taken),
        cmocka_unit_test(test_timeouts_of_consecutive_requests),
        cmocka_unit_test(test_proxy_is_shared_and_gets_credentials),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
