/* SPDX-License-Identifier: MIT */
#include "http/connection.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"

#define FROM(state) (1u << (state))

/* The states from which each may be entered. */
static const unsigned legal[] = {
    [CONNECTION_DIALING] = 0,
    [CONNECTION_BUSY] = FROM(CONNECTION_DIALING) | FROM(CONNECTION_IDLE),
    [CONNECTION_IDLE] = FROM(CONNECTION_BUSY),
    [CONNECTION_CLOSED] = FROM(CONNECTION_DIALING) | FROM(CONNECTION_BUSY) | FROM(CONNECTION_IDLE),
};

static const char *const names[] = {
    [CONNECTION_DIALING] = "dialing",
    [CONNECTION_BUSY] = "busy",
    [CONNECTION_IDLE] = "idle",
    [CONNECTION_CLOSED] = "closed",
};

void connection_set_state(struct connection *connection, enum connection_state state)
{
    if ((legal[state] & FROM(connection->state)) == 0)
        bug("a connection goes from %s to %s", names[connection->state], names[state]);
    connection->state = state;
}

struct connection *connection_new(const struct connection_common *common,
                                  struct pool_origin *origin, struct transfer *transfer)
{
    struct connection *connection = memory_new(1, sizeof(*connection));

    connection->state = CONNECTION_DIALING;
    connection->common = common;
    connection->origin = origin;
    connection->transfer = transfer;
    connection->stream.fd = -1;
    connection->requests_left = INT64_MAX;
    pool_origin_acquire(origin);
    return connection;
}

bool connection_has_input(struct connection *connection)
{
    const struct connection_common *common = connection->common;
    const char *reason;
    size_t length;

    if (connection->stream.easy == NULL)
        return false; /* the loop would have told us */
    return stream_receive(&connection->stream, common->input, common->input_bytes, &length,
                          &reason) != STREAM_AGAIN;
}

/* Without TLS anything that can be read is one byte too many; with it, it may be a new ticket. */
static void on_idle_input(struct connection *connection)
{
    if (connection->stream.easy == NULL || connection_has_input(connection))
        connection->common->on_idle_end(connection->common->owner, connection);
}

static void on_readable_event(evutil_socket_t fd, short events, void *argument)
{
    struct connection *connection = argument;

    (void)fd;
    (void)events;
    if (connection->state == CONNECTION_IDLE)
        on_idle_input(connection);
    else
        connection->common->on_readable(connection->transfer);
}

static void on_writable_event(evutil_socket_t fd, short events, void *argument)
{
    struct connection *connection = argument;

    (void)fd;
    (void)events;
    connection->common->on_writable(connection->transfer);
}

static int64_t lifetime_us(const struct connection_common *common)
{
    double longest_us = (double)common->lifetime_ms * 1000;

    return (int64_t)(longest_us * (1 - random01() / 4));
}

void connection_open(struct connection *connection, int64_t now_us)
{
    struct event_base *base = connection->common->base;
    struct dial *dial = connection->dial;

    dial_format_peer(dial, connection->peer);
    if (connection->origin->is_tls) {
        /* The TLS session is in libcurl's handle, so the dial stays for as long as the
         * connection. */
        connection->stream = (struct stream){
            .fd = dial_socket(dial), .easy = dial->easy, .detail = dial->curl_error};
    } else {
        connection->stream = (struct stream){.fd = dial_take_socket(dial)};
        connection->dial = NULL;
    }
    connection->retire_us = now_us + lifetime_us(connection->common);
    event_assign(&connection->readable, base, connection->stream.fd, EV_READ | EV_PERSIST,
                 on_readable_event, connection);
    event_assign(&connection->writable, base, connection->stream.fd, EV_WRITE | EV_PERSIST,
                 on_writable_event, connection);
    if (event_add(&connection->readable, NULL) != 0)
        bug("event_add() failed for socket %d", connection->stream.fd);
    connection_set_state(connection, CONNECTION_BUSY);
}

void connection_wait_to_write(struct connection *connection)
{
    event_add(&connection->writable, NULL);
}

void connection_stop_writing(struct connection *connection)
{
    event_del(&connection->writable);
}

void connection_close(struct connection *connection)
{
    connection_set_state(connection, CONNECTION_CLOSED);
    if (connection->stream.fd >= 0) {
        /* Before the socket is closed, since its number may be that of another one at once. */
        event_del(&connection->readable);
        event_del(&connection->writable);
    }
    if (connection->dial != NULL)
        dial_end(connection->dial);
    else if (connection->stream.fd >= 0)
        close(connection->stream.fd);
    pool_origin_release(connection->origin);
    free(connection);
}
