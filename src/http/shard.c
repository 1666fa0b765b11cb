/* SPDX-License-Identifier: MIT */
#include "http/shard.h"

#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"

static void must(CURLMcode code, const char *what)
{
    if (code != CURLM_OK)
        bug("%s: %s", what, curl_multi_strerror(code));
}

static void tell_ended(struct shard *shard)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            shard->callbacks->on_ended(shard, message->easy_handle, message->data.result);
    }
}

static void act(struct shard *shard, curl_socket_t fd, int flags)
{
    int running = 0;

    must(curl_multi_socket_action(shard->multi, fd, flags, &running), "curl_multi_socket_action");
    tell_ended(shard);
}

void shard_on_ready(struct shard *shard, int fd, int flags)
{
    act(shard, fd, flags);
}

static void on_timer_event(evutil_socket_t fd, short events, void *argument)
{
    (void)fd;
    (void)events;
    act(argument, CURL_SOCKET_TIMEOUT, 0);
}

static int on_multi_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct shard *shard = user;

    (void)socket_user;
    watch_set(shard->watches, shard, fd, what);
    if (what == CURL_POLL_REMOVE)
        shard->callbacks->on_lost(easy);
    return 0;
}

/* Never acts by itself, not even at once: libcurl calls this from inside its own functions. */
static int on_multi_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct shard *shard = user;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0)
        event_del(&shard->timer);
    else
        event_add(&shard->timer, &timeout);
    return 0;
}

/* libcurl closes no connection by itself, whatever their number: they are ours to count. */
static void set_options(struct shard *shard)
{
    must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_multi_socket), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_multi_timer), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)INT_MAX), "setopt");
}

struct shard *shard_new(struct event_base *base, struct watch_table *watches,
                        const struct shard_callbacks *callbacks, void *owner)
{
    CURLM *multi = curl_multi_init();
    struct shard *shard;

    if (multi == NULL)
        return NULL;
    shard = memory_new(1, sizeof(*shard));
    shard->multi = multi;
    shard->watches = watches;
    shard->callbacks = callbacks;
    shard->owner = owner;
    event_assign(&shard->timer, base, -1, 0, on_timer_event, shard);
    set_options(shard);
    return shard;
}

void shard_free(struct shard *shard)
{
    must(curl_multi_cleanup(shard->multi), "curl_multi_cleanup");
    event_del(&shard->timer);
    free(shard);
}

void shard_add(struct shard *shard, CURL *easy)
{
    must(curl_multi_add_handle(shard->multi, easy), "curl_multi_add_handle");
    shard->handles++;
}

void shard_remove(struct shard *shard, CURL *easy)
{
    must(curl_multi_remove_handle(shard->multi, easy), "curl_multi_remove_handle");
    shard->handles--;
}
