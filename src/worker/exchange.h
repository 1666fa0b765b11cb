/* SPDX-License-Identifier: MIT */
/*
 * worker/exchange.h: between the configuration and the HTTP engine: how an engine is made of the
 * one, how a request for the other is made of a delivery and its endpoint's settings, and what the
 * engine's answer means as an attempt. Shared by the worker and "postrider send", so that a test
 * request goes out and is judged as a delivery would be. Knows nothing of the worker's state.
 */
#ifndef POSTRIDER_WORKER_EXCHANGE_H
#define POSTRIDER_WORKER_EXCHANGE_H

#include <stddef.h>

#include "base/buffer.h"
#include "config/config.h"
#include "core/outcome.h"
#include "core/phases.h"
#include "core/request_headers.h"
#include "http/engine.h"
#include "worker/endpoint_settings.h"

/* Borrows from config, which must outlive the engine. */
struct http_options exchange_options(const struct config *config);

/* What a request is made of; all of it borrowed. */
struct exchange_delivery {
    const struct config *config;
    const struct endpoint_settings *settings; /* with a signer */
    const char *url;
    const char *event_id;
    const struct request_event *event; /* NULL: it was made for none */
    int attempt;                       /* 1 for the first */
    const char *traceparent;           /* of this attempt; NULL: the event's, if any */
    const char *payload;
    size_t payload_length;
    size_t headers_count; /* more headers, which win over the configuration's and the endpoint's */
    const struct config_header *headers;
};

/*
 * Everything that the receiver gets to see is put together here: the next attempt's headers, signed
 * by the wall clock. headers and signature are the caller's, kept from one request to the next so
 * that none of them allocates; the request points into headers, and borrows what the delivery does.
 * False with error when it can't be signed or has too many headers.
 */
bool exchange_request(const struct exchange_delivery *delivery, struct request_headers *headers,
                      struct buffer *signature, struct http_request *ret_request,
                      struct error *error) MUST_USE;

/* Reads Retry-After by the wall clock. */
struct attempt exchange_attempt(const struct http_response *response);

/* How long its parts took; phases_none when nothing was sent. */
struct phases exchange_phases(const struct http_response *response, const char *url);

/* What it means for a delivery whose first attempt it was, as the start of a sentence: "The receiver
 * answered 503: a delivery would be tried again after 10s, …". */
void exchange_explain(const struct retry_policy *policy, const struct http_response *response,
                      struct buffer *out);

/* The body of a test: {"type": event_type, "timestamp": now, "data": {…}} (Standard Webhooks, "Payload
 * structure"). */
void exchange_make_payload(const char *event_type, struct buffer *ret_payload);

/* True when the connection was ready before whatever happened: the server could be reached. */
bool exchange_was_connected(const struct http_response *response, const char *url);

#endif
