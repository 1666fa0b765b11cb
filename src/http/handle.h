/* SPDX-License-Identifier: MIT */
/*
 * http/handle.h: the libcurl options of a dial's easy handle: all of them, and nothing else.
 *
 * handle_new() sets what is the same for every connection, handle_set_request() what differs;
 * handle_forget_request() lets go of what was borrowed for making it.
 */
#ifndef POSTRIDER_HTTP_HANDLE_H
#define POSTRIDER_HTTP_HANDLE_H

#include "http/dial.h"

CURL *handle_new(struct dial *dial);
/* names: libcurl's cache of names for the request's host. */
void handle_set_request(struct dial *dial, const struct dial_request *request, CURLSH *names);

/* True when a handshake with the receiver of an https URL was begun, so that whatever proxy there
 * is had made its tunnel. */
bool handle_has_reached_receiver(const struct dial *dial);

/* libcurl says no more about this connection, and opens no other. */
void handle_forget_request(struct dial *dial);

#endif
