/* SPDX-License-Identifier: MIT */
#include "worker/sending.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "base/units.h"
#include "config/load.h"
#include "config/rules.h"
#include "core/health.h"
#include "http/engine.h"
#include "worker/counting.h"
#include "worker/descriptors.h"
#include "worker/disabling.h"
#include "worker/exchange.h"
#include "worker/leasing.h"
#include "worker/recording.h"
#include "worker/reporting.h"
#include "worker/tracing.h"

#define START_BUDGET   256 /* requests started in one turn */
#define COLLECT_BUDGET 512
#define ERROR_BYTES    1000

/* An HTTP engine and the configuration that it was made of. */
struct sending_engine {
    struct http_engine *engine;
    struct config *config;
};

struct sending {
    size_t slots; /* requests at a time: worker.max_in_flight, or what open files allow */
    struct sending_engine current;
    struct sending_engine retired; /* of the configuration before, until its requests have ended */
    struct request_headers headers;
    struct buffer signature;
};

static void on_transfer_finished(void *request_owner, const struct http_response *response);

static void log_file_warnings(const struct config *config)
{
    struct config_mistakes warnings;

    rules_file_warnings(config, &warnings);
    for (size_t i = 0; i < warnings.count; i++)
        log_event(LOG_LEVEL_WARNING, "configuration", LOG_TEXT("warning", warnings.lines[i]),
                  LOG_TEXT("config", config->file));
    config_mistakes_free(&warnings);
}

static struct http_engine *new_engine(struct worker *worker, const struct config *config,
                                      struct error *error)
{
    struct descriptor_share share = descriptors_share(config->worker.max_in_flight);
    struct http_options options = exchange_options(config);

    options.max_connections = share.idle;
    options.max_tls_connections = share.idle_tls;
    if (share.in_flight < (size_t)config->worker.max_in_flight)
        log_event(LOG_LEVEL_WARNING,
                  "open files limit the requests in flight; raise LimitNOFILE or lower "
                  "worker.max_in_flight",
                  LOG_NUMBER("max_in_flight", (int64_t)share.in_flight),
                  LOG_NUMBER("open_files", (int64_t)share.limit));
    log_file_warnings(config);
    worker->sending->slots = share.in_flight;
    return http_engine_new(worker->loop.base, &options, on_transfer_finished, error);
}

bool sending_init(struct worker *worker, struct error *error)
{
    worker->sending = memory_new(1, sizeof(*worker->sending));
    request_headers_init(&worker->sending->headers);
    buffer_init(&worker->sending->signature, SIGNATURE_MAX);
    worker->sending->current.config = worker->config;
    worker->sending->current.engine = new_engine(worker, worker->config, error);
    return worker->sending->current.engine != NULL;
}

static void engine_free(struct sending_engine *engine)
{
    /* In this order: the engine's options point into the configuration. */
    http_engine_free(engine->engine);
    config_free(engine->config);
    *engine = (struct sending_engine){NULL, NULL};
}

void sending_free(struct worker *worker)
{
    engine_free(&worker->sending->current);
    engine_free(&worker->sending->retired);
    request_headers_free(&worker->sending->headers);
    buffer_free(&worker->sending->signature);
    free(worker->sending);
}

size_t sending_slots(const struct worker *worker)
{
    return worker->sending->slots;
}

bool sending_is_replacing(const struct worker *worker)
{
    return worker->sending->retired.engine != NULL;
}

bool sending_replace_engine(struct worker *worker, struct config *config, struct error *error)
{
    struct sending *sending = worker->sending;
    struct http_engine *engine;

    if (sending->retired.engine != NULL)
        return error_set(error, "requests of the configuration before are still in flight");
    engine = new_engine(worker, config, error);
    if (engine == NULL)
        return false;
    sending->retired = sending->current;
    sending->current = (struct sending_engine){engine, config};
    return true;
}

size_t sending_in_flight(const struct worker *worker)
{
    return worker->deliveries.counts[DELIVERY_IN_FLIGHT];
}

void sending_abandon(struct worker *worker)
{
    struct delivery_list *list = &worker->deliveries.lists[DELIVERY_IN_FLIGHT];

    http_engine_cancel_all(worker->sending->current.engine);
    if (worker->sending->retired.engine != NULL)
        http_engine_cancel_all(worker->sending->retired.engine);
    while (!TAILQ_EMPTY(list)) {
        struct delivery *delivery = TAILQ_FIRST(list);

        /* That we gave up on it says nothing about its server. */
        endpoint_end_request(&worker->endpoints, delivery, HEALTH_UNKNOWN, 0, worker->now_us);
        delivery_set_state(&worker->deliveries, delivery, DELIVERY_FORGOTTEN);
    }
}

/* Says what happened in the words that last_error keeps. */
static char *error_text(const struct delivery *delivery, const struct attempt *attempt,
                        const char *error)
{
    struct buffer text;

    if (delivery->outcome.kind == OUTCOME_DELIVERED)
        return NULL;
    buffer_init(&text, ERROR_BYTES);
    if (!delivery->outcome.counts_attempt)
        buffer_append_string(&text, OUTCOME_UNSENT_MARK);
    if (attempt->result == ATTEMPT_ANSWERED && attempt->status >= 300 && attempt->status < 400)
        buffer_append_format(&text, "the receiver answered %d: redirects are not followed",
                             attempt->status);
    else if (attempt->result == ATTEMPT_ANSWERED)
        buffer_append_format(&text, "the receiver answered %d", attempt->status);
    else
        text_append_clean(&text, error, strlen(error));
    if (delivery->outcome.is_exhausted)
        buffer_append_format(&text, "; given up after %d attempt%s",
                             delivery->endpoint->settings.retry.max_attempts,
                             text_plural(delivery->endpoint->settings.retry.max_attempts, "", "s"));
    return buffer_take(&text);
}

static void decide(struct delivery *delivery, const struct attempt *attempt)
{
    delivery->outcome = outcome_decide(&delivery->endpoint->settings.retry, delivery->attempts,
                                       attempt, random01());
}

/* What was decided is to be written. */
static void finish(struct worker *worker, struct delivery *delivery, const struct attempt *attempt,
                   const char *error)
{
    delivery->response_status = attempt->result == ATTEMPT_ANSWERED ? attempt->status : 0;
    delivery->error = error_text(delivery, attempt, error);
    /* Payloads are most of what deliveries hold, and while the database is away many may wait to be
     * written. */
    delivery_drop_payload(&worker->deliveries, delivery);
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_FINISHED);
    if (delivery->outcome.disables_endpoint) {
        endpoint_set_disabled(&worker->endpoints, delivery->endpoint,
                              "endpoint is disabled: the receiver answered 410 Gone",
                              worker->now_us);
        delivery->endpoint->gone++;
    }
    /* Only the database knows whether the endpoint has gone or has another URL: see recording.c. */
    if (!delivery->is_removed)
        reporting_outcome(worker, delivery);
}

/*
 * By settings that may be older than its row; newer ones are asked for first. A worker that stops,
 * or has lost the lane, has no time for that.
 */
static bool is_condemned_early(const struct worker *worker, const struct delivery *delivery)
{
    const struct outcome *outcome = &delivery->outcome;

    return (outcome->is_exhausted || !outcome->counts_attempt) &&
           !endpoint_may_condemn(delivery->endpoint, delivery) && worker->phase == WORKER_RUNNING &&
           leasing_owns(worker, delivery->lane);
}

/* The engine could not send it by the settings that there were. */
static void put_back(struct worker *worker, struct delivery *delivery)
{
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_WAITING);
    endpoint_push_back(&worker->endpoints, delivery, worker->now_us);
    endpoint_note_under_way(&worker->endpoints, delivery->endpoint, worker->now_us);
    endpoint_ask_again(&worker->endpoints, delivery->endpoint, worker->now_us);
}

/* It was the last attempt by the settings that there were: a newer policy may have more. */
static void put_off(struct worker *worker, struct delivery *delivery, const struct attempt *attempt,
                    const char *error)
{
    delivery->attempt = *attempt;
    delivery->error = memory_copy_string(error);
    delivery_drop_payload(&worker->deliveries, delivery);
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_UNDECIDED);
    endpoint_ask_again(&worker->endpoints, delivery->endpoint, worker->now_us);
}

/* Decides what was put off and has newer settings by now. */
static void decide_undecided(struct worker *worker)
{
    struct delivery *delivery = TAILQ_FIRST(&worker->deliveries.lists[DELIVERY_UNDECIDED]);

    while (delivery != NULL) {
        struct delivery *next = TAILQ_NEXT(delivery, in_state);
        char *error = delivery->error;

        if (is_condemned_early(worker, delivery)) {
            /* Again, in case that the last load had no answer. */
            endpoint_ask_again(&worker->endpoints, delivery->endpoint, worker->now_us);
        } else {
            delivery->error = NULL;
            decide(delivery, &delivery->attempt);
            finish(worker, delivery, &delivery->attempt, error);
            free(error);
        }
        delivery = next;
    }
}

static char *response_text(const struct http_response *response)
{
    struct buffer text;

    if (response->snippet.length == 0)
        return NULL;
    buffer_init(&text, HTTP_SNIPPET_BYTES);
    text_append_clean(&text, response->snippet.data, response->snippet.length);
    return buffer_take(&text);
}

/* Gives the slot back, and tells what the attempt says about its server. */
static void note_health(struct worker *worker, struct delivery *delivery,
                        const struct attempt *attempt, bool was_connected)
{
    struct endpoint *endpoint = delivery->endpoint;
    const struct permit *permit = endpoint->settings.permit;
    enum health health =
        health_of(attempt, was_connected, permit != NULL && permit->client_certificate != NULL);
    int64_t hold_ms = health_hold_ms(attempt, endpoint->settings.retry.max_delay_ms);
    struct scheduler_change change =
        endpoint_end_request(&worker->endpoints, delivery, health, hold_ms * 1000, worker->now_us);

    if (change.is_down)
        disabling_note_failing(worker, endpoint);
    else if (health != HEALTH_UNKNOWN && !health_is_failure(health))
        disabling_note_working(worker, endpoint);
    reporting_change(worker, delivery, &change);
}

static void on_transfer_finished(void *request_owner, const struct http_response *response)
{
    struct delivery *delivery = request_owner;
    struct worker *worker = delivery->worker;
    struct attempt attempt = exchange_attempt(response);

    counting_attempt(worker, response);
    tracing_end(worker, delivery, response, &attempt);
    delivery->finished_us = worker->now_us;
    delivery->phases = exchange_phases(response, delivery->endpoint->url);
    delivery->response_body = response_text(response);
    decide(delivery, &attempt);
    if (!is_condemned_early(worker, delivery))
        finish(worker, delivery, &attempt, response->error);
    else if (attempt.result == ATTEMPT_UNSENDABLE)
        put_back(worker, delivery);
    else
        put_off(worker, delivery, &attempt, response->error);
    note_health(worker, delivery, &attempt,
                exchange_was_connected(response, delivery->endpoint->url));
}

bool sending_collect(struct worker *worker)
{
    struct sending *sending = worker->sending;
    bool has_more = http_engine_collect(sending->current.engine, COLLECT_BUDGET);

    if (sending->retired.engine == NULL)
        return has_more;
    has_more = http_engine_collect(sending->retired.engine, COLLECT_BUDGET) || has_more;
    if (http_engine_in_flight(sending->retired.engine) == 0)
        engine_free(&sending->retired);
    return has_more;
}

/* Whose event it is, where that need not be the endpoint's customer. */
static struct request_event facts_for(const struct endpoint *endpoint,
                                      const struct delivery *delivery)
{
    struct request_event facts = event_body_facts(delivery->body);

    if (delivery->previous[0] != '\0')
        facts.ordering_previous = delivery->previous;
    if (!endpoint->settings.all_customers &&
        strcmp(delivery->body->customer_id, endpoint->customer_id) == 0)
        facts.customer_id = NULL;
    return facts;
}

/* Of the attempt that is next; false with error when it can't be signed. */
static bool build_request(struct worker *worker, struct delivery *delivery,
                          struct http_request *ret_request, struct error *error)
{
    struct sending *sending = worker->sending;
    const struct endpoint *endpoint = delivery->endpoint;
    struct request_event event = {.customer_id = NULL};
    const struct exchange_delivery next = {
        .config = worker->config,
        .settings = &endpoint->settings,
        .url = endpoint->url,
        .event_id = delivery->event_id,
        .event = delivery->is_of_event ? &event : NULL,
        .attempt = (delivery->attempts > 0 ? delivery->attempts : 0) + 1,
        .payload = delivery->payload,
        .payload_length = delivery->payload_length,
        .traceparent = tracing_begin(worker, delivery),
    };

    if (delivery->is_of_event)
        event = facts_for(endpoint, delivery);
    return exchange_request(&next, &sending->headers, &sending->signature, ret_request, error);
}

/* It was made for an endpoint that has no row any more; a plain row needs none. */
static bool is_removed(const struct delivery *delivery)
{
    return delivery->is_of_event && !delivery->endpoint->settings.is_there;
}

/* False with error when the delivery can't be sent at all. */
static bool check_sendable(const struct worker *worker, const struct delivery *delivery,
                           struct error *error)
{
    char limit[UNITS_TEXT_SIZE];

    if (endpoint_settings_hold(&delivery->endpoint->settings))
        bug("a delivery is to be sent whose endpoint is held");
    /* In these words: webhook_deliveries_given_up() notes that nobody can replay it. */
    if (delivery->is_erased)
        return error_set(error, "erased");
    /* In these words: webhook_deliveries_given_up() looks whether it is only somewhere else. */
    if (is_removed(delivery))
        return error_set(error, "endpoint removed");
    if (delivery->endpoint->settings.problem != NULL)
        return error_set(error, "%s", delivery->endpoint->settings.problem);
    if (delivery->payload == NULL)
        return error_set(
            error, "payload has %lld bytes: more than delivery.max_payload, %s",
            (long long)delivery->payload_bytes,
            units_format_size_bytes(worker->config->delivery.max_payload_bytes, limit));
    if (delivery->attempts == INT32_MAX)
        return error_set(error, "attempts is %d: set it to what it was", delivery->attempts);
    return true;
}

/* Fails it for good, but not by settings that are older than its row: those are loaded first. */
static void refuse(struct worker *worker, struct delivery *delivery, const char *reason)
{
    const struct attempt attempt = {.result = ATTEMPT_UNSENDABLE, .retry_after_ms = -1};
    struct endpoint *endpoint = delivery->endpoint;

    if (!endpoint_may_condemn(endpoint, delivery)) {
        endpoint_ask_again(&worker->endpoints, endpoint, worker->now_us);
        return;
    }
    delivery->is_removed = is_removed(delivery) && !delivery->is_erased;
    disabling_note_unsent(worker, endpoint);
    endpoint_pass_turn(&worker->endpoints, delivery, worker->now_us);
    delivery->finished_us = worker->now_us;
    delivery->phases = phases_none;
    decide(delivery, &attempt);
    finish(worker, delivery, &attempt, reason);
    endpoint_note_under_way(&worker->endpoints, endpoint, worker->now_us);
}

/* It was too large to be fetched when it was read, and the configuration allows more by now. */
static bool is_missing_payload(const struct worker *worker, const struct delivery *delivery)
{
    return delivery->payload == NULL && delivery->payload_bytes > 0 &&
           delivery->payload_bytes <= worker->config->delivery.max_payload_bytes;
}

static void read_again(struct worker *worker, struct delivery *delivery)
{
    endpoint_pass_turn(&worker->endpoints, delivery, worker->now_us);
    deliveries_ask_for(&worker->deliveries, delivery->id);
    delivery_drop(&worker->deliveries, delivery);
}

/* Starts the delivery's request, or finishes one that can't be sent. */
static void start(struct worker *worker, struct delivery *delivery)
{
    struct endpoint *endpoint = delivery->endpoint;
    struct http_request request;
    struct error error;

    delivery->worker = worker;
    delivery->started_us = worker->now_us;
    if (is_missing_payload(worker, delivery)) {
        read_again(worker, delivery);
        return;
    }
    if (!check_sendable(worker, delivery, &error) ||
        !build_request(worker, delivery, &request, &error)) {
        refuse(worker, delivery, error.message);
        return;
    }
    delivery->ticket = endpoint_begin_request(&worker->endpoints, delivery, worker->now_us);
    delivery_set_state(&worker->deliveries, delivery, DELIVERY_IN_FLIGHT);
    endpoint_note_under_way(&worker->endpoints, endpoint, worker->now_us);
    http_start(worker->sending->current.engine, &request, delivery);
}

static bool may_start(const struct worker *worker)
{
    return worker->may_send && recording_has_room(worker, sending_in_flight(worker));
}

bool sending_step(struct worker *worker)
{
    decide_undecided(worker);
    for (int budget = START_BUDGET; may_start(worker); budget--) {
        struct endpoint *endpoint = endpoint_next_ready(&worker->endpoints, worker->now_us);
        struct delivery *delivery;

        if (endpoint == NULL)
            return false;
        /* The rest is for the next turn: answers that have come meanwhile should not wait behind
         * new requests. */
        if (budget == 0)
            return true;
        delivery = endpoint_first(endpoint);
        if (!leasing_may_start(worker, delivery->lane))
            return true; /* the next turn drops it */
        start(worker, delivery);
    }
    return false;
}

int64_t sending_next_us(const struct worker *worker)
{
    if (may_start(worker))
        return endpoints_next_us(&worker->endpoints);
    return worker->may_send ? recording_room_us(worker) : WORKER_NEVER;
}
