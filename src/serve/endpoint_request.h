/* SPDX-License-Identifier: MIT */
/*
 * serve/endpoint_request.h: what a body says of an endpoint, and whether that may be stored.
 *
 * The checks of webhook_endpoints are said here once more, so that the mistake can be named. What
 * opens the network's border, hears of every customer, or is a secret or may hold one, is the
 * operator's to set.
 */
#ifndef POSTRIDER_SERVE_ENDPOINT_REQUEST_H
#define POSTRIDER_SERVE_ENDPOINT_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* 0, or the status to refuse it with. is_whole: url is needed. https_only as in the
 * configuration. */
int endpoint_request_check(const json_t *body, bool is_whole, bool https_only,
                           struct error *error) MUST_USE;

/* The same of what is said when one is enabled: recover_since. */
int endpoint_request_check_enable(const json_t *body, struct error *error) MUST_USE;

#endif
