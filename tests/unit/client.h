/* SPDX-License-Identifier: MIT */
/*
 * client.h: an HTTP engine to drive, and what came of its requests; by itself, or as a fixture with
 * a receiver:
 *
 *     static void test_it(void **state)
 *     {
 *         struct exchange_fixture *f = *state;
 *
 *         f->client->options.max_connections = 10;
 *         fixture_start(f, serve_ok);
 *         assert_int_equal(fixture_post(f, "/hook")->status, 200);
 *     }
 *     ... engine_test(test_it), ...
 *
 * Receiver, engine and result end with the test, also with one that fails.
 */
#ifndef POSTRIDER_TESTS_CLIENT_H
#define POSTRIDER_TESTS_CLIENT_H

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "http/engine.h"
#include "receiver.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LONG_MS   20000 /* no test waits for so long */

/* What a callback got, kept. */
struct result {
    int callbacks;
    enum attempt_result result;
    int status;
    char error[HTTP_ERROR_SIZE];
    char retry_after[HTTP_RETRY_AFTER_SIZE];
    char snippet[HTTP_SNIPPET_BYTES + 1];
    size_t snippet_length;
    bool is_truncated;
    bool is_reused;
    char peer[64];
    struct http_timings timings;
    char *transcript;
};

struct client {
    struct event_base *base;
    struct http_engine *engine;
    int finished;
    bool is_in_start;
    struct address_range allow[1];
    struct http_options options;
};

struct client_request {
    struct client *client;
    struct result *result;
};

void on_client_finished(void *owner, const struct http_response *response);

/* Options of a client: loopback is allowed, all else is the default. */
struct client *client_new(void);

void client_open(struct client *client);

void client_free(struct client *client);

void client_start(struct client *client, const struct http_request *request, struct result *result);

/* Turns the loop until count requests in all have finished. Sleeps only in the loop. */
void client_run(struct client *client, int count);

/* One request from start to end. */
void client_post(struct client *client, const struct http_request *request, struct result *result);

#define URL_SIZE 256

const char *local_url(int port, const char *path, char url[URL_SIZE]);

/* Posts {"a":1} to url, as an endpoint with that permit. */
void client_post_as(struct client *client, const struct permit *permit, const char *url,
                    int64_t timeout_ms, struct result *result);

void client_post_to(struct client *client, const char *url, int64_t timeout_ms,
                    struct result *result);

/* Answers each request with OK_ANSWER. */
void serve_ok(struct connection *connection);

/* Posts to format, in which %d is port, with a new engine. Frees the client. */
struct result post_to_format(struct client *client, const char *format, int port,
                             int64_t timeout_ms);

struct expectation {
    const char *url;
    int allow_count;
    enum attempt_result result;
    const char *error; /* a part of it */
};

/* Posts to each URL, with an engine of its own. */
void check_expectations(const struct expectation *cases, size_t count, int port);

/* One engine and one receiver. */
struct exchange_fixture {
    struct client *client; /* not opened before fixture_start(), so that its options can be set */
    struct receiver *receiver;
    struct result result; /* of the last fixture_post() */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_start(struct exchange_fixture *fixture, script *serve);
const struct result *fixture_post(struct exchange_fixture *fixture, const char *path);

#define engine_test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

#endif
