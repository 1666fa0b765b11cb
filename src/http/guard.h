/* SPDX-License-Identifier: MIT */
/*
 * http/guard.h: the address check at the moment a socket is opened.
 *
 * libcurl asks for a socket for each address that it is about to try, after DNS, so nothing can be
 * rebound in between; every socket comes from here. With a proxy the addresses are the proxy's,
 * which the operator chose, and only a literal address in the URL can be checked.
 *
 * A connection that is kept was checked when it was opened. An engine's ranges never change, and
 * requests of endpoints with ranges of their own share no connection with others (target.h).
 */
#ifndef POSTRIDER_HTTP_GUARD_H
#define POSTRIDER_HTTP_GUARD_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/address.h"

#define GUARD_PEER_SIZE    64
#define GUARD_REFUSAL_SIZE 256

/* What became of one transfer's addresses. */
struct guard_record {
    unsigned opened;
    unsigned refused;
    int socket_errno;                 /* of a socket() that failed */
    char peer[GUARD_PEER_SIZE];       /* opened last, "203.0.113.7:443" */
    char refusal[GUARD_REFUSAL_SIZE]; /* of the first that was refused */
};

struct guard {
    bool has_proxy;
    size_t allow_count;
    const struct address_range *allow; /* borrowed, as long as somebody dials with it */
};

/* True when address may be connected to at that port; else says why not in record. */
bool guard_admit(const struct guard *guard, const struct address *address, int port,
                 struct guard_record *record) MUST_USE;

/* A socket for the address, or CURL_SOCKET_BAD. */
curl_socket_t guard_open_socket(const struct guard *guard, const struct curl_sockaddr *address,
                                struct guard_record *record);

/* True when the transfer failed because of the check: nothing was left to connect to. */
bool guard_is_refusal(const struct guard_record *record);

/* Returns the port, or -1 for a family that is not IP. */
long guard_read_address(const struct sockaddr *from, struct address *ret_address);

/* Writes "ip:port", an IPv6 address in brackets. */
void guard_format_peer(const char *ip, long port, char peer[GUARD_PEER_SIZE]);

#endif
