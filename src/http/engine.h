/* SPDX-License-Identifier: MIT */
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

#include "base/error.h"
#include "http/options.h"
#include "http/request.h"

struct event_base;
struct http_engine;

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
