/* SPDX-License-Identifier: MIT */
/*
 * http/watch.h: the sockets that libcurl wants to hear of while it connects, in libevent.
 *
 * One table for an engine: a file descriptor belongs to one shard at a time. Records are kept for
 * reuse and freed with the table.
 */
#ifndef POSTRIDER_HTTP_WATCH_H
#define POSTRIDER_HTTP_WATCH_H

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

/* For a socket just opened: libcurl closes some without a word. */
void watch_forget(struct watch_table *table, int fd);

/* what is CURL_POLL_IN, _OUT, _INOUT or _REMOVE. */
void watch_set(struct watch_table *table, struct shard *shard, int fd, int what);

#endif
