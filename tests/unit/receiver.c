/* SPDX-License-Identifier: MIT */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

void send_bytes(struct connection *connection, const void *bytes, size_t length)
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

void send_text(struct connection *connection, const char *text)
{
    send_bytes(connection, text, strlen(text));
}

void wait_for_close(struct connection *connection)
{
    char bytes[4096];

    while (recv(connection->fd, bytes, sizeof(bytes), 0) > 0)
        continue;
}

void reset_connection(struct connection *connection)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    connect(connection->fd, &nowhere, sizeof(nowhere));
}

static size_t find_body_length(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");

    return field != NULL ? strtoul(field + 17, NULL, 10) : 0;
}

bool is_whole_request(const char *text, size_t length)
{
    const char *end = strstr(text, "\r\n\r\n");

    return end != NULL && length >= (size_t)(end + 4 - text) + find_body_length(text);
}

bool read_request(struct connection *connection)
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

static void *run_connection(void *argument)
{
    struct connection *connection = argument;

    connection->receiver->serve(connection);
    shutdown(connection->fd, SHUT_RDWR);
    connection->receiver->ended++;
    return NULL;
}

/* Connections keep their file descriptors until the end, so that none is closed twice. */
static void *run_receiver(void *argument)
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

int bind_anywhere(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct receiver *receiver_start(script *serve)
{
    struct receiver *receiver = memory_new(1, sizeof(*receiver));

    receiver->serve = serve;
    pthread_mutex_init(&receiver->lock, NULL);
    receiver->fd = bind_anywhere(&receiver->port);
    assert_int_equal(listen(receiver->fd, RECEIVER_CONNECTIONS_MAX), 0);
    pthread_create(&receiver->thread, NULL, run_receiver, receiver);
    return receiver;
}

void receiver_stop(struct receiver *receiver)
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
