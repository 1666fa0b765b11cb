/* SPDX-License-Identifier: MIT */
#include "http/dialer.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "base/memory.h"
#include "http/handle.h"

#define SPARE_MAX 64

static void forget_lost_socket(struct dial *dial)
{
    if (dial->is_socketless)
        TAILQ_REMOVE(&dial->dialer->socketless, dial, entry);
    dial->is_socketless = false;
}

static struct dial *dial_of(CURL *easy)
{
    char *private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct dial *)(void *)private;
}

static void on_shard_lost(CURL *easy)
{
    struct dial *dial = dial_of(easy);

    if (dial->guard == NULL || dial->is_socketless)
        return; /* it has ended, or is noted */
    if (TAILQ_EMPTY(&dial->dialer->socketless))
        event_active(&dial->dialer->socketless_event, EV_TIMEOUT, 0);
    dial->is_socketless = true;
    TAILQ_INSERT_TAIL(&dial->dialer->socketless, dial, entry);
}

static void on_shard_ended(struct shard *shard, CURL *easy, CURLcode code)
{
    struct dialer *dialer = shard->owner;
    struct dial *dial = dial_of(easy);

    forget_lost_socket(dial);
    handle_forget_request(dial);
    dialer->on_ended(dial->owner, code);
}

static const struct shard_callbacks callbacks = {
    .on_lost = on_shard_lost,
    .on_ended = on_shard_ended,
};

static struct shard *add_shard(struct dialer *dialer)
{
    struct shard *shard = shard_new(dialer->base, &dialer->watches, &callbacks, dialer);

    if (shard != NULL)
        TAILQ_INSERT_TAIL(&dialer->shards, shard, entry);
    return shard;
}

static CURLSH *new_name_cache(void)
{
    CURLSH *cache = curl_share_init();

    if (cache == NULL ||
        curl_share_setopt(cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK)
        bug("curl_share_init() failed");
    return cache;
}

CURLSH *dialer_name_cache(const struct dialer *dialer, const char *url)
{
    const char *authority = strstr(url, "://");
    unsigned hash;

    authority = authority != NULL ? authority + 3 : url;
    HASH_VALUE(authority, strcspn(authority, "/?#"), hash);
    return dialer->name_caches[hash % DIALER_NAME_CACHES];
}

/* No other call makes libcurl look at one handle that has neither a socket nor a timer: whose pause
 * ends is looked at soon, also when nothing of it was paused. */
static void on_socketless_event(evutil_socket_t fd, short events, void *argument)
{
    struct dialer *dialer = argument;
    struct dial *dial;

    (void)fd;
    (void)events;
    while ((dial = TAILQ_FIRST(&dialer->socketless)) != NULL) {
        forget_lost_socket(dial);
        curl_easy_pause(dial->easy, CURLPAUSE_SEND);
        curl_easy_pause(dial->easy, CURLPAUSE_CONT);
    }
}

void dialer_init(struct dialer *dialer, struct event_base *base, struct settings *settings,
                 dial_ended *on_ended)
{
    *dialer = (struct dialer){.base = base, .settings = settings, .on_ended = on_ended};
    TAILQ_INIT(&dialer->shards);
    TAILQ_INIT(&dialer->spare);
    TAILQ_INIT(&dialer->socketless);
    event_assign(&dialer->socketless_event, base, -1, 0, on_socketless_event, dialer);
    watch_table_init(&dialer->watches, base, shard_on_ready);
    for (int i = 0; i < DIALER_NAME_CACHES; i++)
        dialer->name_caches[i] = new_name_cache();
}

void dialer_free(struct dialer *dialer)
{
    struct dial *dial;
    struct shard *shard;

    while ((dial = TAILQ_FIRST(&dialer->spare)) != NULL) {
        TAILQ_REMOVE(&dialer->spare, dial, entry);
        curl_easy_cleanup(dial->easy);
        free(dial);
    }
    while ((shard = TAILQ_FIRST(&dialer->shards)) != NULL) {
        TAILQ_REMOVE(&dialer->shards, shard, entry);
        shard_free(shard);
    }
    event_del(&dialer->socketless_event);
    watch_table_free(&dialer->watches);
    for (int i = 0; i < DIALER_NAME_CACHES; i++)
        curl_share_cleanup(dialer->name_caches[i]);
}

static struct dial *take_spare(struct dialer *dialer)
{
    struct dial *dial = TAILQ_FIRST(&dialer->spare);

    if (dial != NULL) {
        TAILQ_REMOVE(&dialer->spare, dial, entry);
        dialer->spare_count--;
        return dial;
    }
    dial = memory_new(1, sizeof(*dial));
    dial->dialer = dialer;
    dial->easy = handle_new(dial);
    return dial;
}

static void give_back(struct dial *dial)
{
    struct dialer *dialer = dial->dialer;

    forget_lost_socket(dial);
    dial->shard = NULL;
    dial->owner = NULL;
    handle_forget_request(dial);
    if (dialer->spare_count >= SPARE_MAX) {
        curl_easy_cleanup(dial->easy);
        free(dial);
        return;
    }
    TAILQ_INSERT_HEAD(&dialer->spare, dial, entry);
    dialer->spare_count++;
}

/* Shards that have become empty are kept: there are few, and each is a socket pair and a table. */
static struct shard *choose_shard(struct dialer *dialer, bool is_tls)
{
    struct shard *shard = TAILQ_FIRST(&dialer->shards);

    if (shard == NULL)
        shard = add_shard(dialer);
    if (shard == NULL || !is_tls)
        return shard;
    while ((shard = TAILQ_NEXT(shard, entry)) != NULL) {
        if (shard->handles < DIALER_TLS_CONNECTIONS)
            return shard;
    }
    return add_shard(dialer);
}

struct dial *dialer_start(struct dialer *dialer, struct connection *owner,
                          const struct dial_request *request)
{
    struct shard *shard = choose_shard(dialer, request->is_tls);
    struct dial *dial;

    if (shard == NULL)
        return NULL;
    dial = take_spare(dialer);
    dial->shard = shard;
    dial->owner = owner;
    dial->guard = request->guard;
    dial->certificate = request->certificate;
    dial->inspection = request->inspection;
    dial->taken_fd = -1;
    dial->tls_contexts = 0;
    dial->guarded = (struct guard_record){0};
    dial->curl_error[0] = '\0';
    handle_set_request(dial, request, dialer_name_cache(dialer, request->url));
    shard_add(shard, dial->easy);
    return dial;
}

int dial_socket(const struct dial *dial)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0)
        bug("libcurl has connected and has no socket");
    return fd;
}

void dial_format_peer(const struct dial *dial, char peer[GUARD_PEER_SIZE])
{
    char *ip = NULL;
    long port = 0;

    curl_easy_getinfo(dial->easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(dial->easy, CURLINFO_PRIMARY_PORT, &port);
    peer[0] = '\0';
    if (ip != NULL && ip[0] != '\0')
        guard_format_peer(ip, port, peer);
}

void dial_end(struct dial *dial)
{
    shard_remove(dial->shard, dial->easy);
    give_back(dial);
}

int dial_take_socket(struct dial *dial)
{
    int fd = dial_socket(dial);

    dial->taken_fd = fd;
    dial_end(dial);
    return fd;
}
