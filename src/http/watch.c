/* SPDX-License-Identifier: MIT */
#include "http/watch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct watch {
    struct event event;
    struct watch_table *table;
    struct shard *shard;
    short events; /* registered in libevent; 0 = none */
};

void watch_table_init(struct watch_table *table, struct event_base *base, watch_ready *on_ready)
{
    *table = (struct watch_table){.base = base, .on_ready = on_ready};
}

static void unregister(struct watch *watch)
{
    if (watch->events != 0)
        event_del(&watch->event);
    watch->events = 0;
}

void watch_table_free(struct watch_table *table)
{
    for (size_t fd = 0; fd < table->capacity; fd++) {
        if (table->by_fd[fd].watch != NULL)
            unregister(table->by_fd[fd].watch);
        free(table->by_fd[fd].watch);
    }
    free(table->by_fd);
    watch_table_init(table, table->base, table->on_ready);
}

static void grow(struct watch_table *table, size_t least)
{
    size_t capacity = table->capacity > 0 ? table->capacity : 64;

    while (capacity < least)
        capacity *= 2;
    table->by_fd = memory_resize(table->by_fd, capacity, sizeof(*table->by_fd));
    memset(table->by_fd + table->capacity, 0, (capacity - table->capacity) * sizeof(*table->by_fd));
    table->capacity = capacity;
}

static struct watch *find_or_add(struct watch_table *table, int fd)
{
    size_t index = (size_t)fd;
    struct watch_slot *slot;

    if (index >= table->capacity)
        grow(table, index + 1);
    slot = &table->by_fd[index];
    if (slot->watch == NULL) {
        /* By itself, not in the table: libevent keeps the address of its event, and the table moves
         * when it grows. */
        slot->watch = memory_new(1, sizeof(*slot->watch));
        slot->watch->table = table;
    }
    return slot->watch;
}

void watch_forget(struct watch_table *table, int fd)
{
    unregister(find_or_add(table, fd));
}

static void on_fd_event(evutil_socket_t fd, short events, void *argument)
{
    struct watch *watch = argument;
    int flags = 0;

    if ((events & EV_READ) != 0)
        flags |= CURL_CSELECT_IN;
    if ((events & EV_WRITE) != 0)
        flags |= CURL_CSELECT_OUT;
    watch->table->on_ready(watch->shard, fd, flags);
}

static void register_for(struct watch *watch, int fd, short events)
{
    unregister(watch);
    event_assign(&watch->event, watch->table->base, fd, (short)(events | EV_PERSIST), on_fd_event,
                 watch);
    if (event_add(&watch->event, NULL) != 0)
        bug("event_add() failed for socket %d", fd);
    watch->events = events;
}

void watch_set(struct watch_table *table, struct shard *shard, int fd, int what)
{
    struct watch *watch = find_or_add(table, fd);
    short events = 0;

    watch->shard = shard;
    if (what == CURL_POLL_REMOVE) {
        unregister(watch);
        return;
    }
    if ((what & CURL_POLL_IN) != 0)
        events |= EV_READ;
    if ((what & CURL_POLL_OUT) != 0)
        events |= EV_WRITE;
    if (events != watch->events)
        register_for(watch, fd, events);
}
