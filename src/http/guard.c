/* SPDX-License-Identifier: MIT */
#include "http/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

long guard_read_address(const struct sockaddr *from, struct address *ret_address)
{
    *ret_address = (struct address){.is_ipv6 = from->sa_family == AF_INET6};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in ipv4;

        memcpy(&ipv4, from, sizeof(ipv4));
        memcpy(ret_address->bytes, &ipv4.sin_addr, sizeof(ipv4.sin_addr));
        return ntohs(ipv4.sin_port);
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;

        memcpy(&ipv6, from, sizeof(ipv6));
        memcpy(ret_address->bytes, &ipv6.sin6_addr, sizeof(ipv6.sin6_addr));
        return ntohs(ipv6.sin6_port);
    }
    return -1;
}

static const char *format_address(const struct address *address, char text[INET6_ADDRSTRLEN])
{
    if (inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, text, INET6_ADDRSTRLEN) ==
        NULL)
        return "?";
    return text;
}

void guard_format_peer(const char *ip, long port, char peer[GUARD_PEER_SIZE])
{
    bool is_ipv6 = strchr(ip, ':') != NULL;

    snprintf(peer, GUARD_PEER_SIZE, is_ipv6 ? "[%s]:%ld" : "%s:%ld", ip, port);
}

bool guard_admit(const struct guard *guard, const struct address *address, int port,
                 struct guard_record *record)
{
    const char *range = address_refusal(address, port, guard->allow, guard->allow_count);
    char text[INET6_ADDRSTRLEN];

    if (range == NULL)
        return true;
    if (record->refused++ == 0)
        snprintf(record->refusal, sizeof(record->refusal),
                 "%s is in %s; add it to network.allow to permit it, or to "
                 "webhook_endpoints.allow for this endpoint alone",
                 format_address(address, text), range);
    return false;
}

curl_socket_t guard_open_socket(const struct guard *guard, const struct curl_sockaddr *address,
                                struct guard_record *record)
{
    struct address ip;
    long port = guard_read_address(&address->addr, &ip);
    char text[INET6_ADDRSTRLEN];
    int fd;

    /* The address of a proxy is the operator's choice, not a customer's. Where the proxy connects
     * to, it decides alone. */
    if (port < 0 || (!guard->has_proxy && !guard_admit(guard, &ip, (int)port, record)))
        return CURL_SOCKET_BAD;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        record->socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    record->opened++;
    guard_format_peer(format_address(&ip, text), port, record->peer);
    return fd;
}

bool guard_is_refusal(const struct guard_record *record)
{
    /* Where another address was permitted and tried, its failure is what counts. */
    return record->refused > 0 && record->opened == 0;
}
