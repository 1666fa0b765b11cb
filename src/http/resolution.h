/* SPDX-License-Identifier: MIT */
/*
 * http/resolution.h: all addresses of a URL's host, for somebody who looks into it.
 *
 * Asks what libcurl asks, getaddrinfo(), in a thread of the C library's (getaddrinfo_a()), so that
 * nobody waits for it: resolution_is_done() is to be asked now and then. Nothing is connected to; a
 * connection resolves the name for itself, and its address is checked again (http/guard.h).
 */
#ifndef POSTRIDER_HTTP_RESOLUTION_H
#define POSTRIDER_HTTP_RESOLUTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/address.h"

#define RESOLUTION_MAX          16 /* addresses that are told */
#define RESOLUTION_ADDRESS_SIZE 64

struct resolution;

/* NULL with error when the URL has no host that could be asked for. */
struct resolution *resolution_start(const char *url, struct error *error) MUST_USE;

bool resolution_is_done(const struct resolution *resolution);

/* The host and the port that are asked for. */
const char *resolution_host(const struct resolution *resolution);
int resolution_port(const struct resolution *resolution);

/* Of one that is done: NULL, or why there is no address. */
const char *resolution_error(const struct resolution *resolution);

/* Writes at most RESOLUTION_MAX addresses of one that is done, and returns how many. */
size_t resolution_addresses(const struct resolution *resolution,
                            struct address addresses[RESOLUTION_MAX]);

/* "203.0.113.7", "2001:db8::1" */
void resolution_format(const struct address *address, char text[RESOLUTION_ADDRESS_SIZE]);

/* At any time. What can't be called back is left to its thread. */
void resolution_free(struct resolution *resolution);

#endif
