/*
 * worker/exchange.h: between the configuration and the HTTP engine: how an engine is made of the
 * one, and what the other's answer means as an attempt. Shared by the worker and "postrider send",
 * so that a test request goes out and is judged as a delivery would be.
 */
#ifndef POSTRIDER_WORKER_EXCHANGE_H
#define POSTRIDER_WORKER_EXCHANGE_H

#include <stddef.h>

#include "config/config.h"
#include "core/outcome.h"
#include "http/engine.h"

/* Borrows from config, which must outlive the engine. */
struct http_options exchange_options(const struct config *config);

/* Reads Retry-After by the wall clock. */
struct attempt exchange_attempt(const struct http_response *response);

/* True when the connection was ready before whatever happened: the server could be reached. */
bool exchange_was_connected(const struct http_response *response, const char *url);

#endif
