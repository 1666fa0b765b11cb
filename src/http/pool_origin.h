/* SPDX-License-Identifier: MIT */
/*
 * http/pool_origin.h: what a connection is good for: scheme, host and port (and a zone) with the
 * permit under which it was made, or the proxy (worker/origin.h has what may be sent).
 *
 * An origin lives while a target or a connection uses it, and is freed when the last of them lets
 * it go. What is idle and what was learned of the receiver is the pool's, which alone changes it.
 */
#ifndef POSTRIDER_HTTP_POOL_ORIGIN_H
#define POSTRIDER_HTTP_POOL_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

struct connection;

TAILQ_HEAD(connection_list, connection);

struct pool_origin_table {
    struct pool_origin *by_key;
};

struct pool_origin {
    UT_hash_handle hh; /* by key */
    struct pool_origin_table *table;
    char *key;
    size_t users;                /* targets and connections that have acquired it */
    bool is_tls;                 /* bytes go through libcurl, not straight to the socket */
    struct connection_list idle; /* used last first */
    int64_t idle_max_us;         /* no connection is used after so long without use; 0 = any is */
    int64_t proof_us;      /* for how long one must stay open before any is used; 0 = trusted */
    int64_t last_proof_us; /* what proof_us was after the last loss, … */
    int64_t lost_us;       /* … and when that was; 0 = never */
};

/* The one of this key, new or known. is_tls: bytes go through libcurl. */
struct pool_origin *pool_origin_find(struct pool_origin_table *table, const char *key, bool is_tls);

/* One user more. pool_origin_find() has its caller as a user already. */
void pool_origin_acquire(struct pool_origin *origin);
void pool_origin_release(struct pool_origin *origin);

#endif
