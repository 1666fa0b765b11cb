/* SPDX-License-Identifier: MIT */
#include "worker/tracing.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "http/engine.h"
#include "http/url.h"
#include "worker/otlp.h"

#define QUEUE_SPANS 2048
#define QUEUE_BYTES ((size_t)1024 * 1024)
/* Their JSON takes some 15 us each, in which the loop does nothing else. */
#define BATCH_SPANS       256
#define FLUSH_US          1000000
#define AFTER_FAILURE_US  1000000
#define REQUEST_MS        5000
#define CONNECT_MS        5000
#define CONNECTION_MS     120000
#define ANSWER_BYTES      ((int64_t)64 * 1024)
#define LAST_TRY_US       1000000
#define LOG_PAUSE_US      60000000
#define ERROR_BYTES       512
#define OWN_HEADERS       2
#define TRACING_LINES_MAX (OWN_HEADERS + HEADERS_MAX)

/* Copies of the configuration's, which ends before a request that is under way. */
struct collector {
    struct http_engine *engine; /* NULL: tracing is off */
    char *url;
    size_t lines_count;
    char *lines[TRACING_LINES_MAX];
    struct address_range everywhere[2];
};

struct tracing {
    struct collector collector;
    bool is_outdated; /* the configuration has changed, and a request is under way */
    char host[HOST_NAME_MAX + 1];
    struct span_list queue; /* the batch that is under way first */
    size_t count;
    size_t bytes;
    char *body;       /* of the request under way; NULL = none is */
    size_t in_flight; /* its spans */
    int64_t flush_us; /* when what waits is to go out */
    int64_t not_before_us;
    int64_t dropped; /* and not told yet */
    int64_t log_us;  /* not before it */
    bool has_failed; /* the last request */
    char error[ERROR_BYTES];
};

static void on_finished(void *request_owner, const struct http_response *response);

void tracing_init(struct worker *worker)
{
    struct tracing *tracing = memory_new(1, sizeof(*tracing));

    worker->tracing = tracing;
    TAILQ_INIT(&tracing->queue);
    if (gethostname(tracing->host, sizeof(tracing->host)) != 0)
        text_copy(tracing->host, sizeof(tracing->host), "unknown");
    tracing->host[sizeof(tracing->host) - 1] = '\0';
}

/* The first of the queue, so many. */
static void forget(struct tracing *tracing, size_t count)
{
    for (; count > 0; count--) {
        struct span *span = TAILQ_FIRST(&tracing->queue);

        TAILQ_REMOVE(&tracing->queue, span, entry);
        tracing->count--;
        tracing->bytes -= span_bytes(span);
        span_free(span);
    }
}

static void end_request(struct tracing *tracing)
{
    forget(tracing, tracing->in_flight);
    tracing->in_flight = 0;
    free(tracing->body);
    tracing->body = NULL;
}

static void collector_free(struct collector *collector)
{
    http_engine_free(collector->engine);
    free(collector->url);
    for (size_t i = 0; i < collector->lines_count; i++)
        memory_free_secret(collector->lines[i]);
    *collector = (struct collector){.engine = NULL};
}

void tracing_free(struct worker *worker)
{
    struct tracing *tracing = worker->tracing;

    collector_free(&tracing->collector);
    end_request(tracing);
    forget(tracing, tracing->count);
    free(tracing);
}

static void add_lines(struct collector *collector, const struct config *config)
{
    const struct config_headers *headers = &config->tracing.headers;

    collector->lines[collector->lines_count++] =
        memory_copy_string("Content-Type: application/json");
    collector->lines[collector->lines_count++] =
        memory_copy_string("User-Agent: Postrider/" POSTRIDER_VERSION);
    for (size_t i = 0; i < headers->count; i++)
        collector->lines[collector->lines_count++] =
            memory_format("%s: %s", headers->list[i].name, headers->list[i].value);
}

/* Whatever the operator's own URL leads to (tracing.h). */
static void allow_everywhere(struct collector *collector)
{
    struct error error;

    if (!address_range_parse("0.0.0.0/0", &collector->everywhere[0], &error) ||
        !address_range_parse("::/0", &collector->everywhere[1], &error))
        bug("the range of all addresses: %s", error.message);
}

static void collector_make(struct worker *worker, struct collector *collector)
{
    const struct config *config = worker->config;
    const struct http_options options = {
        .allow_count = ARRAY_LENGTH(collector->everywhere),
        .allow = collector->everywhere,
        .proxy = "",
        .source_address = "",
        .ca_file = config->network.ca_file,
        .client_certificates = "",
        .connect_timeout_ms = CONNECT_MS,
        .connection_lifetime_ms = CONNECTION_MS,
        .max_response_bytes = ANSWER_BYTES,
        .max_connections = 1,
        .max_tls_connections = 1,
    };
    struct error error;

    if (config->tracing.url[0] == '\0')
        return;
    allow_everywhere(collector);
    collector->engine = http_engine_new(worker->loop.base, &options, on_finished, &error);
    if (collector->engine == NULL) {
        log_event(LOG_LEVEL_ERROR, "no traces are sent", LOG_TEXT("error", error.message));
        return;
    }
    collector->url = memory_copy_string(config->tracing.url);
    add_lines(collector, config);
}

static void remake(struct worker *worker)
{
    struct tracing *tracing = worker->tracing;

    tracing->is_outdated = false;
    tracing->not_before_us = 0;
    collector_free(&tracing->collector);
    collector_make(worker, &tracing->collector);
    if (tracing->collector.engine == NULL)
        forget(tracing, tracing->count);
}

void tracing_reconfigure(struct worker *worker)
{
    if (worker->tracing->body != NULL)
        worker->tracing->is_outdated = true;
    else
        remake(worker);
}

static struct span *span_new(const struct delivery *delivery, const struct span_ids *ids)
{
    struct span *span = memory_new(1, sizeof(*span));

    span->ids = *ids;
    traceparent_write(ids->trace_id, ids->span_id, span->traceparent);
    text_copy(span->delivery_id, sizeof(span->delivery_id), delivery->id);
    text_copy(span->event_id, sizeof(span->event_id), delivery->event_id);
    span->attempt = (delivery->attempts > 0 ? delivery->attempts : 0) + 1;
    span->started_ns = clock_wall_ns();
    return span;
}

const char *tracing_begin(struct worker *worker, struct delivery *delivery)
{
    const char *traceparent = delivery->body != NULL ? delivery->body->traceparent : "";
    unsigned char bytes[SPAN_RANDOM_BYTES];
    struct span_ids ids;

    span_free(delivery->span);
    delivery->span = NULL;
    if (worker->tracing->collector.engine == NULL)
        return NULL;
    arc4random_buf(bytes, sizeof(bytes));
    if (!span_choose(traceparent, worker->config->tracing.sample, random01(), bytes, &ids))
        return NULL;
    delivery->span = span_new(delivery, &ids);
    text_copy(delivery->trace_id, sizeof(delivery->trace_id), ids.trace_id);
    return delivery->span->traceparent;
}

static char *clean_copy(const char *text)
{
    struct buffer clean;

    buffer_init(&clean, strlen(text) * 3 + 1);
    text_append_clean(&clean, text, strlen(text));
    if (clean.length == 0)
        buffer_append_string(&clean, "");
    return buffer_take(&clean);
}

static void set_url(struct span *span, const struct endpoint *endpoint)
{
    char *url = span_url(endpoint->url);

    span->url = clean_copy(url);
    span->server = span_server(endpoint->origin->name, &span->port);
    free(url);
}

/* There was no request; or nobody wants to hear of it any more. */
static bool is_no_attempt(const struct tracing *tracing, const struct attempt *attempt)
{
    return attempt->result == ATTEMPT_UNSENDABLE || tracing->collector.engine == NULL;
}

static void enqueue(struct worker *worker, struct span *span)
{
    struct tracing *tracing = worker->tracing;
    size_t bytes = span_bytes(span);

    if (tracing->count >= QUEUE_SPANS || bytes > QUEUE_BYTES - tracing->bytes) {
        tracing->dropped++;
        span_free(span);
        return;
    }
    if (tracing->count == tracing->in_flight)
        tracing->flush_us = worker->now_us + FLUSH_US;
    TAILQ_INSERT_TAIL(&tracing->queue, span, entry);
    tracing->count++;
    tracing->bytes += bytes;
}

void tracing_end(struct worker *worker, struct delivery *delivery,
                 const struct http_response *response, const struct attempt *attempt)
{
    struct span *span = delivery->span;

    delivery->span = NULL;
    if (span == NULL)
        return;
    if (is_no_attempt(worker->tracing, attempt)) {
        /* Lines of the log lead to no trace that nobody will find. */
        if (span->ids.parent_id[0] == '\0')
            delivery->trace_id[0] = '\0';
        span_free(span);
        return;
    }
    span->ended_ns = span->started_ns + response->timings.total_us * 1000;
    span->result = *attempt;
    set_url(span, delivery->endpoint);
    if (attempt->result != ATTEMPT_ANSWERED)
        span->error = clean_copy(response->error);
    enqueue(worker, span);
}

static void note_failure(struct worker *worker, const struct http_response *response)
{
    struct tracing *tracing = worker->tracing;
    struct buffer text;

    buffer_init(&text, ERROR_BYTES - 1);
    if (response->result == ATTEMPT_ANSWERED)
        buffer_append_format(&text, "the collector answered %d", response->status);
    else
        text_append_clean(&text, response->error, strlen(response->error));
    text_copy(tracing->error, sizeof(tracing->error), buffer_string(&text));
    buffer_free(&text);
    tracing->has_failed = true;
    tracing->dropped += (int64_t)tracing->in_flight;
    tracing->not_before_us = worker->now_us + AFTER_FAILURE_US;
}

static void on_finished(void *request_owner, const struct http_response *response)
{
    struct worker *worker = request_owner;
    struct tracing *tracing = worker->tracing;

    if (response->result != ATTEMPT_ANSWERED || response->status < 200 || response->status > 299) {
        note_failure(worker, response);
    } else if (tracing->has_failed) {
        tracing->has_failed = false;
        log_event(LOG_LEVEL_INFO, "the collector takes traces again");
    }
    end_request(tracing);
}

static void send_batch(struct worker *worker)
{
    struct tracing *tracing = worker->tracing;
    const struct collector *collector = &tracing->collector;
    size_t count = tracing->count < BATCH_SPANS ? tracing->count : BATCH_SPANS;
    struct http_request request = {
        .url = collector->url,
        .headers = (const char *const *)collector->lines,
        .headers_count = collector->lines_count,
        .timeout_ms = REQUEST_MS,
    };

    tracing->in_flight = count;
    tracing->body = otlp_export(&tracing->queue, count, tracing->host);
    tracing->flush_us = worker->now_us + FLUSH_US;
    request.body = tracing->body;
    request.body_length = strlen(tracing->body);
    http_start(collector->engine, &request, worker);
}

static void log_dropped(struct worker *worker, const char *reason)
{
    struct tracing *tracing = worker->tracing;

    log_event(LOG_LEVEL_WARNING, "traces were dropped", LOG_NUMBER("spans", tracing->dropped),
              LOG_STRING("error", reason));
    tracing->dropped = 0;
    tracing->log_us = worker->now_us + LOG_PAUSE_US;
}

static const char *reason_of_loss(const struct tracing *tracing)
{
    return tracing->has_failed ? tracing->error : "there were more than the collector takes";
}

/* Now and then. */
static void tell_dropped(struct worker *worker)
{
    const struct tracing *tracing = worker->tracing;

    if (tracing->dropped > 0 && worker->now_us >= tracing->log_us)
        log_dropped(worker, reason_of_loss(tracing));
}

int64_t tracing_next_us(const struct worker *worker)
{
    const struct tracing *tracing = worker->tracing;
    int64_t due_us = tracing->count >= BATCH_SPANS ? 0 : tracing->flush_us;

    if (tracing->collector.engine == NULL || tracing->body != NULL || tracing->count == 0)
        return tracing->dropped > 0 ? tracing->log_us : WORKER_NEVER;
    return due_us > tracing->not_before_us ? due_us : tracing->not_before_us;
}

static void collect(struct worker *worker)
{
    if (worker->tracing->collector.engine != NULL)
        http_engine_collect(worker->tracing->collector.engine, 1);
    if (worker->tracing->is_outdated && worker->tracing->body == NULL)
        remake(worker);
}

static bool may_send(const struct tracing *tracing)
{
    return tracing->collector.engine != NULL && tracing->body == NULL && tracing->count > 0;
}

void tracing_step(struct worker *worker)
{
    collect(worker);
    if (may_send(worker->tracing) && worker->now_us >= tracing_next_us(worker))
        send_batch(worker);
    tell_dropped(worker);
}

/* Until all is sent, a request fails, somebody asks again for the end, or it has taken too long. */
static bool is_trying(const struct worker *worker, int64_t until_us)
{
    const struct tracing *tracing = worker->tracing;

    return tracing->collector.engine != NULL && tracing->count > 0 && !tracing->has_failed &&
           worker->loop.stops_wanted == 0 && worker->now_us < until_us;
}

void tracing_finish(struct worker *worker)
{
    int64_t until_us = worker->now_us + LAST_TRY_US;

    worker->tracing->has_failed = false;
    while (is_trying(worker, until_us)) {
        if (may_send(worker->tracing))
            send_batch(worker);
        loop_wake_at(&worker->loop, until_us);
        worker->now_us = loop_wait(&worker->loop);
        collect(worker);
    }
    tracing_abandon(worker);
}

void tracing_abandon(struct worker *worker)
{
    struct tracing *tracing = worker->tracing;
    const char *reason = tracing->count > 0 && !tracing->has_failed
                             ? "the worker stops without waiting"
                             : reason_of_loss(tracing);

    if (tracing->collector.engine != NULL)
        http_engine_cancel_all(tracing->collector.engine);
    tracing->dropped += (int64_t)tracing->count;
    end_request(tracing);
    forget(tracing, tracing->count);
    if (tracing->dropped > 0)
        log_dropped(worker, reason);
}
