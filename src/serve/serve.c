/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/load.h"
#include "serve/clients.h"
#include "serve/context.h"
#include "serve/database.h"
#include "serve/keeping.h"
#include "serve/listening.h"
#include "serve/metrics_api.h"
#include "serve/publish_rates.h"
#include "serve/publishing.h"
#include "serve/questions.h"
#include "serve/routes.h"
#include "serve/sharing.h"
#include "serve/tokens.h"
#include "service/reload.h"

#define STATUS_PAUSE_US 5000000
#define DRAIN_US        20000000 /* more than the database's answer may take */

/* The first signal lets what was asked end, the second ends it at once. */
static void stop_step(struct serve *serve)
{
    for (; serve->loop.stops_wanted > 0 && serve->phase != SERVE_DONE; serve->loop.stops_wanted--) {
        if (serve->phase == SERVE_DRAINING) {
            log_event(LOG_LEVEL_WARNING, "stopping at once: clients get no answer",
                      LOG_NUMBER("unanswered", (int64_t)publishing_unanswered(serve)));
            serve->phase = SERVE_DONE;
            return;
        }
        log_event(LOG_LEVEL_INFO, "stopping: answering what was asked",
                  LOG_NUMBER("unanswered", (int64_t)publishing_unanswered(serve)));
        serve->phase = SERVE_DRAINING;
        serve->drain_until_us = serve->now_us + DRAIN_US;
        (void)sd_notify(0, "STOPPING=1");
        listening_stop(serve);
        clients_drain(serve);
    }
}

static void drain_step(struct serve *serve)
{
    if (serve->phase != SERVE_DRAINING)
        return;
    clients_drain(serve);
    if (clients_count(serve) > 0 && serve->now_us < serve->drain_until_us)
        return;
    log_event(LOG_LEVEL_INFO, "stopped");
    serve->phase = SERVE_DONE;
}

/* --- reload --- */

static void reload(struct serve *serve)
{
    struct config *config = reload_read(serve->config);

    if (config == NULL)
        return;
    const struct reload_kept kept[] = {
        {"database.url", serve->config->database.url, config->database.url},
        {"database.schema", serve->config->database.schema, config->database.schema},
        {"http.listen", serve->config->http.listen, config->http.listen}};

    reload_warn_of_kept(kept, ARRAY_LENGTH(kept));
    config_free(serve->config);
    serve->config = config;
    log_configure(config->log.level, config->log.format);
    log_event(LOG_LEVEL_INFO, "configuration reloaded", LOG_TEXT("config", config->file));
}

/* --- what systemd is told --- */

static const char *condition(const struct serve *serve)
{
    if (serve->phase != SERVE_RUNNING)
        return "stopping";
    return database_is_ready(serve) ? "serving" : "waiting for the database";
}

static void tell_status(struct serve *serve, const char *first)
{
    struct publishing_totals totals = publishing_totals(serve);
    const char *now = condition(serve);

    serve->status_us = serve->now_us + STATUS_PAUSE_US;
    if (serve->watchdog_us > 0 && serve->watchdog_us < STATUS_PAUSE_US)
        serve->status_us = serve->now_us + serve->watchdog_us;
    serve->condition_told = now;
    /* Fails only when systemd has gone; there is nobody to tell. */
    (void)sd_notifyf(0,
                     "%s%sSTATUS=%s; %zu clients; published %" PRIu64 " events, replayed %" PRIu64
                     " answers, refused %" PRIu64 " requests",
                     first, serve->watchdog_us > 0 ? "WATCHDOG=1\n" : "", now, clients_count(serve),
                     totals.events, totals.replayed, totals.refused);
}

static void status_step(struct serve *serve)
{
    if (serve->now_us >= serve->status_us || condition(serve) != serve->condition_told)
        tell_status(serve, "");
}

static void reload_step(struct serve *serve)
{
    if (!serve->loop.is_reload_wanted || serve->phase != SERVE_RUNNING)
        return;
    serve->loop.is_reload_wanted = false;
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
    reload(serve);
    tell_status(serve, "READY=1\n");
}

/* --- the loop --- */

static int64_t next_us(const struct serve *serve)
{
    int64_t next = serve->status_us;

    next = loop_earlier(next, database_next_us(serve));
    next = loop_earlier(next, tokens_next_us(serve));
    next = loop_earlier(next, publishing_next_us(serve));
    next = loop_earlier(next, questions_next_us(serve));
    next = loop_earlier(next, keeping_next_us(serve));
    return serve->phase == SERVE_DRAINING ? loop_earlier(next, serve->drain_until_us) : next;
}

/* One loop turn, in its written order (serve.h). */
static void turn(struct serve *serve)
{
    serve->now_us = loop_wait(&serve->loop);
    stop_step(serve);
    database_collect(serve);
    questions_collect(serve);
    database_step(serve);
    reload_step(serve);
    tokens_step(serve);
    publishing_step(serve);
    questions_step(serve);
    keeping_step(serve);
    listening_step(serve);
    drain_step(serve);
    status_step(serve);
    loop_wake_at(&serve->loop, next_us(serve));
}

/* --- beginning and end --- */

static void init_watchdog(struct serve *serve)
{
    uint64_t watchdog_us = 0;

    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        serve->watchdog_us = (int64_t)watchdog_us / 2;
}

static void init_parts(struct serve *serve)
{
    clients_init(serve, routes_judge, routes_handle);
    database_init(serve);
    tokens_init(serve);
    publish_rates_init(serve);
    publishing_init(serve);
    questions_init(serve);
    sharing_init(serve);
    metrics_init(serve);
    keeping_init(serve);
    loop_wake_at(&serve->loop, next_us(serve));
}

/* Answers come from the links until they are gone, so they go before those who wait for them. */
static void free_parts(struct serve *serve)
{
    clients_free(serve);
    questions_free(serve);
    sharing_free(serve);
    metrics_free(serve);
    database_free(serve);
    publishing_free(serve);
    publish_rates_free(serve);
    tokens_free(serve);
    keeping_free(serve);
}

static void run(struct serve *serve)
{
    init_parts(serve);
    log_event(LOG_LEVEL_INFO, "postrider serves", LOG_STRING("version", POSTRIDER_VERSION),
              LOG_TEXT("listen", listening_address(serve)),
              LOG_TEXT("config", serve->config->file));
    tell_status(serve, "READY=1\n");
    while (serve->phase != SERVE_DONE)
        turn(serve);
    free_parts(serve);
}

int serve_run(struct config *config)
{
    struct serve *serve = memory_new(1, sizeof(*serve));
    struct error error = {0};
    int status;

    serve->config = config;
    serve->now_us = clock_monotonic_us();
    loop_init(&serve->loop);
    init_watchdog(serve);
    if (listening_init(serve, &error)) {
        run(serve);
    } else {
        log_event(LOG_LEVEL_ERROR, "postrider can't serve", LOG_STRING("error", error.message));
        serve->exit_status = EXIT_FAILURE;
    }
    listening_free(serve);
    loop_free(&serve->loop);
    config_free(serve->config);
    status = serve->exit_status;
    free(serve);
    return status;
}
