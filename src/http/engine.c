#include "http/engine.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/settings.h"
#include "http/shard.h"
#include "http/transfer.h"
#include "http/watch.h"

/* Few, since each has its own DNS cache and its own copy of the CA store; enough to keep a
 * thousand connections at about a hundred in each. */
#define ENGINE_SHARDS 8

struct http_engine {
    struct event_base *base;
    struct settings settings;
    http_finished *on_finished;
    http_wake *on_wake;
    void *owner;
    bool is_awake; /* on_wake was called since the last collect */

    struct watch_table watches;
    struct shard shards[ENGINE_SHARDS];
    size_t next_shard; /* that is asked first for what has ended */

    /* A transfer is in exactly one of these. */
    struct transfer_list active;  /* in a shard */
    struct transfer_list refused; /* never started, waiting for their callback */
    struct transfer_list idle;
    size_t in_flight; /* active and refused */
    struct event refused_event;
};

static void wake(void *argument)
{
    struct http_engine *engine = argument;

    if (engine->is_awake)
        return;
    engine->is_awake = true;
    engine->on_wake(engine->owner);
}

static void on_refused_event(evutil_socket_t fd, short events, void *argument)
{
    (void)fd;
    (void)events;
    wake(argument);
}

/* libcurl leaves SIGPIPE alone with CURLOPT_NOSIGNAL, and OpenSSL's writes can raise it. */
static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static void init_shards(struct http_engine *engine)
{
    for (size_t i = 0; i < ENGINE_SHARDS; i++)
        shard_init(&engine->shards[i], engine->base, &engine->watches, wake, engine);
}

static void free_shards(struct http_engine *engine)
{
    for (size_t i = 0; i < ENGINE_SHARDS; i++)
        shard_free(&engine->shards[i]);
}

struct http_engine *http_engine_new(struct event_base *base, const struct http_options *options,
                                    http_finished *on_finished, http_wake *on_wake,
                                    void *engine_owner, struct error *error)
{
    struct http_engine *engine = memory_new(1, sizeof(*engine));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!settings_init(&engine->settings, options, &engine->watches, error)) {
        settings_free(&engine->settings);
        curl_global_cleanup();
        free(engine);
        return NULL;
    }
    ignore_sigpipe();
    engine->base = base;
    engine->on_finished = on_finished;
    engine->on_wake = on_wake;
    engine->owner = engine_owner;
    TAILQ_INIT(&engine->active);
    TAILQ_INIT(&engine->refused);
    TAILQ_INIT(&engine->idle);
    event_assign(&engine->refused_event, base, -1, 0, on_refused_event, engine);
    watch_table_init(&engine->watches, base, shard_on_ready);
    init_shards(engine);
    return engine;
}

void http_engine_free(struct http_engine *engine)
{
    struct transfer *transfer;

    if (engine == NULL)
        return;
    http_engine_cancel_all(engine);
    while ((transfer = TAILQ_FIRST(&engine->idle)) != NULL) {
        TAILQ_REMOVE(&engine->idle, transfer, entry);
        transfer_free(transfer);
    }
    free_shards(engine);
    watch_table_free(&engine->watches);
    event_del(&engine->refused_event);
    settings_free(&engine->settings);
    free(engine);
    curl_global_cleanup();
}

/* By scheme, host and port as they are written: FNV-1a of what stands before the path. */
static struct shard *choose_shard(struct http_engine *engine, const char *url)
{
    const char *separator = strstr(url, "://");
    size_t prefix = separator != NULL ? (size_t)(separator - url) + 3 : 0;
    size_t length = prefix + strcspn(url + prefix, "/?#");
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)url[i];

        hash ^= byte >= 'A' && byte <= 'Z' ? byte + 32u : byte;
        hash *= 16777619u;
    }
    return &engine->shards[(hash >> 16) % ENGINE_SHARDS];
}

static size_t count_connections(const struct http_engine *engine)
{
    size_t count = 0;

    for (size_t i = 0; i < ENGINE_SHARDS; i++)
        count += engine->shards[i].connections;
    return count;
}

/*
 * libcurl's limit is for one shard, counts connections in use too, and makes it close one idle
 * connection for each that is given back. So a shard may have what it has and what the engine has
 * left; or less, when the engine has too many, but never less than the transfers in it: each
 * request would have to connect anew.
 */
static void limit_connections(struct http_engine *engine, struct shard *shard)
{
    size_t allowed = engine->in_flight + engine->settings.options.max_connections;
    size_t others = count_connections(engine) - shard->connections;
    size_t limit = allowed > others ? allowed - others : 0;

    shard_limit_connections(shard, limit > shard->added ? limit : shard->added);
}

static struct transfer *take_idle(struct http_engine *engine)
{
    struct transfer *transfer = TAILQ_FIRST(&engine->idle);

    if (transfer == NULL)
        return transfer_new(&engine->settings);
    TAILQ_REMOVE(&engine->idle, transfer, entry);
    return transfer;
}

static void give_back(struct http_engine *engine, struct transfer *transfer)
{
    transfer_clear(transfer);
    TAILQ_INSERT_HEAD(&engine->idle, transfer, entry);
}

/* A refused request waits for its callback too: none comes from inside http_start(). */
void http_start(struct http_engine *engine, const struct http_request *request, void *request_owner)
{
    struct transfer *transfer = take_idle(engine);
    struct shard *shard = choose_shard(engine, request->url);

    engine->in_flight++;
    if (!transfer_prepare(transfer, request, shard, request_owner)) {
        TAILQ_INSERT_TAIL(&engine->refused, transfer, entry);
        event_active(&engine->refused_event, EV_TIMEOUT, 0);
        return;
    }
    TAILQ_INSERT_TAIL(&engine->active, transfer, entry);
    shard_add(shard, transfer->easy);
    limit_connections(engine, shard);
}

static struct transfer *find_transfer(CURL *easy)
{
    char *private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct transfer *)(void *)private;
}

/* Takes a transfer that has ended out of its shard; NULL when there is none. */
static struct transfer *take_ended(struct http_engine *engine, CURLcode *ret_code)
{
    for (size_t i = 0; i < ENGINE_SHARDS; i++) {
        size_t index = (engine->next_shard + i) % ENGINE_SHARDS;
        CURL *easy = shard_take_ended(&engine->shards[index], ret_code);

        if (easy != NULL) {
            engine->next_shard = index;
            return find_transfer(easy);
        }
    }
    return NULL;
}

static bool has_ended(const struct http_engine *engine)
{
    for (size_t i = 0; i < ENGINE_SHARDS; i++) {
        if (engine->shards[i].ended > 0)
            return true;
    }
    return !TAILQ_EMPTY(&engine->refused);
}

/* transfer is in none of the lists. */
static void report(struct http_engine *engine, struct transfer *transfer)
{
    engine->in_flight--;
    engine->on_finished(transfer->owner, &transfer->response);
    give_back(engine, transfer);
}

static bool collect_refused(struct http_engine *engine)
{
    struct transfer *transfer = TAILQ_FIRST(&engine->refused);

    if (transfer == NULL)
        return false;
    TAILQ_REMOVE(&engine->refused, transfer, entry);
    report(engine, transfer);
    return true;
}

static bool collect_ended(struct http_engine *engine)
{
    CURLcode code = CURLE_OK;
    struct transfer *transfer = take_ended(engine, &code);

    if (transfer == NULL)
        return false;
    if (transfer_should_resend(transfer, code)) {
        shard_add(transfer->shard, transfer->easy);
        return true;
    }
    TAILQ_REMOVE(&engine->active, transfer, entry);
    limit_connections(engine, transfer->shard);
    transfer_finish(transfer, code);
    report(engine, transfer);
    return true;
}

bool http_engine_collect(struct http_engine *engine, int budget)
{
    engine->is_awake = false;
    while (budget > 0 && (collect_refused(engine) || collect_ended(engine)))
        budget--;
    engine->next_shard = (engine->next_shard + 1) % ENGINE_SHARDS;
    return has_ended(engine);
}

size_t http_engine_in_flight(const struct http_engine *engine)
{
    return engine->in_flight;
}

void http_engine_cancel_all(struct http_engine *engine)
{
    struct transfer *transfer;

    while ((transfer = TAILQ_FIRST(&engine->active)) != NULL) {
        TAILQ_REMOVE(&engine->active, transfer, entry);
        shard_remove(transfer->shard, transfer->easy);
        give_back(engine, transfer);
    }
    while ((transfer = TAILQ_FIRST(&engine->refused)) != NULL) {
        TAILQ_REMOVE(&engine->refused, transfer, entry);
        give_back(engine, transfer);
    }
    engine->in_flight = 0;
    free_shards(engine); /* libcurl has no other way to close the connections that it keeps */
    init_shards(engine);
}
