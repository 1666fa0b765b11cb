/* SPDX-License-Identifier: MIT */
#include "listen/monitor.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "listen/accepting.h"
#include "listen/request_reader.h"
#include "listen/socket.h"

#define READ_BYTES   4096
#define ANSWER_MAX   ((size_t)1024 * 1024)
#define NO_BODY      0
#define LINGER_BYTES 65536

struct monitored {
    TAILQ_ENTRY(monitored) entry;
    struct monitor *monitor;
    int socket;
    bool is_lingering; /* answered, and shut for writing */
    size_t lingered;
    struct event *readable, *writable, *deadline;
    struct request_reader request;
    struct buffer out;
    size_t sent;
};

struct monitor {
    struct listen_socket socket;
    struct event_base *base;
    struct accepting *accepting;
    monitor_answer *answer;
    void *owner;
    TAILQ_HEAD(, monitored) clients;
    size_t count;
};

static void watch(struct event *event, bool is_wanted)
{
    if ((is_wanted ? event_add(event, NULL) : event_del(event)) != 0)
        bug("a socket could not be watched");
}

static void client_close(struct monitored *client)
{
    struct monitor *monitor = client->monitor;

    event_free(client->readable);
    event_free(client->writable);
    event_free(client->deadline);
    close(client->socket);
    request_reader_free(&client->request);
    buffer_free(&client->out);
    TAILQ_REMOVE(&monitor->clients, client, entry);
    free(client);
    monitor->count--;
    accepting_set_room(monitor->accepting, true);
}

/* --- answering --- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 503:
        return "Service Unavailable";
    }
    return "Bad Request";
}

static void append_answer(struct monitored *client, int status, const struct buffer *body,
                          bool is_head_only)
{
    buffer_append_format(&client->out,
                         "HTTP/1.1 %d %s\r\n"
                         "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                         "Content-Length: %zu\r\nCache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
                         status, reason_of(status), body->length,
                         status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!is_head_only)
        buffer_append(&client->out, body->data, body->length);
}

/* A reset would take the answer from the client, so what it may still send is read for a moment. */
static void linger(struct monitored *client)
{
    shutdown(client->socket, SHUT_WR);
    client->is_lingering = true;
    watch(client->writable, false);
    watch(client->readable, true);
}

static void write_answer(struct monitored *client)
{
    while (client->sent < client->out.length) {
        ssize_t count = send(client->socket, client->out.data + client->sent,
                             client->out.length - client->sent, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            watch(client->writable, true);
            return;
        }
        if (count < 0) {
            client_close(client);
            return;
        }
        client->sent += (size_t)count;
    }
    linger(client);
}

static int answer_of(struct monitored *client, struct buffer *body)
{
    const struct served_head *head = &client->request.head;
    struct monitor *monitor = client->monitor;

    if (client->request.progress == REQUEST_REFUSED) {
        buffer_append_format(body, "%s\n", client->request.reason);
        return 400;
    }
    if (!slice_is(head->method, "GET") && !slice_is(head->method, "HEAD")) {
        buffer_append_string(body, "only GET is known here\n");
        return 405;
    }
    if (head->is_chunked || head->content_length > 0) {
        buffer_append_string(body, "a request has no body here\n");
        return 400;
    }
    return monitor->answer(monitor->owner, head->path, body);
}

static void answer_client(struct monitored *client)
{
    bool is_head_only = client->request.progress == REQUEST_HEAD_DONE &&
                        slice_is(client->request.head.method, "HEAD");
    struct buffer body;
    int status;

    watch(client->readable, false);
    buffer_init(&body, ANSWER_MAX);
    status = answer_of(client, &body);
    append_answer(client, status, &body, is_head_only);
    buffer_free(&body);
    write_answer(client);
}

/* --- reading --- */

static void take(struct monitored *client, const char *bytes, size_t length)
{
    if (client->is_lingering) {
        client->lingered += length;
        if (client->lingered > LINGER_BYTES)
            client_close(client);
        return;
    }
    request_reader_take(&client->request, bytes, length);
    if (client->request.progress != REQUEST_HEAD)
        answer_client(client);
}

static void on_readable(evutil_socket_t socket, short what, void *argument)
{
    struct monitored *client = argument;
    char bytes[READ_BYTES];
    ssize_t count = recv(socket, bytes, sizeof(bytes), 0);

    (void)what;
    if (count > 0)
        take(client, bytes, (size_t)count);
    else if (count == 0 || (errno != EAGAIN && errno != EINTR))
        client_close(client);
}

static void on_writable(evutil_socket_t socket, short what, void *argument)
{
    (void)socket;
    (void)what;
    write_answer(argument);
}

static void on_deadline(evutil_socket_t socket, short what, void *argument)
{
    (void)socket;
    (void)what;
    client_close(argument);
}

static struct event *new_event(struct monitored *client, int socket, short events,
                               event_callback_fn on_event)
{
    struct event *event = event_new(client->monitor->base, socket, events, on_event, client);

    if (event == NULL)
        bug("an event could not be made");
    return event;
}

static bool on_client(void *owner, int socket)
{
    struct monitor *monitor = owner;
    struct monitored *client = memory_new(1, sizeof(*client));
    struct timeval after = {MONITOR_SECONDS, 0};

    client->monitor = monitor;
    client->socket = socket;
    request_reader_init(&client->request, NO_BODY);
    buffer_init(&client->out, ANSWER_MAX + 1024);
    client->readable = new_event(client, socket, EV_READ | EV_PERSIST, on_readable);
    client->writable = new_event(client, socket, EV_WRITE | EV_PERSIST, on_writable);
    client->deadline = new_event(client, -1, 0, on_deadline);
    if (evtimer_add(client->deadline, &after) != 0)
        bug("timer could not be set");
    TAILQ_INSERT_TAIL(&monitor->clients, client, entry);
    watch(client->readable, true);
    return ++monitor->count < MONITOR_CLIENTS;
}

struct monitor *monitor_new(struct event_base *base, const char *listen, const char *key,
                            monitor_answer *answer, void *owner, struct error *error)
{
    struct monitor *monitor = memory_new(1, sizeof(*monitor));

    if (!listen_socket_open(&monitor->socket, listen, key, error)) {
        free(monitor);
        return NULL;
    }
    monitor->base = base;
    monitor->answer = answer;
    monitor->owner = owner;
    TAILQ_INIT(&monitor->clients);
    monitor->accepting = accepting_new(base, &monitor->socket, on_client, monitor);
    return monitor;
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    while (!TAILQ_EMPTY(&monitor->clients))
        client_close(TAILQ_FIRST(&monitor->clients)); /* NOLINT(clang-analyzer-unix.Malloc) */
    accepting_free(monitor->accepting);
    listen_socket_close(&monitor->socket);
    free(monitor);
}

const char *monitor_address(const struct monitor *monitor)
{
    return monitor->socket.address;
}
