/*
 * http/watch.h: the sockets that libcurl wants to hear of, in libevent.
 *
 * libcurl says CURL_POLL_REMOVE whenever a transfer ends, though its connection is kept and the
 * next request asks for the same socket again. Taking it out of epoll and putting it back costs a
 * fifth of a request's time, so a socket that we opened stays registered until it is closed, or
 * until something happens on it while nobody waits (the peer closed it; libcurl notices by itself
 * before it uses the connection again). Sockets that libcurl makes for itself, the resolver's
 * pairs, are closed behind our back and therefore removed at once.
 *
 * One table for an engine: a file descriptor belongs to one shard at a time. Records are kept for
 * reuse and freed with the table.
 */
#ifndef POSTRIDER_HTTP_WATCH_H
#define POSTRIDER_HTTP_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct shard;
struct watch;

/* flags are CURL_CSELECT_IN and _OUT. */
typedef void watch_ready(struct shard *shard, int fd, int flags);

struct watch_slot {
    struct watch *watch; /* NULL until its file descriptor is first seen */
};

struct watch_table {
    struct event_base *base;
    watch_ready *on_ready;
    size_t capacity;
    struct watch_slot *by_fd;
};

void watch_table_init(struct watch_table *table, struct event_base *base, watch_ready *on_ready);
void watch_table_free(struct watch_table *table);

/* fd was opened by us, and we will be asked to close it. */
void watch_open(struct watch_table *table, struct shard *shard, int fd);

/* Forgets fd, which the caller closes next. Returns the shard that it was opened for. */
struct shard *watch_close(struct watch_table *table, int fd);

/* what is CURL_POLL_IN, _OUT, _INOUT or _REMOVE. */
void watch_set(struct watch_table *table, struct shard *shard, int fd, int what);

#endif
