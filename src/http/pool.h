/*
 * http/pool.h: the origins that are known, and the connections to them that are kept while idle.
 *
 * A pool_origin is what a connection is good for (worker/origin.h has what may be sent): scheme,
 * host and port (and a zone) with the permit under which it was made, or the proxy. It lives while
 * a target or a connection holds it. The connection used last is used first, so that a surplus
 * grows old and is closed: after POOL_IDLE_MS without use, POOL_LIFETIME_MS after it was opened
 * (its name may point elsewhere by then), or when more than the limit are idle, the oldest of all
 * origins first. Plain ones cost little but a file descriptor; those with TLS hold buffers and
 * certificates, and have a limit of their own.
 *
 * An origin whose kept connection ended under a request is not trusted to keep them for
 * POOL_DISTRUST_MS: some servers close after every answer without saying so, and a request that
 * went out whole is never sent again (conversation.h).
 */
#ifndef POSTRIDER_HTTP_POOL_H
#define POSTRIDER_HTTP_POOL_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#define POOL_IDLE_MS     60000
#define POOL_LIFETIME_MS 600000
#define POOL_DISTRUST_MS 60000

struct connection;

TAILQ_HEAD(connection_list, connection);

struct pool_origin {
    UT_hash_handle hh; /* by key */
    char *key;
    size_t users;
    bool is_tls;                 /* bytes go through libcurl, not straight to the socket */
    struct connection_list idle; /* used last first */
    int64_t distrusted_until_us;
};

/* The idle connections of one kind. */
struct pool_shelf {
    struct connection_list by_age; /* idle for longest first */
    size_t idle;
    size_t max_idle;
};

struct pool {
    struct pool_origin *by_key;
    struct pool_shelf plain, tls;
    struct event timer; /* for the first that gets too old */
};

void pool_init(struct pool *pool, struct event_base *base, size_t max_idle, size_t max_idle_tls);

/* Closes all that is idle. */
void pool_clear(struct pool *pool);

/* All targets and connections must be gone. */
void pool_free(struct pool *pool);

struct pool_origin *pool_hold_origin(struct pool *pool, const char *key, bool is_tls);
void pool_release_origin(struct pool *pool, struct pool_origin *origin);

/* Takes a connection out that seems to be good; NULL when there is none. */
struct connection *pool_take(struct pool *pool, struct pool_origin *origin);

/* Keeps connection, which has just carried an answer, or closes it. */
void pool_put(struct pool *pool, struct connection *connection, int64_t now_us);

/* Closes a connection that is idle. */
void pool_drop(struct pool *pool, struct connection *connection);

void pool_distrust(struct pool_origin *origin, int64_t now_us);

#endif
