/*
 * http/target.h: where requests go: a URL, checked and taken apart once.
 *
 * A table keeps what was found for the URLs used last, up to TARGETS_MAX_BYTES, so that a request
 * costs one look-up instead of parsing. libcurl's parser does the work, and the request line and
 * the Host header are what its own HTTP engine would send. A target that is in use is never
 * dropped; a URL that can't be used is not remembered.
 *
 * Behind an HTTP proxy requests to http URLs name the whole URL and share the proxy's connections.
 */
#ifndef POSTRIDER_HTTP_TARGET_H
#define POSTRIDER_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/error.h"
#include "http/pool.h"
#include "http/settings.h"

#define TARGETS_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct target {
    UT_hash_handle hh; /* by url */
    TAILQ_ENTRY(target) entry;
    size_t users; /* requests that hold it */
    size_t bytes;
    struct pool_origin *origin; /* holds it */
    char *url;                  /* as asked for */
    char *ascii;                /* for libcurl */
    char *head;                 /* the request line, Host and Accept, and what the proxy must get */
    size_t head_length;
};

TAILQ_HEAD(target_list, target);

struct target_table {
    const struct settings *settings;
    struct pool *pool;
    struct target *by_url;
    struct target_list by_use; /* used last at the end */
    size_t bytes;
};

void target_table_init(struct target_table *table, const struct settings *settings,
                       struct pool *pool);

/* None may be in use. */
void target_table_free(struct target_table *table);

/* The target of url, held until target_release(); NULL with error when no request can be made. */
struct target *target_hold(struct target_table *table, const char *url,
                           struct error *error) MUST_USE;
void target_release(struct target_table *table, struct target *target);

#endif
