/* SPDX-License-Identifier: MIT */
/*
 * http/verdict.h: what it means that libcurl could not connect, in the terms of core/outcome.h and
 * in words for a person.
 */
#ifndef POSTRIDER_HTTP_VERDICT_H
#define POSTRIDER_HTTP_VERDICT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/outcome.h"

/* What is known beside libcurl's code and its times. */
struct verdict_facts {
    const char *curl_error; /* libcurl's error buffer; may be "" */
    const char *peer;       /* the address tried last, "" = none */
    int socket_errno;       /* of a socket that could not be opened, else 0 */
    bool has_proxy;
    bool is_tunnel;            /* a proxy is asked for one; for other requests it is the receiver */
    bool has_reached_receiver; /* there is a tunnel, or no proxy (dialer.h) */
    int64_t waited_us; /* since the attempt began; libcurl's own total can be 0 at a time-out */
};

/*
 * An alert about our certificate is ATTEMPT_BROKEN: with TLS 1.3 it comes when the connection is
 * made already, and it is never the host's trouble, but that of an endpoint which shows another
 * certificate than the receiver wants, or none. What goes wrong before a proxy has made its tunnel
 * is the proxy's trouble, whatever it is: no connection.
 */
enum attempt_result verdict_classify(CURLcode code, const struct verdict_facts *facts);

/* Writes at most size bytes. easy is asked for times and the system's error. */
void verdict_explain(CURL *easy, CURLcode code, const struct verdict_facts *facts, char *text,
                     size_t size);

/* A number of microseconds that libcurl knows; 0 when it does not. */
curl_off_t verdict_time_us(CURL *easy, CURLINFO info);

/* True when a message of OpenSSL, or of libcurl about it, says no more than that the other side has
 * closed the connection. */
bool verdict_is_end(const char *text);

/* What a message of OpenSSL means for an operator; NULL when there is nothing to add. */
const char *verdict_tls_meaning(const char *text);

#endif
