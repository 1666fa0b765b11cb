/* SPDX-License-Identifier: MIT */
#include "http/conversation.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "http/connection.h"
#include "http/context.h"
#include "http/handle.h"
#include "http/transcript.h"
#include "http/transfer.h"
#include "http/verdict.h"

/* Calls for one event: a flood on one connection must not stop the others. */
#define READ_BUDGET 16

static void dial(struct transfer *transfer);

/* The transfer's response is complete, and it has no connection any more. */
static void end(struct transfer *transfer)
{
    TAILQ_REMOVE(&transfer->engine->active, transfer, entry);
    transfer_await_callback(transfer);
}

static void close_connection(struct transfer *transfer)
{
    struct connection *connection = transfer->connection;

    transfer->connection = NULL;
    connection_close(connection);
}

static bool is_kept(const struct transfer *transfer)
{
    return transfer->reader.progress == ANSWER_COMPLETE && transfer->reader.is_reusable &&
           request_writer_is_done(&transfer->writer) && !transfer->is_write_stopped;
}

static void end_answered(struct transfer *transfer, bool has_more_input)
{
    struct connection *connection = transfer->connection;

    if (has_more_input || !is_kept(transfer)) {
        close_connection(transfer);
    } else {
        transfer->connection = NULL;
        connection->transfer = NULL;
        pool_put(&transfer->engine->pool, connection, &transfer->reader.head.keep_alive,
                 clock_monotonic_us());
    }
    transfer_set_answer(transfer, transfer->reader.progress != ANSWER_COMPLETE);
    end(transfer);
}

/* What has been read is all that there will be. */
static void end_faulty(struct transfer *transfer)
{
    if (transfer->reader.has_head) {
        end_answered(transfer, true);
        return;
    }
    close_connection(transfer);
    transfer_set_failure(transfer, ATTEMPT_BROKEN, "%s", transfer->reader.error);
    end(transfer);
}

static bool should_resend(const struct transfer *transfer)
{
    return transfer->response.is_reused && !transfer->was_resent && !transfer->has_input &&
           !request_writer_is_done(&transfer->writer);
}

static void resend(struct transfer *transfer)
{
    transfer->was_resent = true;
    transfer->is_write_stopped = false;
    transfer->response.is_reused = false;
    request_writer_rewind(&transfer->writer);
    dial(transfer);
}

static bool has_proxy(const struct transfer *transfer)
{
    return transfer->engine->settings.guard.has_proxy;
}

/* Behind a proxy nobody knows which of the two has ended it, but where the proxy answers. */
static const char *name_connection(const struct transfer *transfer)
{
    bool is_kept = transfer->response.is_reused && !transfer->has_input;

    if (transfer->target->is_through_proxy)
        return is_kept ? "the kept connection to the proxy" : "the connection to the proxy";
    if (has_proxy(transfer))
        return is_kept ? "the kept connection through the proxy"
                       : "the connection through the proxy";
    return is_kept ? "the kept connection" : "the connection";
}

/* reason is NULL when the peer has closed the connection in good order. */
static void explain_end(struct transfer *transfer, const char *reason)
{
    const char *which = name_connection(transfer);
    const char *when =
        transfer->has_input ? "before the answer's headers were complete" : "without an answer";
    const char *meaning = reason != NULL ? verdict_tls_meaning(reason) : NULL;

    if (meaning != NULL)
        transfer_set_failure(transfer, ATTEMPT_BROKEN, "%s ended %s: %s (%s)", which, when, reason,
                             meaning);
    else if (reason != NULL && !verdict_is_end(reason))
        transfer_set_failure(transfer, ATTEMPT_BROKEN, "%s ended %s: %s", which, when, reason);
    else
        transfer_set_failure(transfer, ATTEMPT_BROKEN, "%s was closed %s", which, when);
}

/* The connection is at its end, with or without a reason. */
static void on_end_of_input(struct transfer *transfer, const char *reason)
{
    struct pool_origin *origin = transfer->connection->origin;
    int64_t idle_us = transfer->started_us - transfer->connection->idle_since_us;
    char kept[HTTP_ERROR_SIZE]; /* the reason may be the connection's */

    if (reason != NULL)
        snprintf(kept, sizeof(kept), "%s", reason);
    if (transfer->has_input && reason == NULL)
        answer_reader_end(&transfer->reader);
    if (transfer->reader.has_head) {
        end_answered(transfer, true);
        return;
    }
    close_connection(transfer);
    if (transfer->response.is_reused && !transfer->has_input)
        pool_note_loss(origin, idle_us, clock_monotonic_us());
    if (should_resend(transfer)) {
        resend(transfer);
        return;
    }
    explain_end(transfer, reason != NULL ? kept : NULL);
    end(transfer);
}

static void note_input(struct transfer *transfer, const char *bytes, size_t heads)
{
    if (!transfer->has_input)
        transfer->response.timings.first_byte_us = clock_monotonic_us() - transfer->started_us;
    transfer->has_input = true;
    if (transfer->keeps_transcript)
        buffer_append(&transfer->heads, bytes, heads);
}

static void stop_writing(struct transfer *transfer)
{
    transfer->is_write_stopped = true;
    connection_stop_writing(transfer->connection);
}

/* Returns true while more is wanted. */
static bool take_input(struct transfer *transfer, const char *bytes, size_t length)
{
    struct answer_reader *reader = &transfer->reader;
    size_t used;
    size_t heads;
    enum answer_progress progress = answer_reader_feed(reader, bytes, length, &used, &heads);

    note_input(transfer, bytes, heads);
    switch (progress) {
    case ANSWER_UNFINISHED:
        if (reader->has_head && !request_writer_is_done(&transfer->writer))
            stop_writing(transfer);
        return true;
    case ANSWER_COMPLETE:
        end_answered(transfer, used < length);
        return false;
    case ANSWER_FAULTY:
        end_faulty(transfer);
        return false;
    }
    return false;
}

/* Reads what there is. Returns true when the transfer is still on its way, for more to come. */
static bool read_some(struct transfer *transfer)
{
    struct stream *stream = &transfer->connection->stream;
    char *input = transfer->engine->input;

    for (int budget = READ_BUDGET; budget > 0; budget--) {
        const char *reason = NULL;
        size_t length = 0;

        switch (stream_receive(stream, input, ENGINE_INPUT_BYTES, &length, &reason)) {
        case STREAM_AGAIN:
            return true;
        case STREAM_OK:
            if (!take_input(transfer, input, length))
                return false;
            if (stream->easy == NULL && length < ENGINE_INPUT_BYTES)
                return true; /* the socket is empty, or libevent will say so */
            break;
        case STREAM_END:
        case STREAM_ERROR:
            on_end_of_input(transfer, reason);
            return false;
        }
    }
    return true;
}

/* An answer may have been sent before the connection was ended: it counts. */
static void on_write_error(struct transfer *transfer, const char *reason)
{
    stop_writing(transfer);
    if (read_some(transfer) && !transfer->has_input)
        on_end_of_input(transfer, reason);
}

static void write_some(struct transfer *transfer)
{
    struct request_writer *writer = &transfer->writer;

    while (!request_writer_is_done(writer)) {
        struct iovec parts[2];
        int count = request_writer_parts(writer, parts);
        const char *reason = NULL;
        size_t sent = 0;

        switch (stream_send(&transfer->connection->stream, parts, count, &sent, &reason)) {
        case STREAM_OK:
            request_writer_note_sent(writer, sent);
            break;
        case STREAM_AGAIN:
            connection_wait_to_write(transfer->connection);
            return;
        case STREAM_END:
        case STREAM_ERROR:
            on_write_error(transfer, reason);
            return;
        }
    }
    connection_stop_writing(transfer->connection);
}

static void set_timer(struct transfer *transfer, int64_t now_us)
{
    int64_t wait_us = transfer->deadline_us - now_us;
    struct timeval timeout;

    if (wait_us < 0)
        wait_us = 0;
    timeout = (struct timeval){.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
    event_add(&transfer->timer, &timeout);
}

/* A timer that is set fires early enough, unless a request before had more time than this one. */
static void watch_deadline(struct transfer *transfer)
{
    if (transfer->timer_us == 0 || transfer->timer_us > transfer->deadline_us) {
        transfer->timer_us = transfer->deadline_us;
        set_timer(transfer, clock_monotonic_us());
    }
}

static void send_request(struct transfer *transfer)
{
    struct connection *connection = transfer->connection;

    memcpy(transfer->response.peer, connection->peer, sizeof(connection->peer));
    watch_deadline(transfer);
    if (transfer->keeps_transcript)
        transcript_add(&transfer->response.transcript, "> ", transfer->writer.head,
                       transfer->writer.head_length);
    write_some(transfer);
}

static void dial(struct transfer *transfer)
{
    struct http_engine *engine = transfer->engine;
    struct pool_origin *origin = transfer->target->origin;
    struct connection *connection = connection_new(&engine->connections, origin, transfer);
    struct dial_request request = {
        .url = transfer->target->ascii,
        .guard = &transfer->target->gate->guard,
        .certificate = transfer->target->gate->certificate,
        .is_tls = origin->is_tls,
        .transcript = transfer->keeps_transcript ? &transfer->response.transcript : NULL,
        .inspection = transfer->inspection,
    };

    transfer->connection = connection;
    transfer->dialed_us = clock_monotonic_us();
    request.timeout_ms = transfer_left_ms(transfer, transfer->dialed_us);
    connection->dial = dialer_start(&engine->dialer, connection, &request);
    if (connection->dial != NULL)
        return;
    close_connection(transfer);
    transfer_set_failure(transfer, ATTEMPT_CONNECT, "cannot connect to the receiver: %s",
                         "Too many open files");
    end(transfer);
}

void conversation_begin(struct transfer *transfer)
{
    struct http_engine *engine = transfer->engine;
    struct connection *connection = pool_take(&engine->pool, transfer->target->origin);

    TAILQ_INSERT_TAIL(&engine->active, transfer, entry);
    if (connection == NULL) {
        dial(transfer);
        return;
    }
    connection->transfer = transfer;
    transfer->connection = connection;
    transfer->response.is_reused = true;
    if (transfer->keeps_transcript)
        buffer_append_format(&transfer->response.transcript, "* Using the kept connection to %s\n",
                             connection->peer);
    send_request(transfer);
}

void conversation_cancel(struct transfer *transfer)
{
    TAILQ_REMOVE(&transfer->engine->active, transfer, entry);
    if (transfer->connection != NULL)
        close_connection(transfer);
}

/* libcurl counts from when it was asked, and knows 0 for what has not happened. */
static void take_timings(struct transfer *transfer, CURL *easy)
{
    struct http_timings *timings = &transfer->response.timings;
    int64_t before_us = transfer->dialed_us - transfer->started_us;
    long connects = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    timings->is_connected = connects > 0;
    timings->dns_us = verdict_time_us(easy, CURLINFO_NAMELOOKUP_TIME_T);
    timings->connect_us = verdict_time_us(easy, CURLINFO_CONNECT_TIME_T);
    timings->tls_us = verdict_time_us(easy, CURLINFO_APPCONNECT_TIME_T);
    timings->dns_us += timings->dns_us > 0 ? before_us : 0;
    timings->connect_us += timings->connect_us > 0 ? before_us : 0;
    timings->tls_us += timings->tls_us > 0 ? before_us : 0;
}

static void fail_to_dial(struct transfer *transfer, CURLcode code)
{
    struct dial *dialed = transfer->connection->dial;
    const struct guard_record *guarded = &dialed->guarded;
    const struct verdict_facts facts = {
        .curl_error = dialed->curl_error,
        .peer = guarded->peer,
        .socket_errno = guarded->socket_errno,
        .has_proxy = has_proxy(transfer),
        .is_tunnel = !transfer->target->is_through_proxy,
        .has_reached_receiver = !has_proxy(transfer) || handle_has_reached_receiver(dialed),
        .waited_us = clock_monotonic_us() - transfer->started_us,
    };
    char error[HTTP_ERROR_SIZE];

    dial_format_peer(dialed, transfer->response.peer);
    if (guard_is_refusal(guarded)) {
        transfer_set_failure(transfer, ATTEMPT_UNSENDABLE, "%s", guarded->refusal);
    } else {
        verdict_explain(dialed->easy, code, &facts, error, sizeof(error));
        transfer_set_failure(transfer, verdict_classify(code, &facts), "%s", error);
    }
    close_connection(transfer);
    end(transfer);
}

void conversation_on_dialed(struct connection *connection, CURLcode code)
{
    struct transfer *transfer = connection->transfer;

    take_timings(transfer, connection->dial->easy);
    if (code != CURLE_OK) {
        fail_to_dial(transfer, code);
        return;
    }
    connection_open(connection, clock_monotonic_us());
    send_request(transfer);
}

void conversation_on_readable(struct transfer *transfer)
{
    read_some(transfer);
}

void conversation_on_writable(struct transfer *transfer)
{
    write_some(transfer);
}

static void time_out(struct transfer *transfer, int64_t now_us)
{
    char about[UNITS_TEXT_SIZE];
    const char *what = transfer->has_input ? "the headers were not complete in the answer of"
                       : request_writer_is_done(&transfer->writer)
                           ? "no answer from"
                           : "not all of the request was taken by";

    if (transfer->reader.has_head) {
        end_answered(transfer, true);
        return;
    }
    close_connection(transfer);
    units_format_about_ms((now_us - transfer->started_us) / 1000, about);
    transfer_set_failure(transfer, ATTEMPT_TIMEOUT, "timed out after %s: %s %s%s", about, what,
                         has_proxy(transfer) ? "the receiver, through the proxy " : "",
                         transfer->response.peer);
    end(transfer);
}

void conversation_on_timer(struct transfer *transfer)
{
    int64_t now_us = clock_monotonic_us();
    struct connection *connection = transfer->connection;

    transfer->timer_us = 0;
    if (connection == NULL || connection->state == CONNECTION_DIALING)
        return; /* not active, or libcurl's business: send_request() sets it again */
    if (now_us < transfer->deadline_us)
        watch_deadline(transfer);
    else
        time_out(transfer, now_us);
}
