/* SPDX-License-Identifier: MIT */
#include "http/pool.h"

#include <event2/event.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "http/connection.h"

#define MARGIN_US ((int64_t)POOL_MARGIN_MS * 1000)

/* A loss so soon after the one before is of the same kind. */
#define REPEATED_US INT64_C(120000000)

static int64_t expires_us(const struct connection *connection)
{
    return connection->idle_since_us + (int64_t)POOL_IDLE_MS * 1000;
}

static struct pool_shelf *shelf_of(struct pool *pool, const struct pool_origin *origin)
{
    return origin->is_tls ? &pool->tls : &pool->plain;
}

/* The one that has been idle for longest; NULL when none is. */
static struct connection *oldest_of(const struct pool *pool)
{
    struct connection *plain = TAILQ_FIRST(&pool->plain.by_age);
    struct connection *tls = TAILQ_FIRST(&pool->tls.by_age);

    if (plain == NULL || tls == NULL)
        return plain != NULL ? plain : tls;
    return plain->idle_since_us <= tls->idle_since_us ? plain : tls;
}

static void set_timer(struct pool *pool, int64_t now_us)
{
    const struct connection *oldest = oldest_of(pool);
    int64_t wait_us;
    struct timeval timeout;

    if (oldest == NULL)
        return;
    wait_us = expires_us(oldest) - now_us;
    if (wait_us < 0)
        wait_us = 0;
    timeout = (struct timeval){.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
    event_add(&pool->timer, &timeout);
}

static void on_pool_timer(evutil_socket_t fd, short events, void *argument)
{
    struct pool *pool = argument;
    int64_t now_us = clock_monotonic_us();
    struct connection *oldest;

    (void)fd;
    (void)events;
    while ((oldest = oldest_of(pool)) != NULL && expires_us(oldest) <= now_us) {
        oldest->origin->idle_max_us = 0; /* it keeps them for longer than we do */
        pool_drop(pool, oldest);
    }
    set_timer(pool, now_us);
}

void pool_init(struct pool *pool, struct event_base *base, size_t max_idle, size_t max_idle_tls)
{
    *pool = (struct pool){.plain.max_idle = max_idle, .tls.max_idle = max_idle_tls};
    TAILQ_INIT(&pool->plain.by_age);
    TAILQ_INIT(&pool->tls.by_age);
    event_assign(&pool->timer, base, -1, 0, on_pool_timer, pool);
}

void pool_clear(struct pool *pool)
{
    struct connection *oldest;

    while ((oldest = oldest_of(pool)) != NULL)
        pool_drop(pool, oldest);
    event_del(&pool->timer);
}

void pool_free(struct pool *pool)
{
    pool_clear(pool);
    if (pool->origins.by_key != NULL)
        bug("the origin %s is still used", pool->origins.by_key->key);
}

static void unlink_idle(struct pool *pool, struct connection *connection)
{
    struct pool_shelf *shelf = shelf_of(pool, connection->origin);

    TAILQ_REMOVE(&connection->origin->idle, connection, by_origin);
    TAILQ_REMOVE(&shelf->by_age, connection, by_age);
    shelf->idle--;
}

void pool_drop(struct pool *pool, struct connection *connection)
{
    unlink_idle(pool, connection);
    connection_close(connection);
}

static void learn_end(struct pool_origin *origin, int64_t idle_us)
{
    if (idle_us >= 2 * MARGIN_US)
        origin->idle_max_us = idle_us - MARGIN_US;
}

void pool_drop_ended(struct pool *pool, struct connection *connection)
{
    learn_end(connection->origin, clock_monotonic_us() - connection->idle_since_us);
    pool_drop(pool, connection);
}

/* Whether the one that was used last may be used, of which all others have been idle for longer. */
static bool is_trusted(struct pool_origin *origin, const struct connection *latest, int64_t now_us)
{
    int64_t idle_us = now_us - latest->idle_since_us;

    if (idle_us < origin->proof_us)
        return false;
    origin->proof_us = 0;
    return idle_us < latest->idle_max_us &&
           (origin->idle_max_us == 0 || idle_us < origin->idle_max_us);
}

/* Those that nobody may use any more stay where they are: when they end, that is learned. */
struct connection *pool_take(struct pool *pool, struct pool_origin *origin)
{
    int64_t now_us = TAILQ_EMPTY(&origin->idle) ? 0 : clock_monotonic_us();
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&origin->idle)) != NULL) {
        if (now_us >= connection->retire_us) {
            pool_drop(pool, connection);
            continue;
        }
        if (!is_trusted(origin, connection, now_us))
            return NULL;
        if (!connection_has_input(connection)) {
            unlink_idle(pool, connection);
            connection_set_state(connection, CONNECTION_BUSY);
            return connection;
        }
        /* It has ended, or says something that nobody asked for. The ones behind it may be well. */
        pool_drop_ended(pool, connection);
    }
    return NULL;
}

static bool may_be_kept(const struct pool *pool, struct connection *connection,
                        const struct keep_alive *said, int64_t now_us)
{
    const struct pool_origin *origin = connection->origin;
    bool is_witness = TAILQ_EMPTY(&origin->idle);

    connection->idle_max_us = (int64_t)POOL_IDLE_MS * 1000;
    if (said->timeout_s != KEEP_ALIVE_UNSAID && said->timeout_s * 1000 < POOL_IDLE_MS)
        connection->idle_max_us = said->timeout_s * 1000000 - MARGIN_US;
    connection->requests_left--;
    if (said->max_requests != KEEP_ALIVE_UNSAID && said->max_requests < connection->requests_left)
        connection->requests_left = said->max_requests;
    return (origin->is_tls ? pool->tls : pool->plain).max_idle > 0 &&
           now_us < connection->retire_us && connection->idle_max_us > 0 &&
           connection->requests_left > 0 && (origin->proof_us == 0 || is_witness);
}

void pool_put(struct pool *pool, struct connection *connection, const struct keep_alive *said,
              int64_t now_us)
{
    struct pool_origin *origin = connection->origin;
    struct pool_shelf *shelf = shelf_of(pool, origin);
    bool was_empty = pool->plain.idle + pool->tls.idle == 0;

    if (!may_be_kept(pool, connection, said, now_us)) {
        connection_close(connection);
        return;
    }
    connection->idle_since_us = now_us;
    connection_set_state(connection, CONNECTION_IDLE);
    TAILQ_INSERT_HEAD(&origin->idle, connection, by_origin);
    TAILQ_INSERT_TAIL(&shelf->by_age, connection, by_age);
    if (++shelf->idle > shelf->max_idle)
        pool_drop(pool, TAILQ_FIRST(&shelf->by_age));
    /* Otherwise it is set for one that has been idle for longer, and goes off before this one is
     * due. */
    if (was_empty && event_pending(&pool->timer, EV_TIMEOUT, NULL) == 0)
        set_timer(pool, now_us);
}

void pool_note_loss(struct pool_origin *origin, int64_t idle_us, int64_t now_us)
{
    bool is_repeated = origin->lost_us > 0 && now_us - origin->lost_us < REPEATED_US;
    int64_t proof_us = is_repeated ? origin->last_proof_us * 4 : (int64_t)POOL_PROOF_MS * 1000;

    /* It had been idle for long enough to learn from: later ones are simply not used for so long.
     * Sooner than that, nothing of it can be trusted for a while. */
    if (idle_us >= 2 * MARGIN_US) {
        learn_end(origin, idle_us);
        return;
    }
    if (proof_us > (int64_t)POOL_PROOF_MAX_MS * 1000)
        proof_us = (int64_t)POOL_PROOF_MAX_MS * 1000;
    origin->proof_us = proof_us;
    origin->last_proof_us = proof_us;
    origin->lost_us = now_us;
}
