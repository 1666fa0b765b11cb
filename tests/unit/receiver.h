/*
 * receiver.h: a scripted HTTP receiver on 127.0.0.1 in threads of the test, and an engine to drive
 * against it. A script gets one connection; when it returns, the connection is ended.
 */
#ifndef POSTRIDER_TESTS_RECEIVER_H
#define POSTRIDER_TESTS_RECEIVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/engine.h"

#define RECEIVER_CONNECTIONS_MAX 256

struct receiver;

struct connection {
    struct receiver *receiver;
    pthread_t thread;
    int fd;
    int index;   /* 0 for the first */
    void *layer; /* TLS, by the script that wants it */
};

typedef void script(struct connection *connection);

struct receiver {
    script *serve;
    int fd;
    int port;
    pthread_t thread;
    atomic_int connections;
    atomic_int ended; /* of these: by the script */
    atomic_int requests;
    struct connection table[RECEIVER_CONNECTIONS_MAX];
    pthread_mutex_t lock; /* of last_request */
    char *last_request;   /* of any connection; read by the test when no other can come */
};

static inline void send_bytes(struct connection *connection, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t sent = send(connection->fd, at, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        at += sent;
        length -= (size_t)sent;
    }
}

static inline void send_text(struct connection *connection, const char *text)
{
    send_bytes(connection, text, strlen(text));
}

/* Until the client closes. */
static inline void wait_for_close(struct connection *connection)
{
    char bytes[4096];

    while (recv(connection->fd, bytes, sizeof(bytes), 0) > 0)
        continue;
}

/* Linux answers this with RST. */
static inline void reset_connection(struct connection *connection)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    connect(connection->fd, &nowhere, sizeof(nowhere));
}

static inline size_t find_body_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");

    return field != NULL ? strtoul(field + 17, NULL, 10) : 0;
}

static inline bool is_whole_request(const char *text, size_t length)
{
    const char *end = strstr(text, "\r\n\r\n");

    return end != NULL && length >= (size_t)(end + 4 - text) + find_body_length(text);
}

/* Reads a request and keeps it; false when the client closed before it was complete. */
static inline bool read_request(struct connection *connection)
{
    struct receiver *receiver = connection->receiver;
    size_t size = 4096;
    size_t length = 0;
    char *text = memory_new(size, 1);

    while (!is_whole_request(text, length)) {
        ssize_t got;

        if (length + 1 == size)
            text = memory_resize(text, size *= 2, 1);
        got = recv(connection->fd, text + length, size - length - 1, 0);
        if (got <= 0) {
            free(text);
            return false;
        }
        length += (size_t)got;
        text[length] = '\0';
    }
    pthread_mutex_lock(&receiver->lock);
    free(receiver->last_request);
    receiver->last_request = text;
    pthread_mutex_unlock(&receiver->lock);
    receiver->requests++;
    return true;
}

static inline void *run_connection(void *argument)
{
    struct connection *connection = argument;

    connection->receiver->serve(connection);
    shutdown(connection->fd, SHUT_RDWR);
    connection->receiver->ended++;
    return NULL;
}

/* Connections keep their file descriptors until the end, so that none is closed twice. */
static inline void *run_receiver(void *argument)
{
    struct receiver *receiver = argument;

    for (;;) {
        int fd = accept4(receiver->fd, NULL, NULL, SOCK_CLOEXEC);
        struct connection *connection = &receiver->table[receiver->connections];

        if (fd < 0 && errno == EMFILE) { /* a test of just that */
            sched_yield();
            continue;
        }
        if (fd < 0 || receiver->connections == RECEIVER_CONNECTIONS_MAX)
            return NULL;
        *connection =
            (struct connection){.receiver = receiver, .fd = fd, .index = receiver->connections};
        receiver->connections++;
        pthread_create(&connection->thread, NULL, run_connection, connection);
    }
}

/* A socket with a free port of 127.0.0.1, which refuses connections until it listens. */
static inline int bind_anywhere(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline struct receiver *receiver_start(script *serve)
{
    struct receiver *receiver = memory_new(1, sizeof(*receiver));

    receiver->serve = serve;
    pthread_mutex_init(&receiver->lock, NULL);
    receiver->fd = bind_anywhere(&receiver->port);
    assert_int_equal(listen(receiver->fd, RECEIVER_CONNECTIONS_MAX), 0);
    pthread_create(&receiver->thread, NULL, run_receiver, receiver);
    return receiver;
}

static inline void receiver_stop(struct receiver *receiver)
{
    shutdown(receiver->fd, SHUT_RDWR);
    pthread_join(receiver->thread, NULL);
    for (int i = 0; i < receiver->connections; i++) {
        shutdown(receiver->table[i].fd, SHUT_RDWR);
        pthread_join(receiver->table[i].thread, NULL);
        close(receiver->table[i].fd);
    }
    close(receiver->fd);
    pthread_mutex_destroy(&receiver->lock);
    free(receiver->last_request);
    free(receiver);
}

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

static inline void on_client_finished(void *owner, const struct http_response *response)
{
    struct client_request *request = owner;
    struct result *result = request->result;

    assert_false(request->client->is_in_start);
    request->client->finished++;
    result->callbacks++;
    result->result = response->result;
    result->status = response->status;
    memcpy(result->error, response->error, sizeof(result->error));
    memcpy(result->retry_after, response->retry_after, sizeof(result->retry_after));
    result->snippet_length = response->snippet.length;
    memcpy(result->snippet, buffer_string(&response->snippet), response->snippet.length + 1);
    result->is_truncated = response->is_truncated;
    result->is_reused = response->is_reused;
    memcpy(result->peer, response->peer, sizeof(result->peer));
    result->timings = response->timings;
    free(result->transcript);
    result->transcript = memory_copy_string(buffer_string(&response->transcript));
    free(request);
}

/* Options of a client: loopback is allowed, all else is the default. */
static inline struct client *client_new(void)
{
    struct client *client = memory_new(1, sizeof(*client));

    client->allow[0] = (struct address_range){
        .address = {.bytes = {127, 0, 0, 0}},
        .prefix_bits = 8,
    };
    client->options = (struct http_options){
        .allow_count = 1,
        .allow = client->allow,
        .proxy = "",
        .source_address = "",
        .ca_file = "",
        .client_certificates = "",
        .connect_timeout_ms = 20000,
        .connection_lifetime_ms = 120000,
        .max_response_bytes = 64 * 1024,
        .max_connections = 64,
        .max_tls_connections = 64,
    };
    client->base = event_base_new();
    return client;
}

static inline void client_open(struct client *client)
{
    struct error error = {0};

    client->engine = http_engine_new(client->base, &client->options, on_client_finished, &error);
    if (client->engine == NULL)
        fail_msg("%s", error.message);
}

static inline void client_free(struct client *client)
{
    http_engine_free(client->engine);
    event_base_free(client->base);
    free(client);
}

static inline void client_start(struct client *client, const struct http_request *request,
                                struct result *result)
{
    struct client_request *owner = memory_new(1, sizeof(*owner));

    *owner = (struct client_request){.client = client, .result = result};
    client->is_in_start = true;
    http_start(client->engine, request, owner);
    client->is_in_start = false;
}

/* Turns the loop until count requests in all have finished. Sleeps only in the loop. */
static inline void client_run(struct client *client, int count)
{
    while (client->finished < count) {
        event_base_loop(client->base, EVLOOP_ONCE);
        while (http_engine_collect(client->engine, 8))
            continue;
    }
}

/* One request from start to end. */
static inline void client_post(struct client *client, const struct http_request *request,
                               struct result *result)
{
    free(result->transcript);
    *result = (struct result){0};
    client_start(client, request, result);
    client_run(client, client->finished + 1);
    assert_int_equal(result->callbacks, 1);
}

#define URL_SIZE 256

static inline const char *local_url(int port, const char *path, char url[URL_SIZE])
{
    snprintf(url, URL_SIZE, "http://127.0.0.1:%d%s", port, path);
    return url;
}

/* Posts {"a":1} to url, as an endpoint with that permit. */
static inline void client_post_as(struct client *client, const struct permit *permit,
                                  const char *url, int64_t timeout_ms, struct result *result)
{
    static const char *const headers[] = {"Content-Type: application/json", "X-Test: yes"};
    const struct http_request request = {
        .url = url,
        .permit = permit,
        .headers = headers,
        .headers_count = 2,
        .body = "{\"a\":1}",
        .body_length = 7,
        .timeout_ms = timeout_ms,
        .keep_transcript = true,
    };

    client_post(client, &request, result);
}

static inline void client_post_to(struct client *client, const char *url, int64_t timeout_ms,
                                  struct result *result)
{
    client_post_as(client, NULL, url, timeout_ms, result);
}

#endif
