/* SPDX-License-Identifier: MIT */
/*
 * http/settings.h: an engine's options in the form in which its transfers need them.
 *
 * Checked once, when the engine is made; nothing of it changes afterwards (but that the CA
 * certificates are read when they are first needed).
 */
#ifndef POSTRIDER_HTTP_SETTINGS_H
#define POSTRIDER_HTTP_SETTINGS_H

#include "base/error.h"
#include "http/guard.h"
#include "http/options.h"
#include "http/trust.h"

#define SETTINGS_INTERFACE_SIZE 128

struct settings {
    struct http_options options; /* what they point to is borrowed */
    struct guard guard;
    struct trust trust;
    bool is_http_proxy;                      /* http or https: requests to http URLs go to it */
    bool is_tls_proxy;                       /* https: what goes to it is encrypted */
    char *proxy;                             /* for CURLOPT_PROXY; NULL = none */
    char *proxy_authorization;               /* for it; NULL = none */
    char interface[SETTINGS_INTERFACE_SIZE]; /* for CURLOPT_INTERFACE; "" = any */
    long ip_resolve;                         /* CURL_IPRESOLVE_…, to fit the source address */
};

bool settings_init(struct settings *settings, const struct http_options *options,
                   struct error *error) MUST_USE;
void settings_free(struct settings *settings);

#endif
