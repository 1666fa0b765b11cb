/*
 * http/shard.h: one CURLM of an engine, driven by libevent: socket events, one timer, and
 * curl_multi_socket_action() for both (the model of curl's hiperfifo.c).
 *
 * An engine has several, since the cost of a transfer grows with the connections in its CURLM:
 * curl_multi_remove_handle() walks all of them. All transfers to an origin go to the same one, or
 * they could not share connections.
 */
#ifndef POSTRIDER_HTTP_SHARD_H
#define POSTRIDER_HTTP_SHARD_H

#include <curl/curl.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/watch.h"

/* Something in the shard has ended; called from inside the event loop. */
typedef void shard_ended(void *owner);

struct shard {
    CURLM *multi;
    struct watch_table *watches;
    struct event timer;
    shard_ended *on_ended;
    void *owner;
    size_t added;         /* handles in multi */
    size_t ended;         /* of these: ended and not taken yet */
    size_t connections;   /* open, in use or idle; counted by the socket callbacks */
    long max_connections; /* as set in multi */
};

void shard_init(struct shard *shard, struct event_base *base, struct watch_table *watches,
                shard_ended *on_ended, void *owner);

/* Closes all connections; the handles must have been removed. */
void shard_free(struct shard *shard);

void shard_add(struct shard *shard, CURL *easy);
void shard_remove(struct shard *shard, CURL *easy);

/* Takes out a handle that has ended; NULL when there is none. */
CURL *shard_take_ended(struct shard *shard, CURLcode *ret_code);

/* Connections above limit, idle or not, make the shard close the one idle for longest. */
void shard_limit_connections(struct shard *shard, size_t limit);

/* The watch table's callback. */
void shard_on_ready(struct shard *shard, int fd, int flags);

#endif
