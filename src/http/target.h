/* SPDX-License-Identifier: MIT */
/*
 * http/target.h: where requests go: a URL, checked and taken apart once.
 *
 * A table keeps what was found for the URLs used last, up to TARGETS_MAX_BYTES, so that a request
 * costs one look-up instead of parsing. libcurl's parser does the work, and the Host header is what
 * its own HTTP engine would send; the request line has %XX for what RFC 3986 allows in no path or
 * query (core/percent.h). A target that is in use is never
 * dropped; a URL that can't be used is not remembered.
 *
 * A target is of one URL and one permit (core/permit.h): what one endpoint may reach, and the
 * connections that were made because it may, are no other's. Its gate is what the address check
 * needs to know of the permit: the options' ranges and those of the endpoint together. Requests
 * without a permit share one gate and cost no look at any.
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
#include "core/outcome.h"
#include "core/permit.h"
#include "http/guard.h"
#include "http/pool_origin.h"
#include "http/settings.h"

#define TARGETS_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct gate {
    UT_hash_handle hh; /* by key */
    char *key;         /* of the permit; "" without one */
    size_t targets;
    size_t bytes;
    struct guard guard;
    struct address_range *allow;                  /* the guard's, owned; NULL: the options' */
    const struct client_certificate *certificate; /* NULL = none is shown */
    struct target *by_url;
};

struct target {
    UT_hash_handle hh; /* in the gate, by url */
    TAILQ_ENTRY(target) entry;
    size_t users; /* requests that have acquired it */
    size_t bytes;
    struct gate *gate;          /* acquired */
    struct pool_origin *origin; /* acquired */
    char *url;                  /* as asked for */
    char *ascii;                /* for libcurl */
    bool is_through_proxy;      /* the proxy answers in the receiver's place: no tunnel */
    char *head;                 /* the request line, Host and Accept, and what the proxy must get */
    size_t head_length;
};

TAILQ_HEAD(target_list, target);

struct target_table {
    const struct settings *settings;
    struct pool_origin_table *origins;
    struct gate common;        /* of requests without a permit */
    struct gate *gates;        /* all others */
    struct target_list by_use; /* used last at the end */
    size_t bytes;
};

void target_table_init(struct target_table *table, const struct settings *settings,
                       struct pool_origin_table *origins);

/* None may be in use. */
void target_table_free(struct target_table *table);

/* The target of url for whoever has that permit (NULL: none), the caller's until target_release().
 * When no request can be made: NULL with what that is as an attempt, and the error. */
struct target *target_acquire(struct target_table *table, const char *url,
                              const struct permit *permit, enum attempt_result *ret_result,
                              struct error *error) MUST_USE;
void target_release(struct target_table *table, struct target *target);

#endif
