/*
 * http/transfer.h: one request and its answer, on a libcurl easy handle.
 *
 * Transfers are pooled: what is the same for every request of an engine is set once, when the
 * transfer is made, and a request sets only what differs (http/handle.h). The engine owns the
 * transfers and moves them between its lists; a transfer knows nothing of the loop.
 */
#ifndef POSTRIDER_HTTP_TRANSFER_H
#define POSTRIDER_HTTP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "http/answer.h"
#include "http/engine.h"
#include "http/guard.h"
#include "http/settings.h"
#include "http/shard.h"

struct transfer {
    TAILQ_ENTRY(transfer) entry; /* in one of the engine's lists */
    const struct settings *settings;
    CURL *easy;
    struct shard *shard; /* that easy belongs to; NULL until transfer_prepare() */
    void *owner;         /* the caller's, for the callback */
    int64_t timeout_ms;
    bool was_resent;

    struct curl_slist *nodes; /* a libcurl list of the request's header lines … */
    size_t nodes_capacity;
    char *lines; /* … and the lines, one after the other; kept for the next request */
    size_t lines_capacity;

    struct answer answer;
    struct guard_record guarded;
    char curl_error[CURL_ERROR_SIZE];
    struct http_response response;
};

TAILQ_HEAD(transfer_list, transfer);

/* settings outlive it. */
struct transfer *transfer_new(const struct settings *settings);
void transfer_free(struct transfer *transfer);

/* Sets the request up, to be added to shard. False when it can't be sent: response says why. */
bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
                      struct shard *shard, void *owner) MUST_USE;

/* True when the request should go out once more, for which the transfer is then set up. */
bool transfer_should_resend(struct transfer *transfer, CURLcode code);

/* Completes the response. */
void transfer_finish(struct transfer *transfer, CURLcode code);

/* Forgets request and response, for the next one. */
void transfer_clear(struct transfer *transfer);

#endif
