#include "core/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* What a range says of the addresses in it. */
enum verdict {
    REFUSED,
    EMBEDS_IPV4,          /* judged as the IPv4 address at offset */
    EMBEDS_IPV4_INVERTED, /* the same, with all bits turned over */
};

struct rule {
    struct address_range range;
    enum verdict verdict;
    int offset;
    const char *name;
};

#define IPV4_BYTES(a, b, c, d) \
    {                          \
        false,                 \
        {                      \
            (a), (b), (c), (d) \
        }                      \
    }
#define IPV6_WORD(word) (unsigned char)((word) >> 8), (unsigned char)((word)&0xff)
#define IPV6_BYTES(a, b, c, d, e, f)                                                           \
    {                                                                                          \
        true,                                                                                  \
        {                                                                                      \
            IPV6_WORD(a), IPV6_WORD(b), IPV6_WORD(c), IPV6_WORD(d), IPV6_WORD(e), IPV6_WORD(f) \
        }                                                                                      \
    }

#define REFUSE4(a, b, c, d, bits, name)                                                          \
    {                                                                                            \
        {IPV4_BYTES(a, b, c, d), (bits)}, REFUSED, 0, name " " #a "." #b "." #c "." #d "/" #bits \
    }
#define REFUSE6(a, b, c, d, bits, name)                          \
    {                                                            \
        {IPV6_BYTES(a, b, c, d, 0, 0), (bits)}, REFUSED, 0, name \
    }
#define EMBED6(a, b, e, f, bits, verdict, offset)                         \
    {                                                                     \
        {IPV6_BYTES(a, b, 0, 0, e, f), (bits)}, (verdict), (offset), NULL \
    }

/*
 * The first that contains an address decides, so the narrower ones stand first. Where a range of
 * the registries is reachable from everywhere (AS112, AMT), it is not listed.
 */
static const struct rule rules[] = {
    REFUSE4(169, 254, 169, 254, 32, "cloud metadata service"), /* RFC 3927; AWS, Azure, Google … */
    REFUSE4(168, 63, 129, 16, 32, "cloud metadata service"),   /* Azure's host, a public address */
    REFUSE4(100, 100, 100, 200, 32, "cloud metadata service"), /* RFC 6598; Alibaba */
    REFUSE4(192, 0, 0, 192, 32, "cloud metadata service"),     /* RFC 6890; Oracle */
    REFUSE4(0, 0, 0, 0, 8, "this network"),                    /* RFC 791, 3.2 */
    REFUSE4(10, 0, 0, 0, 8, "private"),                        /* RFC 1918 */
    REFUSE4(100, 64, 0, 0, 10, "carrier-grade NAT"),           /* RFC 6598 */
    REFUSE4(127, 0, 0, 0, 8, "loopback"),                      /* RFC 1122, 3.2.1.3 */
    REFUSE4(169, 254, 0, 0, 16, "link-local"),                 /* RFC 3927 */
    REFUSE4(172, 16, 0, 0, 12, "private"),                     /* RFC 1918 */
    REFUSE4(192, 0, 0, 0, 24, "protocol assignments"),         /* RFC 6890, 2.1 */
    REFUSE4(192, 0, 2, 0, 24, "documentation"),                /* RFC 5737 */
    REFUSE4(192, 88, 99, 0, 24, "6to4 relays"),                /* RFC 7526 */
    REFUSE4(192, 168, 0, 0, 16, "private"),                    /* RFC 1918 */
    REFUSE4(198, 18, 0, 0, 15, "benchmarking"),                /* RFC 2544 */
    REFUSE4(198, 51, 100, 0, 24, "documentation"),             /* RFC 5737 */
    REFUSE4(203, 0, 113, 0, 24, "documentation"),              /* RFC 5737 */
    REFUSE4(224, 0, 0, 0, 4, "multicast"),                     /* RFC 5771 */
    REFUSE4(255, 255, 255, 255, 32, "broadcast"),              /* RFC 919 */
    REFUSE4(240, 0, 0, 0, 4, "reserved"),                      /* RFC 1112, 4 */

    {{{true, {[15] = 0}}, 128}, REFUSED, 0, "unspecified ::/128"}, /* RFC 4291, 2.5.2 */
    {{{true, {[15] = 1}}, 128}, REFUSED, 0, "loopback ::1/128"},   /* RFC 4291, 2.5.3 */
    EMBED6(0, 0, 0, 0, 96, EMBEDS_IPV4, 12),         /* compatible ::/96: RFC 4291, 2.5.5.1 */
    EMBED6(0, 0, 0, 0xffff, 96, EMBEDS_IPV4, 12),    /* mapped ::ffff:0:0/96: 2.5.5.2 */
    EMBED6(0, 0, 0xffff, 0, 96, EMBEDS_IPV4, 12),    /* translated ::ffff:0:0:0/96: RFC 2765 */
    EMBED6(0x64, 0xff9b, 0, 0, 96, EMBEDS_IPV4, 12), /* NAT64 64:ff9b::/96: RFC 6052 */
    EMBED6(0x2001, 0, 0, 0, 32, EMBEDS_IPV4_INVERTED, 12), /* Teredo 2001::/32: RFC 4380, 4 */
    EMBED6(0x2002, 0, 0, 0, 16, EMBEDS_IPV4, 2),           /* 6to4 2002::/16: RFC 3056, 2 */
    REFUSE6(0x64, 0xff9b, 1, 0, 48, "local NAT64 64:ff9b:1::/48"),            /* RFC 8215 */
    REFUSE6(0x100, 0, 0, 0, 64, "discard-only 100::/64"),                     /* RFC 6666 */
    REFUSE6(0x100, 0, 0, 1, 64, "dummy prefix 100:0:0:1::/64"),               /* RFC 9780 */
    REFUSE6(0x2001, 2, 0, 0, 48, "benchmarking 2001:2::/48"),                 /* RFC 5180 */
    REFUSE6(0x2001, 0x10, 0, 0, 28, "ORCHID 2001:10::/28"),                   /* RFC 4843 */
    REFUSE6(0x2001, 0x20, 0, 0, 28, "ORCHIDv2 2001:20::/28"),                 /* RFC 7343 */
    REFUSE6(0x2001, 0, 0, 0, 23, "protocol assignments 2001::/23"),           /* RFC 2928 */
    REFUSE6(0x2001, 0xdb8, 0, 0, 32, "documentation 2001:db8::/32"),          /* RFC 3849 */
    REFUSE6(0x3fff, 0, 0, 0, 20, "documentation 3fff::/20"),                  /* RFC 9637 */
    REFUSE6(0x5f00, 0, 0, 0, 16, "segment routing 5f00::/16"),                /* RFC 9602 */
    REFUSE6(0xfd00, 0xec2, 0, 0, 64, "cloud metadata service fd00:ec2::/64"), /* RFC 4193; AWS */
    REFUSE6(0xfc00, 0, 0, 0, 7, "private fc00::/7"),                          /* RFC 4193 */
    REFUSE6(0xfe80, 0, 0, 0, 10, "link-local fe80::/10"),                     /* RFC 4291, 2.5.6 */
    REFUSE6(0xfec0, 0, 0, 0, 10, "site-local fec0::/10"),                     /* RFC 3879 */
    REFUSE6(0xff00, 0, 0, 0, 8, "multicast ff00::/8"),                        /* RFC 4291, 2.7 */
    /* Global unicast is 2000::/3 (RFC 4291, 2.4, and IANA's IPv6 Address Space): all else is
     * kept for the future, and on a network that uses it, it is somebody's private one. */
    REFUSE6(0, 0, 0, 0, 3, "reserved ::/3"),
    REFUSE6(0x4000, 0, 0, 0, 2, "reserved 4000::/2"),
    REFUSE6(0x8000, 0, 0, 0, 1, "reserved 8000::/1"),
};

static int address_bits(const struct address *address)
{
    return address->is_ipv6 ? 128 : 32;
}

/* True when all bits from the first one on, up to the end of the address, are 0. */
static bool is_zero_from(const struct address *address, int first)
{
    for (int i = first; i < address_bits(address); i++)
        if (address->bytes[i / 8] & (0x80 >> i % 8))
            return false;
    return true;
}

static void clear_from(struct address *address, int first)
{
    for (int i = first; i < address_bits(address); i++)
        address->bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
}

/* Reads the length bytes at text. */
static bool parse_address(const char *text, size_t length, struct address *ret_address)
{
    char host[INET6_ADDRSTRLEN];

    *ret_address = (struct address){0};
    if (length >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)length, text);
    if (inet_pton(AF_INET, host, ret_address->bytes) == 1)
        return true;
    ret_address->is_ipv6 = true;
    return inet_pton(AF_INET6, host, ret_address->bytes) == 1;
}

/* One to three digits, no sign, at most maximum; -1 when text is anything else. */
static int parse_prefix(const char *text, int maximum)
{
    int bits = 0;

    if (*text == '\0' || strlen(text) > 3)
        return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        bits = bits * 10 + (*text - '0');
    }
    return bits <= maximum ? bits : -1;
}

static bool refuse_host_bits(const char *text, struct address_range range, struct error *error)
{
    char network[INET6_ADDRSTRLEN];

    clear_from(&range.address, range.prefix_bits);
    inet_ntop(range.address.is_ipv6 ? AF_INET6 : AF_INET, range.address.bytes, network,
              sizeof(network));
    error_set(error, "\"%s\" has bits below its prefix", text);
    return error_hint(error, "The range that contains it is %s/%d.", network, range.prefix_bits);
}

bool address_range_parse(const char *text, struct address_range *ret_range, struct error *error)
{
    const char *slash = strchrnul(text, '/');
    struct address_range range;

    if (!parse_address(text, (size_t)(slash - text), &range.address)) {
        error_set(error, "\"%.64s\" is not an IP address or range", text);
        return error_hint(error, "Write it as in 10.0.0.0/8, fd00::/8 or 192.0.2.7.");
    }
    range.prefix_bits = address_bits(&range.address);
    if (*slash == '/')
        range.prefix_bits = parse_prefix(slash + 1, range.prefix_bits);
    if (range.prefix_bits < 0)
        return error_set(error, "\"%.64s\" needs a prefix of 0 to %d after the /", text,
                         address_bits(&range.address));
    if (!is_zero_from(&range.address, range.prefix_bits))
        return refuse_host_bits(text, range, error);
    *ret_range = range;
    return true;
}

bool address_range_contains(const struct address_range *range, const struct address *address)
{
    int whole = range->prefix_bits / 8;
    int rest = range->prefix_bits % 8;

    if (range->address.is_ipv6 != address->is_ipv6 ||
        memcmp(range->address.bytes, address->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((range->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_allowed(const struct address *address, const struct address_range *allow,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (address_range_contains(&allow[i], address))
            return true;
    return false;
}

static struct address embedded_ipv4(const struct address *address, int offset,
                                    unsigned char inversion)
{
    struct address embedded = {.is_ipv6 = false};

    for (int i = 0; i < 4; i++)
        embedded.bytes[i] = address->bytes[offset + i] ^ inversion;
    return embedded;
}

/* ISATAP (RFC 5214, 6.1) marks its interface identifiers, below any prefix: [02]00:5efe:a.b.c.d. */
static bool is_isatap(const struct address *address)
{
    static const unsigned char mark[] = {0x00, 0x00, 0x5e, 0xfe};

    return address->is_ipv6 && (address->bytes[8] & ~0x02) == mark[0] &&
           memcmp(address->bytes + 9, mark + 1, sizeof(mark) - 1) == 0;
}

const char *address_refusal(const struct address *address, const struct address_range *allow,
                            size_t count)
{
    const struct rule *rule = rules;
    struct address embedded;

    if (is_allowed(address, allow, count))
        return NULL;
    if (is_isatap(address)) {
        const char *refusal;

        embedded = embedded_ipv4(address, 12, 0x00);
        refusal = address_refusal(&embedded, allow, count);
        if (refusal != NULL)
            return refusal;
    }
    while (rule < rules + ARRAY_LENGTH(rules) && !address_range_contains(&rule->range, address))
        rule++;
    if (rule == rules + ARRAY_LENGTH(rules))
        return NULL;
    switch (rule->verdict) {
    case REFUSED:
        return rule->name;
    case EMBEDS_IPV4:
        embedded = embedded_ipv4(address, rule->offset, 0x00);
        return address_refusal(&embedded, allow, count);
    case EMBEDS_IPV4_INVERTED:
        embedded = embedded_ipv4(address, rule->offset, 0xff);
        return address_refusal(&embedded, allow, count);
    }
    bug("no such verdict: %d", (int)rule->verdict);
}
