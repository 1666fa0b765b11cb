/* SPDX-License-Identifier: MIT */
/*
 * http/pool.h: the connections to each origin (http/pool_origin.h) that are kept while idle.
 *
 * The connection used last is used first, so that a surplus grows old and is closed: after
 * POOL_IDLE_MS without use, or when more than the limit are idle, the oldest of all origins first.
 * Plain ones cost little but a file descriptor; those with TLS hold buffers and certificates, and
 * have a limit of their own. None is used after its lifetime (network.connection_lifetime, up to a
 * quarter less, so that those made together don't all end together): its name may point elsewhere
 * by then.
 *
 * A request that went out whole is never sent again (conversation.h), so that the race between a
 * request and a receiver that closes an idle connection is one to keep out of:
 *
 * - What the receiver says of itself is obeyed (core/keep_alive.h): no connection is used in the
 * last second before the end that it has told, nor for more requests. Of a number that it repeats,
 * both readings are kept to: so many in all, and so many still to come.
 * - What is seen of it is learned: when it has ended a connection after two seconds or more without
 *   use, no connection is used in the last second before that, until it is seen to keep one longer.
 * - When it ends one under a request earlier than that, it may be one that closes after every
 * answer without saying so, or may just have been restarted. Then one connection is kept as a
 * witness, and none is used until it has stayed open for POOL_PROOF_MS; four times as long with
 * every further loss that comes soon after, up to POOL_PROOF_MAX_MS.
 */
#ifndef POSTRIDER_HTTP_POOL_H
#define POSTRIDER_HTTP_POOL_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/keep_alive.h"
#include "http/pool_origin.h"

#define POOL_IDLE_MS      60000
#define POOL_MARGIN_MS    1000
#define POOL_PROOF_MS     1000
#define POOL_PROOF_MAX_MS 30000

struct connection;

/* The idle connections of one kind. */
struct pool_shelf {
    struct connection_list by_age; /* idle for longest first */
    size_t idle;
    size_t max_idle;
};

struct pool {
    struct pool_origin_table origins; /* in use, whether they have idle connections or not */
    struct pool_shelf plain, tls;
    struct event timer; /* for the first that gets too old */
};

void pool_init(struct pool *pool, struct event_base *base, size_t max_idle, size_t max_idle_tls);

/* Closes all that is idle. */
void pool_clear(struct pool *pool);

/* All targets and connections must be gone: an origin that is still used is a bug. */
void pool_free(struct pool *pool);

/* Takes a connection out that seems to be good; NULL when there is none. */
struct connection *pool_take(struct pool *pool, struct pool_origin *origin);

/* Keeps connection, which has just carried an answer that said so of itself, or closes it. */
void pool_put(struct pool *pool, struct connection *connection, const struct keep_alive *said,
              int64_t now_us);

/* Closes a connection that is idle. */
void pool_drop(struct pool *pool, struct connection *connection);

/* The same, for the receiver has ended it. */
void pool_drop_ended(struct pool *pool, struct connection *connection);

/* The receiver has ended a connection under a request, before which it was idle for so long. */
void pool_note_loss(struct pool_origin *origin, int64_t idle_us, int64_t now_us);

#endif
