/* SPDX-License-Identifier: MIT */
/*
 * core/span.h: which attempts get an OpenTelemetry span, whose child it is, and what it says.
 *
 * An event's traceparent decides by itself: sampled, its attempts' spans are children of the span
 * that it names; not sampled, they get none. Of attempts without one a share gets a span, the root
 * of a trace of its own.
 *
 * Attributes are those of OpenTelemetry's semantic conventions for HTTP clients (1.23 and later).
 * Credentials, queries and fragments of URLs go into no span: tokens are in them.
 *
 * worker/tracing.c makes spans, keeps and sends them; worker/otlp.c writes them as JSON.
 */
#ifndef POSTRIDER_CORE_SPAN_H
#define POSTRIDER_CORE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/outcome.h"
#include "core/traceparent.h"

#define SPAN_RANDOM_BYTES    24 /* of a trace's id and a span's */
#define SPAN_ERROR_TYPE_SIZE 24

struct span_ids {
    char trace_id[TRACE_ID_SIZE];
    char parent_id[SPAN_ID_SIZE]; /* "": it is a root */
    char span_id[SPAN_ID_SIZE];
};

/* Of one attempt. Owned by whoever has it, and freed by span_free(). */
struct span {
    TAILQ_ENTRY(span) entry; /* in the queue of who keeps it */
    struct span_ids ids;
    char traceparent[TRACEPARENT_SIZE]; /* what the receiver gets */
    char delivery_id[37];
    char event_id[37];
    int attempt;        /* 1 for the first */
    int64_t started_ns; /* since 1970 */
    int64_t ended_ns;
    struct attempt result;
    char *url;    /* by span_url(), valid UTF-8 */
    char *server; /* its host, without brackets; NULL: it has none */
    int port;
    char *error; /* why there is no answer, valid UTF-8; NULL with one */
};

TAILQ_HEAD(span_list, span);

/*
 * True when an attempt gets a span. traceparent: the event's, "" or NULL: it has none, or none that
 * is valid. share: of the others, 0 … 1; chance: random, in [0, 1). Ids are made of the random
 * bytes, and never zeros, which are nobody's.
 */
bool span_choose(const char *traceparent, double share, double chance,
                 const unsigned char random[SPAN_RANDOM_BYTES], struct span_ids *ret_ids);

/* The URL without credentials, query and fragment; the caller's. */
char *span_url(const char *url);

/* Takes "https://example.com:443", as url_origin() makes it, apart; the host is the caller's. NULL
 * when it is none. */
char *span_server(const char *origin, int *ret_port);

/* Its error.type: the status, or "timeout", "dns", …; NULL after a 2xx. Text may be in buffer. */
const char *span_error_type(const struct attempt *attempt, char buffer[SPAN_ERROR_TYPE_SIZE]);

/* In memory, with its texts. */
size_t span_bytes(const struct span *span);

/* NULL is none. */
void span_free(struct span *span);

#endif
