/* SPDX-License-Identifier: MIT */
#include "http/engine.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

#include "base/memory.h"
#include "http/context.h"
#include "http/conversation.h"
#include "http/transfer.h"

static void on_ended_event(evutil_socket_t fd, short events, void *argument)
{
    (void)fd;
    (void)events;
    (void)argument;
}

static void on_idle_end(void *owner, struct connection *connection)
{
    struct http_engine *engine = owner;

    pool_drop_ended(&engine->pool, connection);
}

/* libcurl leaves SIGPIPE alone with CURLOPT_NOSIGNAL, and OpenSSL's writes can raise it. */
static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static void init_parts(struct http_engine *engine)
{
    engine->connections = (struct connection_common){
        .base = engine->base,
        .lifetime_ms = engine->settings.options.connection_lifetime_ms,
        .input = engine->input,
        .input_bytes = sizeof(engine->input),
        .on_readable = conversation_on_readable,
        .on_writable = conversation_on_writable,
        .on_idle_end = on_idle_end,
        .owner = engine,
    };
    TAILQ_INIT(&engine->active);
    TAILQ_INIT(&engine->ended);
    TAILQ_INIT(&engine->spare);
    event_assign(&engine->ended_event, engine->base, -1, 0, on_ended_event, NULL);
    pool_init(&engine->pool, engine->base, engine->settings.options.max_connections,
              engine->settings.options.max_tls_connections);
    target_table_init(&engine->targets, &engine->settings, &engine->pool.origins);
    dialer_init(&engine->dialer, engine->base, &engine->settings, conversation_on_dialed);
}

struct http_engine *http_engine_new(struct event_base *base, const struct http_options *options,
                                    http_finished *on_finished, struct error *error)
{
    struct http_engine *engine = memory_new(1, sizeof(*engine));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!settings_init(&engine->settings, options, error)) {
        settings_free(&engine->settings);
        curl_global_cleanup();
        free(engine);
        return NULL;
    }
    ignore_sigpipe();
    engine->base = base;
    engine->on_finished = on_finished;
    init_parts(engine);
    return engine;
}

void http_engine_free(struct http_engine *engine)
{
    struct transfer *transfer;

    if (engine == NULL)
        return;
    http_engine_cancel_all(engine);
    while ((transfer = TAILQ_FIRST(&engine->spare)) != NULL) {
        TAILQ_REMOVE(&engine->spare, transfer, entry);
        transfer_free(transfer);
    }
    /* In this order: targets use origins, which the pool has, and its connections use dials. */
    target_table_free(&engine->targets);
    pool_free(&engine->pool);
    dialer_free(&engine->dialer);
    event_del(&engine->ended_event);
    settings_free(&engine->settings);
    free(engine);
    curl_global_cleanup();
}

static struct transfer *take_spare(struct http_engine *engine)
{
    struct transfer *transfer = TAILQ_FIRST(&engine->spare);

    if (transfer == NULL)
        return transfer_new(engine, conversation_on_timer);
    TAILQ_REMOVE(&engine->spare, transfer, entry);
    return transfer;
}

static void give_back(struct http_engine *engine, struct transfer *transfer)
{
    engine->in_flight--;
    transfer_clear(transfer);
    TAILQ_INSERT_HEAD(&engine->spare, transfer, entry);
}

/* A request that can't be sent waits for its callback too: none comes from inside this call. */
void http_start(struct http_engine *engine, const struct http_request *request, void *request_owner)
{
    struct transfer *transfer = take_spare(engine);

    engine->in_flight++;
    if (transfer_prepare(transfer, request, request_owner)) {
        conversation_begin(transfer);
        return;
    }
    transfer_await_callback(transfer);
}

bool http_engine_collect(struct http_engine *engine, int budget)
{
    struct transfer *transfer;

    while (budget-- > 0 && (transfer = TAILQ_FIRST(&engine->ended)) != NULL) {
        TAILQ_REMOVE(&engine->ended, transfer, entry);
        engine->on_finished(transfer->owner, &transfer->response);
        give_back(engine, transfer);
    }
    return !TAILQ_EMPTY(&engine->ended);
}

size_t http_engine_in_flight(const struct http_engine *engine)
{
    return engine->in_flight;
}

void http_engine_cancel_all(struct http_engine *engine)
{
    struct transfer *transfer;

    while ((transfer = TAILQ_FIRST(&engine->active)) != NULL) {
        conversation_cancel(transfer);
        give_back(engine, transfer);
    }
    while ((transfer = TAILQ_FIRST(&engine->ended)) != NULL) {
        TAILQ_REMOVE(&engine->ended, transfer, entry);
        give_back(engine, transfer);
    }
    pool_clear(&engine->pool);
}
