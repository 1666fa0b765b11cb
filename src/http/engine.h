/*
 * http/engine.h: making POST requests, many at a time, on a libevent loop.
 *
 * This header hides how a request is made: libcurl resolves names, connects, and does TLS and
 * proxies, with the address check in its socket callback; HTTP/1.1 over its connections is ours
 * (http/context.h says which file does what). The caller fills a request, starts it, and gets
 * exactly one http_finished callback for each that was started, always from a later turn of the
 * loop and never from inside http_start(); after http_engine_cancel_all() no more callbacks come.
 *
 * Finished transfers are collected in http_engine_collect(), which the owner calls after each turn
 * of the loop (it is where the callbacks come from); a turn ends when there is something to
 * collect.
 *
 * The status line and the headers of an answer decide: once they are complete the result is
 * ATTEMPT_ANSWERED, even when the body is cut off, hangs until the time-out or is too long. A
 * request goes out twice in one attempt only when a kept connection ends under it before it was
 * written to its end (http/conversation.h). url_check() and the address check are applied here, to
 * every request. Ignores SIGPIPE for the process, where nobody has said otherwise.
 *
 * Never done here: waiting for a slot (the caller counts what is in flight), retries, redirects,
 * decompression, cookies, netrc, proxies from the environment, logging. A response is read up to a
 * limit and then the connection is closed: nothing is buffered beyond HTTP_SNIPPET_BYTES.
 */
#ifndef POSTRIDER_HTTP_ENGINE_H
#define POSTRIDER_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "core/address.h"
#include "core/client_certificate.h"
#include "core/outcome.h"
#include "core/permit.h"
#include "core/revocation.h"

#define HTTP_SNIPPET_BYTES    1024 /* of the response's body are kept */
#define HTTP_ERROR_SIZE       512
#define HTTP_RETRY_AFTER_SIZE 128

struct event_base;
struct http_engine;

struct http_options {
    size_t allow_count; /* ranges exempt from the address check; borrowed for the engine's life */
    const struct address_range *allow;
    bool https_only;
    const char *proxy;                              /* "" = none; borrowed, as the strings below */
    const char *source_address;                     /* "" = any */
    const char *ca_file;                            /* "" = the system's bundle */
    const struct revocation_lists *revocations;     /* borrowed; NULL = none */
    const char *client_certificates;                /* the directory, for messages; "" = none */
    const struct client_certificates *certificates; /* borrowed; NULL = none */
    int64_t connect_timeout_ms;
    int64_t connection_lifetime_ms; /* no request begins on a connection that is so old */
    int64_t max_response_bytes;     /* of the headers together, and of the body */
    size_t max_connections;         /* kept open while idle, all hosts together: plain ones … */
    size_t max_tls_connections;     /* … and those with TLS */
};

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
};

/* Microseconds from http_start(); 0 where a phase was not reached or not needed. */
struct http_timings {
    int64_t dns_us;        /* name resolved */
    int64_t connect_us;    /* TCP connected */
    int64_t tls_us;        /* TLS finished */
    int64_t first_byte_us; /* first byte of the answer */
    int64_t total_us;
};

/* Valid only during the callback. */
struct http_response {
    enum attempt_result result;
    int status;                              /* with ATTEMPT_ANSWERED: 200 … 599 */
    char error[HTTP_ERROR_SIZE];             /* why there is no answer; "" with one */
    char retry_after[HTTP_RETRY_AFTER_SIZE]; /* as received, several joined by ", "; "" */
    struct buffer snippet;                   /* the first bytes of the body, as received */
    bool is_truncated;                       /* there was, or should have been, more of a body */
    bool is_reused;                          /* sent on a kept connection */
    char peer[64];                           /* "203.0.113.7:443"; "" before a connection */
    struct http_timings timings;
    struct buffer transcript; /* with keep_transcript: "> …" and "< …" and "* …" lines */
};

typedef void http_finished(void *request_owner, const struct http_response *response);

struct http_engine *http_engine_new(struct event_base *base, const struct http_options *options,
                                    http_finished *on_finished, struct error *error) MUST_USE;
void http_engine_free(struct http_engine *engine);

/* Starts a request; request_owner is handed to the callback. Everything that can go wrong (a bad
 * URL too) is reported by the callback. */
void http_start(struct http_engine *engine, const struct http_request *request,
                void *request_owner);

/* Calls on_finished for the requests that have ended, at most budget; true when some are left. */
bool http_engine_collect(struct http_engine *engine, int budget);

size_t http_engine_in_flight(const struct http_engine *engine);

/* Ends all requests without callbacks and closes the connections (second SIGTERM). */
void http_engine_cancel_all(struct http_engine *engine);

#endif
