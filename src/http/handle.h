/*
 * http/handle.h: the libcurl options of a transfer's easy handle: all of them, and nothing else.
 *
 * handle_new() sets what is the same for every request, handle_set_request() what differs; an
 * easy_reset() and all options anew for each request would cost a tenth of its time.
 */
#ifndef POSTRIDER_HTTP_HANDLE_H
#define POSTRIDER_HTTP_HANDLE_H

#include "http/transfer.h"

CURL *handle_new(struct transfer *transfer);

/* headers and the request's body are borrowed until the transfer has ended; url is copied. */
void handle_set_request(struct transfer *transfer, const struct http_request *request,
                        const char *url, struct curl_slist *headers);

/* For a request that goes out once more: a new connection, and what is left of the time. */
void handle_set_resend(CURL *easy, int64_t timeout_ms);

#endif
