/* SPDX-License-Identifier: MIT */
/*
 * http/request.h: one request, as it is given to an engine, and what the engine says became of it.
 * Only data; who owns what is said with each.
 */
#ifndef POSTRIDER_HTTP_REQUEST_H
#define POSTRIDER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/outcome.h"
#include "core/permit.h"

#define HTTP_SNIPPET_BYTES    1024 /* of the response's body are kept */
#define HTTP_ERROR_SIZE       512
#define HTTP_RETRY_AFTER_SIZE 128
#define HTTP_DATE_SIZE        64

struct http_inspection;

/* The body is borrowed until the callback, all else only for the call of http_start(). */
struct http_request {
    const char *url;
    const struct permit *permit; /* of the endpoint; NULL = the options alone */
    const char *const *headers;  /* "Name: value", checked by the caller */
    size_t headers_count;
    const void *body;
    size_t body_length;
    int64_t timeout_ms;   /* of the whole request, from http_start() on */
    bool keep_transcript; /* fill http_response.transcript */
    bool is_head;         /* HEAD instead of POST, without a body: it asks for nothing to be done */
    struct http_inspection *inspection; /* filled until the callback (http/inspection.h); or NULL */
};

/* Microseconds from http_start(); 0 where a phase was not reached or not needed. */
struct http_timings {
    int64_t dns_us;        /* name resolved */
    int64_t connect_us;    /* TCP connected */
    int64_t tls_us;        /* TLS finished */
    int64_t first_byte_us; /* first byte of the answer */
    int64_t total_us;
    bool is_connected; /* TCP is, also where connect_us is not known since TLS did not come about */
};

/* Valid only during the callback. */
struct http_response {
    enum attempt_result result;
    int status;                              /* with ATTEMPT_ANSWERED: 200 … 599 */
    char error[HTTP_ERROR_SIZE];             /* why there is no answer; "" with one */
    char retry_after[HTTP_RETRY_AFTER_SIZE]; /* as received, several joined by ", "; "" */
    char date[HTTP_DATE_SIZE];               /* as received; "" = none */
    struct buffer snippet;                   /* the first bytes of the body, as received */
    bool is_truncated;                       /* there was, or should have been, more of a body */
    bool is_reused;                          /* sent on a kept connection */
    char peer[64];                           /* "203.0.113.7:443"; "" before a connection */
    struct http_timings timings;
    struct buffer transcript; /* with keep_transcript: "> …" and "< …" and "* …" lines */
};

typedef void http_finished(void *request_owner, const struct http_response *response);

#endif
