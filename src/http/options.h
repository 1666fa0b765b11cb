/* SPDX-License-Identifier: MIT */
/*
 * http/options.h: what an engine is made with. Only data; http/settings.h checks it.
 */
#ifndef POSTRIDER_HTTP_OPTIONS_H
#define POSTRIDER_HTTP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/address.h"
#include "core/client_certificate.h"
#include "core/revocation.h"

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
    int64_t connection_lifetime_ms; /* no request begins on a connection that is so old; 0: all
                                        is made anew each time: names, connections, sessions */
    int64_t max_response_bytes;     /* of the headers together, and of the body */
    size_t max_connections;         /* kept open while idle, all hosts together: plain ones … */
    size_t max_tls_connections;     /* … and those with TLS */
};

#endif
