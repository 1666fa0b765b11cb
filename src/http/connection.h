/* SPDX-License-Identifier: MIT */
/*
 * http/connection.h: one connection, from the first try to reach an address to its end.
 *
 *     dialing ──→ busy ⇄ idle
 *        └────→ closed ←──┘ (also from busy)
 *
 * While dialing, libcurl works on it (dialer.h). Then its socket is registered for reading once and
 * stays so until it is closed, in use or not: bytes, or the end, while idle mean that it is no
 * longer good, and it goes. Writing is waited for only when the socket was full.
 *
 * A dialing or busy connection belongs to the transfer it carries, an idle one to the pool.
 * connection_close() frees it. It knows neither of them: what happens on its socket is told by
 * callbacks, any of which may close it.
 */
#ifndef POSTRIDER_HTTP_CONNECTION_H
#define POSTRIDER_HTTP_CONNECTION_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http/dialer.h"
#include "http/guard.h"
#include "http/pool_origin.h"
#include "http/stream.h"

struct connection;
struct event_base;
struct transfer;

enum connection_state {
    CONNECTION_DIALING,
    CONNECTION_BUSY,
    CONNECTION_IDLE,
    CONNECTION_CLOSED,
};

/* What all connections of an engine share; it outlives them. */
struct connection_common {
    struct event_base *base;
    int64_t lifetime_ms; /* at most; a connection gets up to a quarter less */
    char *input;         /* for what is read and thrown away: more than a TLS record can hold */
    size_t input_bytes;
    void (*on_readable)(struct transfer *transfer);
    void (*on_writable)(struct transfer *transfer);
    void (*on_idle_end)(void *owner, struct connection *connection); /* it is no longer good */
    void *owner;
};

struct connection {
    enum connection_state state;
    const struct connection_common *common;
    struct pool_origin *origin;        /* acquired */
    struct transfer *transfer;         /* dialing and busy */
    TAILQ_ENTRY(connection) by_origin; /* idle: in the origin's list … */
    TAILQ_ENTRY(connection) by_age;    /* … and in the pool's */
    struct dial *dial;                 /* dialing, and with TLS until it is closed */
    struct stream stream;              /* fd is -1 while dialing */
    struct event readable;
    struct event writable;
    int64_t retire_us; /* no request begins on it from then on */
    int64_t idle_since_us;
    int64_t idle_max_us;   /* for how long it may be idle by what the receiver said */
    int64_t requests_left; /* the same */
    char peer[GUARD_PEER_SIZE];
};

/* For transfer, dialing. */
struct connection *connection_new(const struct connection_common *common,
                                  struct pool_origin *origin, struct transfer *transfer);

/* libcurl has connected: the socket is ours, and waited for. dialing → busy. */
void connection_open(struct connection *connection, int64_t now_us);

/* The one setter; an illegal move is a bug. */
void connection_set_state(struct connection *connection, enum connection_state state);

/* Closes it in any state but idle in the pool (pool_drop()), and frees it. */
void connection_close(struct connection *connection);

void connection_wait_to_write(struct connection *connection);
void connection_stop_writing(struct connection *connection);

/* True when something came over an idle connection that was not asked for, or its end. */
bool connection_has_input(struct connection *connection);

#endif
