/* SPDX-License-Identifier: MIT */
/*
 * address.h: which addresses a customer's URL may lead to.
 *
 * Checked for every socket after the name was resolved, so that DNS can't get around it. Refused
 * unless listed in network.allow: loopback, private, link-local (with the cloud metadata services),
 * carrier-grade NAT, benchmarking, documentation, multicast, reserved and unspecified ranges of
 * IPv4 and IPv6, and IPv4 addresses of these kinds hidden in IPv6: mapped, compatible, translated,
 * NAT64, 6to4, Teredo, ISATAP. Limit: a NAT64 prefix of the operator's own network (RFC 6052, 2.2)
 * can't be told from any other public prefix. Source: IANA's IPv4 and IPv6 Special-Purpose Address
 * Registries (RFC 6890).
 */
#ifndef POSTRIDER_CORE_ADDRESS_H
#define POSTRIDER_CORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define ADDRESS_RANGE_SIZE 64

/* An address in network byte order: 4 bytes used, or 16. */
struct address {
    bool is_ipv6;
    unsigned char bytes[16];
};

struct address_range {
    struct address address;
    int prefix_bits; /* 0 … 32 or 128 */
    int port;        /* of an exemption: this one alone; 0 = all */
};

/*
 * "10.0.0.0/8", "fd00::/8", or one address without a prefix. Bits below the prefix must be 0. A
 * port may follow, as in "10.0.0.0/8:8080", "10.0.0.7:8080", "fd00::/8:8080" or "[fd00::1]:8080".
 */
bool address_range_parse(const char *text, struct address_range *ret_range,
                         struct error *error) MUST_USE;

/* Writes it as address_range_parse() reads it. */
void address_range_format(const struct address_range *range, char text[ADDRESS_RANGE_SIZE]);

/* Whatever the port. */
bool address_range_contains(const struct address_range *range, const struct address *address);

/*
 * NULL when address may be connected to at that port; else the name of the range that forbids it,
 * as in "loopback 127.0.0.0/8". allow lists count ranges that are exempt; an IPv4 address hidden in
 * IPv6 is exempt when either form is listed. A cloud's metadata service is exempt only by a range
 * as narrow as its own: who allows 169.254.0.0/16 or fd00::/8 does not mean it.
 */
const char *address_refusal(const struct address *address, int port,
                            const struct address_range *allow, size_t count);

#endif
