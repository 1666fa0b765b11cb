/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
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

#define STATUS_PAUSE_US 5000000
#define DRAIN_US        20000000 /* more than the database's answer may take */

/* --- signals --- */

static void on_signal_stop(evutil_socket_t number, short what, void *argument)
{
    struct serve *serve = argument;

    (void)number;
    (void)what;
    serve->stops_wanted++;
}

static void on_signal_reload(evutil_socket_t number, short what, void *argument)
{
    struct serve *serve = argument;

    (void)number;
    (void)what;
    serve->is_reload_wanted = true;
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

/* The first signal lets what was asked end, the second ends it at once. */
static void stop_step(struct serve *serve)
{
    for (; serve->stops_wanted > 0 && serve->phase != SERVE_DONE; serve->stops_wanted--) {
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

static void log_restart_keys(const struct config *old, const struct config *new)
{
    const struct {
        const char *key, *old, *new;
    } texts[] = {{"database.url", old->database.url, new->database.url},
                 {"database.schema", old->database.schema, new->database.schema},
                 {"http.listen", old->http.listen, new->http.listen}};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (strcmp(texts[i].old, texts[i].new) != 0)
            log_event(LOG_LEVEL_WARNING,
                      "an option applies from the next start; until then the old value stays",
                      LOG_TEXT("option", texts[i].key));
}

static void reload(struct serve *serve)
{
    struct config_mistakes mistakes;
    struct config *config = config_load(serve->config->file, &mistakes);

    if (config == NULL) {
        for (size_t i = 0; i < mistakes.count; i++)
            log_event(LOG_LEVEL_ERROR, "configuration", LOG_TEXT("mistake", mistakes.lines[i]));
        log_event(LOG_LEVEL_ERROR, "the configuration was not reloaded; the old one stays in force",
                  LOG_TEXT("config", serve->config->file),
                  LOG_NUMBER("mistakes", (int64_t)mistakes.count));
        config_mistakes_free(&mistakes);
        return;
    }
    log_restart_keys(serve->config, config);
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
    if (!serve->is_reload_wanted || serve->phase != SERVE_RUNNING)
        return;
    serve->is_reload_wanted = false;
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
    reload(serve);
    tell_status(serve, "READY=1\n");
}

/* --- the loop --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_us(const struct serve *serve)
{
    int64_t next = serve->status_us;

    next = earlier(next, database_next_us(serve));
    next = earlier(next, tokens_next_us(serve));
    next = earlier(next, publishing_next_us(serve));
    next = earlier(next, questions_next_us(serve));
    next = earlier(next, keeping_next_us(serve));
    return serve->phase == SERVE_DRAINING ? earlier(next, serve->drain_until_us) : next;
}

static void set_tick(struct serve *serve)
{
    int64_t wait_us = next_us(serve) - clock_monotonic_us();
    struct timeval after;

    if (wait_us < 0)
        wait_us = 0;
    after = (struct timeval){wait_us / 1000000, wait_us % 1000000};
    if (evtimer_add(serve->tick, &after) != 0)
        bug("timer could not be set");
}

/* One loop turn, in its written order (serve.h). */
static void turn(struct serve *serve)
{
    if (event_base_loop(serve->base, EVLOOP_ONCE) < 0)
        bug("the event loop failed");
    serve->now_us = clock_monotonic_us();
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
    set_tick(serve);
}

/* --- beginning and end --- */

static void add_signal(struct serve *serve, int slot, int number, event_callback_fn on_signal)
{
    serve->signals[slot] = evsignal_new(serve->base, number, on_signal, serve);
    if (serve->signals[slot] == NULL || event_add(serve->signals[slot], NULL) != 0)
        bug("signal %d could not be caught", number);
}

static void on_libevent_message(int severity, const char *message)
{
    log_event(severity >= EVENT_LOG_WARN ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
              "libevent has something to say", LOG_TEXT("error", message));
}

static void init_loop(struct serve *serve)
{
    uint64_t watchdog_us = 0;

    event_set_log_callback(on_libevent_message);
    serve->base = event_base_new();
    if (serve->base == NULL)
        bug("the event loop could not be made");
    serve->tick = evtimer_new(serve->base, on_tick, serve);
    if (serve->tick == NULL)
        bug("timer could not be made");
    signal(SIGPIPE, SIG_IGN);
    add_signal(serve, 0, SIGTERM, on_signal_stop);
    add_signal(serve, 1, SIGINT, on_signal_stop);
    add_signal(serve, 2, SIGHUP, on_signal_reload);
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
    set_tick(serve);
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

/* Whoever asks again for an end that has come must not make it a death. */
static void ignore_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void free_loop(struct serve *serve)
{
    ignore_signals();
    for (size_t i = 0; i < ARRAY_LENGTH(serve->signals); i++)
        event_free(serve->signals[i]);
    event_free(serve->tick);
    event_base_free(serve->base);
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
    init_loop(serve);
    if (listening_init(serve, &error)) {
        run(serve);
    } else {
        log_event(LOG_LEVEL_ERROR, "postrider can't serve", LOG_STRING("error", error.message));
        serve->exit_status = EXIT_FAILURE;
    }
    listening_free(serve);
    free_loop(serve);
    config_free(serve->config);
    status = serve->exit_status;
    free(serve);
    return status;
}
