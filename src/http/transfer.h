/* SPDX-License-Identifier: MIT */
/*
 * http/transfer.h: one request and its answer, and what has become of them.
 *
 * Transfers are pooled: their memory and their timer are used again. The engine owns them and moves
 * them between its lists; conversation.h carries them over connections.
 */
#ifndef POSTRIDER_HTTP_TRANSFER_H
#define POSTRIDER_HTTP_TRANSFER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http/answer_reader.h"
#include "http/request.h"
#include "http/request_writer.h"

struct connection;
struct http_engine;
struct target;

struct transfer {
    TAILQ_ENTRY(transfer) entry; /* in one of the engine's lists */
    struct http_engine *engine;
    void *owner; /* the caller's, for the callback */

    struct target *target;         /* acquired */
    struct connection *connection; /* NULL before and after */
    struct request_writer writer;
    struct answer_reader reader;
    bool keeps_transcript;
    struct http_inspection *inspection; /* the caller's; NULL = none */
    bool has_input;                     /* a byte of an answer has come */
    bool is_write_stopped;              /* the answer came first, or the connection takes no more */
    bool was_resent;

    int64_t started_us;
    int64_t deadline_us;
    int64_t dialed_us; /* when the connection was asked for */
    void (*on_timer)(struct transfer *transfer);
    struct event timer; /* fires at timer_us, 0 = not set; stays set from one use to the next */
    int64_t timer_us;

    struct buffer heads; /* of the answer, for the transcript */
    struct http_response response;
};

/* on_timer is told of its timer, which can also fire when it is not active. */
struct transfer *transfer_new(struct http_engine *engine, void (*on_timer)(struct transfer *));
void transfer_free(struct transfer *transfer);

/* Sets the request up. False when it can't be sent: response says why. */
bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
                      void *owner) MUST_USE;

/* How much of its time is left, at least 1 ms. */
int64_t transfer_left_ms(const struct transfer *transfer, int64_t now_us);

/* These complete the response. */
void transfer_set_answer(struct transfer *transfer, bool is_truncated);
void transfer_set_failure(struct transfer *transfer, enum attempt_result result, const char *format,
                          ...) PRINTF_LIKE(3, 4);

/* It has ended, and is in no list: from now on it is there to be collected. */
void transfer_await_callback(struct transfer *transfer);

/* Forgets request and response, for the next one. */
void transfer_clear(struct transfer *transfer);

#endif
