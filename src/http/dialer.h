/* SPDX-License-Identifier: MIT */
/*
 * http/dialer.h: making connections with libcurl (CURLOPT_CONNECT_ONLY): names, happy eyeballs,
 * TLS, proxies, and the address check are its business; what goes over a connection is ours.
 *
 * A connection without TLS leaves libcurl as soon as it is made: dial_take_socket() takes the
 * socket over, so that any number of them costs libcurl nothing. One with TLS stays with its handle
 * in a CURLM until it is closed. curl_easy_send() and _recv() walk all connections of that CURLM,
 * so there are at most DIALER_TLS_CONNECTIONS in each; all share one CA store. libcurl walks the
 * whole cache of names for each connection that it begins or ends, so there are DIALER_NAME_CACHES,
 * and each host has its own of them.
 *
 * When an address does not answer in its share of the time, or refuses, libcurl 7.88 takes up the
 * next one without opening its socket: that waits until libcurl looks at the handle again, for
 * which it sets no timer (curl's issue 11920). So a handle that loses a socket on its way is looked
 * at once more, in the next turn of the loop.
 *
 * A dial is a handle in use. Its end is told exactly once, from the event loop, unless dial_end()
 * comes first.
 */
#ifndef POSTRIDER_HTTP_DIALER_H
#define POSTRIDER_HTTP_DIALER_H

#include "base/compiler.h"
#include "http/dial.h"

void dialer_init(struct dialer *dialer, struct event_base *base, struct settings *settings,
                 dial_ended *on_ended);
void dialer_free(struct dialer *dialer);

/* NULL when the system has no more file descriptors. */
struct dial *dialer_start(struct dialer *dialer, struct connection *owner,
                          const struct dial_request *request) MUST_USE;

/* The cache that knows the host of a URL. */
CURLSH *dialer_name_cache(const struct dialer *dialer, const char *url);

/* Of a dial that has succeeded. */
int dial_socket(const struct dial *dial);
void dial_format_peer(const struct dial *dial, char peer[GUARD_PEER_SIZE]);

/* Takes the socket over, for the caller to close, and ends the dial. */
int dial_take_socket(struct dial *dial);

/* Closes what there is, at any time. */
void dial_end(struct dial *dial);

#endif
