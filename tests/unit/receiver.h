/* SPDX-License-Identifier: MIT */
/*
 * receiver.h: a scripted HTTP receiver on 127.0.0.1 in threads of the test. A script gets one
 * connection; when it returns, the connection is ended. client.h has the engine to drive against
 * it.
 */
#ifndef POSTRIDER_TESTS_RECEIVER_H
#define POSTRIDER_TESTS_RECEIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "unit.h"

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

void send_bytes(struct connection *connection, const void *bytes, size_t length);

void send_text(struct connection *connection, const char *text);

/* Until the client closes. */
void wait_for_close(struct connection *connection);

/* Linux answers this with RST. */
void reset_connection(struct connection *connection);

/* What was read so far has the end of a request in it. */
bool is_whole_request(const char *text, size_t length);

/* Reads a request and keeps it; false when the client closed before it was complete. */
bool read_request(struct connection *connection);

/* A socket with a free port of 127.0.0.1, which refuses connections until it listens. */
int bind_anywhere(int *ret_port);

struct receiver *receiver_start(script *serve);

void receiver_stop(struct receiver *receiver);

#endif
