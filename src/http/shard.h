/* SPDX-License-Identifier: MIT */
/*
 * http/shard.h: one CURLM of an engine, driven by libevent: socket events, one timer, and
 * curl_multi_socket_action() for both (the model of curl's hiperfifo.c).
 *
 * A handle that has ended is told, and stays in it with its connection until shard_remove().
 */
#ifndef POSTRIDER_HTTP_SHARD_H
#define POSTRIDER_HTTP_SHARD_H

#include <curl/curl.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <sys/queue.h>

#include "http/watch.h"

struct shard;

struct shard_callbacks {
    /* From inside libcurl: a socket of the handle is not waited for any more. */
    void (*on_lost)(CURL *easy);
    /* From inside the event loop, but not from inside libcurl. */
    void (*on_ended)(struct shard *shard, CURL *easy, CURLcode code);
};

struct shard {
    TAILQ_ENTRY(shard) entry;
    CURLM *multi;
    struct watch_table *watches;
    struct event timer;
    const struct shard_callbacks *callbacks; /* borrowed */
    void *owner;
    size_t handles; /* in multi */
};

/* NULL when libcurl can't make one: no file descriptors are left. */
struct shard *shard_new(struct event_base *base, struct watch_table *watches,
                        const struct shard_callbacks *callbacks, void *owner);

/* The handles must have been removed. */
void shard_free(struct shard *shard);

void shard_add(struct shard *shard, CURL *easy);

/* Closes its connection. */
void shard_remove(struct shard *shard, CURL *easy);

/* The watch table's callback. */
void shard_on_ready(struct shard *shard, int fd, int flags);

#endif
