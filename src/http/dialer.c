#include "http/dialer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "base/memory.h"
#include "http/handle.h"

#define SPARE_MAX 64

static void on_shard_ended(struct shard *shard, CURL *easy, CURLcode code)
{
    struct dialer *dialer = shard->owner;
    char *private = NULL;
    struct dial *dial;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    dial = (struct dial *)(void *)private;
    handle_forget_request(dial);
    dialer->on_ended(dial->owner, code);
}

static struct shard *add_shard(struct dialer *dialer)
{
    struct shard *shard = shard_new(dialer->base, &dialer->watches, on_shard_ended, dialer);

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

void dialer_init(struct dialer *dialer, struct event_base *base, struct settings *settings,
                 dial_ended *on_ended)
{
    *dialer = (struct dialer){.base = base, .settings = settings, .on_ended = on_ended};
    TAILQ_INIT(&dialer->shards);
    TAILQ_INIT(&dialer->spare);
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
    dial->taken_fd = -1;
    dial->guarded = (struct guard_record){0};
    dial->curl_error[0] = '\0';
    handle_set_request(dial, request);
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
