/* SPDX-License-Identifier: MIT */
/*
 * worker/tracing.h: spans of attempts, to the OpenTelemetry collector at tracing.url.
 *
 * Off without tracing.url. An attempt's span begins with its request, whose traceparent names it,
 * and is queued when the request has ended; core/span.h decides which attempts get one. Queued
 * spans go out every second, or sooner when 256 are there, by an HTTP engine of their own: they
 * take no slot of deliveries, and what a collector does has no effect on any.
 *
 * That engine makes requests to nothing but tracing.url, follows no redirects, and is given a URL by
 * the operator alone, so that the border for receivers does not hold for it: all addresses are
 * allowed, but those of clouds' metadata services. network.proxy, network.source_address,
 * network.https_only and network.crl_file are about the way to receivers, and do not hold either.
 *
 * One request at a time, for at most 5 s. A batch that the collector does not take is dropped, and
 * so is what comes while 2,048 spans or 1 MiB of them wait; the log says how many, at most once a
 * minute. A worker that stops sends what is left, for at most 1 s.
 */
#ifndef POSTRIDER_WORKER_TRACING_H
#define POSTRIDER_WORKER_TRACING_H

#include "http/request.h"
#include "worker/context.h"

void tracing_init(struct worker *worker);
void tracing_free(struct worker *worker);

/* By the configuration in force; a request that is under way ends as it began. */
void tracing_reconfigure(struct worker *worker);

/* The delivery's request is about to be made: its traceparent, valid until tracing_end(). NULL:
 * the attempt gets no span. */
const char *tracing_begin(struct worker *worker, struct delivery *delivery);

/* It has ended so. Without a span there is nothing to do. */
void tracing_end(struct worker *worker, struct delivery *delivery,
                 const struct http_response *response, const struct attempt *attempt);

void tracing_step(struct worker *worker);
int64_t tracing_next_us(const struct worker *worker);

/* The worker stops: the last try, in which the loop turns. */
void tracing_finish(struct worker *worker);

/* It stops at once: what waits is dropped. */
void tracing_abandon(struct worker *worker);

#endif
