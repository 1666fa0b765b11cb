/* SPDX-License-Identifier: MIT */
/*
 * send_request.h: the request that "postrider send" makes, put together as the worker does it for
 * a delivery: with the endpoint's row and secrets when a customer is given, else with the
 * configuration alone.
 */
#ifndef POSTRIDER_COMMAND_SEND_REQUEST_H
#define POSTRIDER_COMMAND_SEND_REQUEST_H

#include <stdint.h>

#include "config/config.h"
#include "core/request_headers.h"
#include "core/secret.h"
#include "http/engine.h"
#include "worker/endpoint_settings.h"

#define SEND_EVENT_ID_SIZE 37

/* What the command line says. */
struct send_wish {
    const char *url;
    const char *customer_id;          /* NULL = no look into the database */
    const struct secret_set *secrets; /* count 0 = the customer's or the configuration's */
    int64_t timeout_ms;               /* 0 = the endpoint's or the configuration's */
    size_t headers_count;
    const struct config_header *headers;
    const struct buffer *payload;
};

struct send_request {
    char event_id[SEND_EVENT_ID_SIZE];
    struct endpoint_settings settings; /* retry policy, signer, the endpoint's headers */
    struct request_headers headers;
    struct buffer signature;
    struct http_request http; /* made of the above, for http_start() */
};

/* The wish stays in use. COMMAND_OK, or the exit status to end with: what is wrong has been
 * printed. config lends its defaults, and is given the wish's secrets. */
int send_request_make(struct send_request *request, struct config *config, const char *config_file,
                      const struct send_wish *wish) MUST_USE;
void send_request_free(struct send_request *request);

#endif
