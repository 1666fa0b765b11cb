/* SPDX-License-Identifier: MIT */
/*
 * http/dial.h: a dial, which is a handle of libcurl in use, and the dialer that it belongs to.
 *
 * Only data, that dialer.c and handle.c share: dialer.h makes connections and says what holds of
 * them, handle.h sets a dial's options.
 */
#ifndef POSTRIDER_HTTP_DIAL_H
#define POSTRIDER_HTTP_DIAL_H

#include <curl/curl.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "core/client_certificate.h"
#include "http/guard.h"
#include "http/settings.h"
#include "http/shard.h"
#include "http/watch.h"

#define DIALER_TLS_CONNECTIONS 64
#define DIALER_NAME_CACHES     64

struct connection;
struct dialer;

struct dial {
    TAILQ_ENTRY(dial) entry; /* in the dialer's spare ones, or those without a socket */
    struct dialer *dialer;
    CURL *easy;
    struct shard *shard;       /* NULL while spare */
    struct connection *owner;  /* whom the end is told to */
    const struct guard *guard; /* borrowed while it is under way; NULL: nothing may be opened */
    const struct client_certificate *certificate; /* as the guard */
    int taken_fd;                                 /* not to be closed by libcurl; -1 = none */
    bool is_socketless;                           /* in that list */
    bool is_https;                                /* what is asked for, a proxy or not */
    struct http_inspection *inspection;           /* as the guard; NULL = none */
    unsigned tls_contexts; /* handshakes that were begun: with a proxy, and with the receiver */
    struct guard_record guarded;
    char curl_error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(dial_list, dial);
TAILQ_HEAD(shard_list, shard);

typedef void dial_ended(struct connection *owner, CURLcode code);

struct dialer {
    struct event_base *base;
    struct settings *settings;
    dial_ended *on_ended;
    struct watch_table watches;
    CURLSH *name_caches[DIALER_NAME_CACHES];
    struct shard_list shards; /* the first is for all that is without TLS */
    struct dial_list spare;
    size_t spare_count;
    struct dial_list socketless; /* lost a socket on their way, and must be looked at once more */
    struct event socketless_event;
};

/* What is to be reached; all of it borrowed for the call, but the guard and what is
 * written to. */
struct dial_request {
    const char *url;
    const struct guard *guard;                    /* until the end is told */
    const struct client_certificate *certificate; /* for the receiver; NULL = none; as the guard */
    bool is_tls;                                  /* the connection stays with its handle */
    int64_t timeout_ms;
    struct buffer *transcript;          /* until the end is told; NULL = none */
    struct http_inspection *inspection; /* the same */
};

#endif
