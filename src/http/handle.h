/*
 * http/handle.h: the libcurl options of a dial's easy handle: all of them, and nothing else.
 *
 * handle_new() sets what is the same for every connection, handle_set_request() what differs.
 */
#ifndef POSTRIDER_HTTP_HANDLE_H
#define POSTRIDER_HTTP_HANDLE_H

#include "http/dialer.h"

CURL *handle_new(struct dial *dial);
void handle_set_request(struct dial *dial, const struct dial_request *request);

/* libcurl says no more about this connection. */
void handle_forget_transcript(struct dial *dial);

#endif
