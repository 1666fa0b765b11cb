/* SPDX-License-Identifier: MIT */
#include "http/transfer.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/context.h"
#include "http/transcript.h"

static void on_timer_event(evutil_socket_t fd, short events, void *argument)
{
    struct transfer *transfer = argument;

    (void)fd;
    (void)events;
    transfer->on_timer(transfer);
}

struct transfer *transfer_new(struct http_engine *engine, void (*on_timer)(struct transfer *))
{
    struct transfer *transfer = memory_new(1, sizeof(*transfer));

    transfer->engine = engine;
    transfer->on_timer = on_timer;
    event_assign(&transfer->timer, engine->base, -1, 0, on_timer_event, transfer);
    buffer_init(&transfer->heads, TRANSCRIPT_MAX_BYTES);
    buffer_init(&transfer->response.snippet, HTTP_SNIPPET_BYTES);
    buffer_init(&transfer->response.transcript, TRANSCRIPT_MAX_BYTES);
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    event_del(&transfer->timer);
    request_writer_free(&transfer->writer);
    buffer_free(&transfer->heads);
    buffer_free(&transfer->response.snippet);
    buffer_free(&transfer->response.transcript);
    free(transfer);
}

bool transfer_prepare(struct transfer *transfer, const struct http_request *request, void *owner)
{
    struct http_engine *engine = transfer->engine;
    enum attempt_result result;
    struct error error;

    transfer->owner = owner;
    transfer->keeps_transcript = request->keep_transcript;
    transfer->inspection = request->inspection;
    transfer->started_us = clock_monotonic_us();
    transfer->deadline_us = transfer->started_us + request->timeout_ms * 1000;
    transfer->target =
        target_acquire(&engine->targets, request->url, request->permit, &result, &error);
    if (transfer->target == NULL) {
        transfer_set_failure(transfer, result, "%s", error.message);
        return false;
    }
    request_writer_begin(&transfer->writer, transfer->target->head, transfer->target->head_length,
                         request, transfer->target->origin->is_tls);
    answer_reader_start(&transfer->reader, &transfer->response.snippet,
                        engine->settings.options.max_response_bytes, request->is_head);
    return true;
}

int64_t transfer_left_ms(const struct transfer *transfer, int64_t now_us)
{
    int64_t left_ms = (transfer->deadline_us - now_us) / 1000;

    /* To libcurl 0 means no limit at all. */
    return left_ms > 0 ? left_ms : 1;
}

static void add_head_to_transcript(struct transfer *transfer)
{
    if (transfer->heads.length > 0)
        transcript_add(&transfer->response.transcript, "< ", transfer->heads.data,
                       transfer->heads.length);
}

static void end_response(struct transfer *transfer, enum attempt_result result)
{
    transfer->response.result = result;
    transfer->response.timings.total_us = clock_monotonic_us() - transfer->started_us;
    add_head_to_transcript(transfer);
}

/* 407 can only be the proxy's own word: the receiver was not reached. All others look alike, but
 * for the mark that one of them leaves. */
static bool is_from_proxy(const struct transfer *transfer)
{
    return transfer->target->is_through_proxy &&
           (transfer->reader.head.status == 407 || transfer->reader.head.has_squid_error);
}

void transfer_set_answer(struct transfer *transfer, bool is_truncated)
{
    struct http_response *response = &transfer->response;

    response->status = transfer->reader.head.status;
    response->is_truncated = is_truncated;
    _Static_assert(sizeof(response->retry_after) == sizeof(transfer->reader.head.retry_after), "");
    memcpy(response->retry_after, transfer->reader.head.retry_after, sizeof(response->retry_after));
    _Static_assert(sizeof(response->date) == sizeof(transfer->reader.head.date), "");
    memcpy(response->date, transfer->reader.head.date, sizeof(response->date));
    if (is_from_proxy(transfer) && response->status == 407)
        transfer_set_failure(transfer, ATTEMPT_CONNECT,
                             "the proxy asks for credentials (407); see network.proxy");
    else if (is_from_proxy(transfer))
        transfer_set_failure(transfer, ATTEMPT_CONNECT,
                             "the proxy answered %d by itself (X-Squid-Error)", response->status);
    else
        end_response(transfer, ATTEMPT_ANSWERED);
}

void transfer_set_failure(struct transfer *transfer, enum attempt_result result, const char *format,
                          ...)
{
    struct http_response *response = &transfer->response;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(response->error, sizeof(response->error), format, arguments);
    va_end(arguments);
    end_response(transfer, result);
}

void transfer_await_callback(struct transfer *transfer)
{
    struct http_engine *engine = transfer->engine;

    /* One event is enough for all that end before it is handled. */
    if (TAILQ_EMPTY(&engine->ended))
        event_active(&engine->ended_event, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&engine->ended, transfer, entry);
}

void transfer_clear(struct transfer *transfer)
{
    struct http_response *response = &transfer->response;

    if (transfer->target != NULL)
        target_release(&transfer->engine->targets, transfer->target);
    transfer->target = NULL;
    transfer->owner = NULL;
    transfer->has_input = false;
    transfer->is_write_stopped = false;
    transfer->was_resent = false;
    buffer_clear(&transfer->heads);
    buffer_clear(&response->snippet);
    buffer_clear(&response->transcript);
    response->status = 0;
    response->error[0] = '\0';
    response->retry_after[0] = '\0';
    response->date[0] = '\0';
    response->is_truncated = false;
    response->is_reused = false;
    response->peer[0] = '\0';
    response->timings = (struct http_timings){0};
}
