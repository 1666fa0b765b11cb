/* SPDX-License-Identifier: MIT */
#include "core/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* What a range says of the addresses in it. */
enum verdict {
    REFUSED,
    REFUSED_UNLESS_NAMED, /* a wider exemption is not enough */
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

#define REFUSE4(a, b, c, d, bits, name)                  \
    {                                                    \
        {IPV4_BYTES(a, b, c, d), (bits), 0}, REFUSED, 0, \
            name " " #a "." #b "." #c "." #d "/" #bits   \
    }
#define REFUSE6(a, b, c, d, bits, name)                             \
    {                                                               \
        {IPV6_BYTES(a, b, c, d, 0, 0), (bits), 0}, REFUSED, 0, name \
    }
#define METADATA4(a, b, c, d)                                       \
    {                                                               \
        {IPV4_BYTES(a, b, c, d), 32, 0}, REFUSED_UNLESS_NAMED, 0,   \
            "cloud metadata service " #a "." #b "." #c "." #d "/32" \
    }
#define METADATA6(a, b, c, d, bits, name)                                   \
    {                                                                       \
        {IPV6_BYTES(a, b, c, d, 0, 0), (bits), 0}, REFUSED_UNLESS_NAMED, 0, \
            "cloud metadata service " name                                  \
    }
#define EMBED6(a, b, e, f, bits, verdict, offset)                            \
    {                                                                        \
        {IPV6_BYTES(a, b, 0, 0, e, f), (bits), 0}, (verdict), (offset), NULL \
    }

/*
 * The first that contains an address decides, so the narrower ones stand first. Where a range of
 * the registries is reachable from everywhere (AS112, AMT), it is not listed.
 */
static const struct rule rules[] = {
    /* The metadata services of clouds, as their manuals name them. They hand out credentials. */
    METADATA4(169, 254, 169, 254), /* AWS, Azure, Google, DigitalOcean, IBM, Oracle, OpenStack … */
    METADATA4(169, 254, 170, 2),   /* AWS: ECS task metadata and credentials */
    METADATA4(169, 254, 170, 23),  /* AWS: EKS Pod Identity */
    METADATA4(169, 254, 0, 23),    /* Tencent: metadata.tencentyun.com */
    METADATA4(169, 254, 42, 42),   /* Scaleway: user data and metadata */
    METADATA4(168, 63, 129, 16),   /* Azure: the host's wire server, a public address */
    METADATA4(100, 100, 100, 200),                   /* Alibaba, within carrier-grade NAT's range */
    METADATA4(192, 0, 0, 192),                       /* Oracle, before 169.254.169.254 */
    REFUSE4(0, 0, 0, 0, 8, "this network"),          /* RFC 791, 3.2 */
    REFUSE4(10, 0, 0, 0, 8, "private"),              /* RFC 1918 */
    REFUSE4(100, 64, 0, 0, 10, "carrier-grade NAT"), /* RFC 6598 */
    REFUSE4(127, 0, 0, 0, 8, "loopback"),            /* RFC 1122, 3.2.1.3 */
    REFUSE4(169, 254, 0, 0, 16, "link-local"),       /* RFC 3927 */
    REFUSE4(172, 16, 0, 0, 12, "private"),           /* RFC 1918 */
    REFUSE4(192, 0, 0, 0, 24, "protocol assignments"), /* RFC 6890, 2.1 */
    REFUSE4(192, 0, 2, 0, 24, "documentation"),        /* RFC 5737 */
    REFUSE4(192, 88, 99, 0, 24, "6to4 relays"),        /* RFC 7526 */
    REFUSE4(192, 168, 0, 0, 16, "private"),            /* RFC 1918 */
    REFUSE4(198, 18, 0, 0, 15, "benchmarking"),        /* RFC 2544 */
    REFUSE4(198, 51, 100, 0, 24, "documentation"),     /* RFC 5737 */
    REFUSE4(203, 0, 113, 0, 24, "documentation"),      /* RFC 5737 */
    REFUSE4(224, 0, 0, 0, 4, "multicast"),             /* RFC 5771 */
    REFUSE4(255, 255, 255, 255, 32, "broadcast"),      /* RFC 919 */
    REFUSE4(240, 0, 0, 0, 4, "reserved"),              /* RFC 1112, 4 */

    {{{true, {[15] = 0}}, 128, 0}, REFUSED, 0, "unspecified ::/128"}, /* RFC 4291, 2.5.2 */
    {{{true, {[15] = 1}}, 128, 0}, REFUSED, 0, "loopback ::1/128"},   /* RFC 4291, 2.5.3 */
    EMBED6(0, 0, 0, 0, 96, EMBEDS_IPV4, 12),         /* compatible ::/96: RFC 4291, 2.5.5.1 */
    EMBED6(0, 0, 0, 0xffff, 96, EMBEDS_IPV4, 12),    /* mapped ::ffff:0:0/96: 2.5.5.2 */
    EMBED6(0, 0, 0xffff, 0, 96, EMBEDS_IPV4, 12),    /* translated ::ffff:0:0:0/96: RFC 2765 */
    EMBED6(0x64, 0xff9b, 0, 0, 96, EMBEDS_IPV4, 12), /* NAT64 64:ff9b::/96: RFC 6052 */
    EMBED6(0x2001, 0, 0, 0, 32, EMBEDS_IPV4_INVERTED, 12), /* Teredo 2001::/32: RFC 4380, 4 */
    EMBED6(0x2002, 0, 0, 0, 16, EMBEDS_IPV4, 2),           /* 6to4 2002::/16: RFC 3056, 2 */
    REFUSE6(0x64, 0xff9b, 1, 0, 48, "local NAT64 64:ff9b:1::/48"),   /* RFC 8215 */
    REFUSE6(0x100, 0, 0, 0, 64, "discard-only 100::/64"),            /* RFC 6666 */
    REFUSE6(0x100, 0, 0, 1, 64, "dummy prefix 100:0:0:1::/64"),      /* RFC 9780 */
    REFUSE6(0x2001, 2, 0, 0, 48, "benchmarking 2001:2::/48"),        /* RFC 5180 */
    REFUSE6(0x2001, 0x10, 0, 0, 28, "ORCHID 2001:10::/28"),          /* RFC 4843 */
    REFUSE6(0x2001, 0x20, 0, 0, 28, "ORCHIDv2 2001:20::/28"),        /* RFC 7343 */
    REFUSE6(0x2001, 0, 0, 0, 23, "protocol assignments 2001::/23"),  /* RFC 2928 */
    REFUSE6(0x2001, 0xdb8, 0, 0, 32, "documentation 2001:db8::/32"), /* RFC 3849 */
    REFUSE6(0x3fff, 0, 0, 0, 20, "documentation 3fff::/20"),         /* RFC 9637 */
    REFUSE6(0x5f00, 0, 0, 0, 16, "segment routing 5f00::/16"),       /* RFC 9602 */
    METADATA6(0xfd00, 0xec2, 0, 0, 64, "fd00:ec2::/64"),  /* AWS: EC2 and EKS over IPv6 */
    METADATA6(0xfd20, 0xce, 0, 0, 64, "fd20:ce::/64"),    /* Google: metadata over IPv6 */
    METADATA6(0xfd00, 0xc1, 0, 0, 64, "fd00:c1::/64"),    /* Oracle: metadata over IPv6 */
    METADATA6(0xfd00, 0x42, 0, 0, 64, "fd00:42::/64"),    /* Scaleway: metadata over IPv6 */
    REFUSE6(0xfc00, 0, 0, 0, 7, "private fc00::/7"),      /* RFC 4193 */
    REFUSE6(0xfe80, 0, 0, 0, 10, "link-local fe80::/10"), /* RFC 4291, 2.5.6 */
    REFUSE6(0xfec0, 0, 0, 0, 10, "site-local fec0::/10"), /* RFC 3879 */
    REFUSE6(0xff00, 0, 0, 0, 8, "multicast ff00::/8"),    /* RFC 4291, 2.7 */
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

/* Digits alone, at most so many, at most maximum; -1 when text is anything else. */
static int parse_number(const char *text, size_t length, size_t digits_max, int maximum)
{
    int number = 0;

    if (length == 0 || length > digits_max)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number <= maximum ? number : -1;
}

/* The colon before a port; NULL: there is none. */
static const char *find_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *slash = strchr(text, '/');

    if (colon == NULL)
        return NULL;
    if (slash != NULL)
        return colon > slash ? colon : NULL;
    if (text[0] == '[')
        return colon[-1] == ']' ? colon : NULL;
    return strchr(text, ':') == colon ? colon : NULL; /* more than one: IPv6 */
}

/* The address itself is within brackets where a port follows. */
static bool parse_host(const char *text, size_t length, bool has_port, struct address *ret_address)
{
    bool is_bracketed = has_port && length > 2 && text[0] == '[' && text[length - 1] == ']';

    if (is_bracketed)
        return parse_address(text + 1, length - 2, ret_address) && ret_address->is_ipv6;
    return parse_address(text, length, ret_address);
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
    const char *colon = find_port(text);
    const char *end = colon != NULL ? colon : strchr(text, '\0');
    const char *slash = memchr(text, '/', (size_t)(end - text));
    const char *host_end = slash != NULL ? slash : end;
    struct address_range range = {.port = 0};

    if (!parse_host(text, (size_t)(host_end - text), colon != NULL && slash == NULL,
                    &range.address)) {
        error_set(error, "\"%.64s\" is not an IP address or range", text);
        return error_hint(error, "Write it as in 10.0.0.0/8, fd00::/8, 192.0.2.7 or, for one "
                                 "port, 10.0.0.0/8:8080.");
    }
    range.prefix_bits = address_bits(&range.address);
    if (slash != NULL)
        range.prefix_bits =
            parse_number(slash + 1, (size_t)(end - slash - 1), 3, range.prefix_bits);
    if (range.prefix_bits < 0)
        return error_set(error, "\"%.64s\" needs a prefix of 0 to %d after the /", text,
                         address_bits(&range.address));
    if (colon != NULL)
        range.port = parse_number(colon + 1, strlen(colon + 1), 5, 65535);
    if (colon != NULL && range.port <= 0)
        return error_set(error, "\"%.64s\" needs a port of 1 to 65535 after the last :", text);
    if (!is_zero_from(&range.address, range.prefix_bits))
        return refuse_host_bits(text, range, error);
    *ret_range = range;
    return true;
}

void address_range_format(const struct address_range *range, char text[ADDRESS_RANGE_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    int length;

    inet_ntop(range->address.is_ipv6 ? AF_INET6 : AF_INET, range->address.bytes, host,
              sizeof(host));
    length = snprintf(text, ADDRESS_RANGE_SIZE, "%s/%d", host, range->prefix_bits);
    if (range->port > 0)
        snprintf(text + length, ADDRESS_RANGE_SIZE - (size_t)length, ":%d", range->port);
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

/* By a range with at least so many bits. */
static bool is_allowed(const struct address *address, int port, int least_bits,
                       const struct address_range *allow, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (allow[i].prefix_bits >= least_bits && (allow[i].port == 0 || allow[i].port == port) &&
            address_range_contains(&allow[i], address))
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

static const struct rule *find_rule(const struct address *address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        if (address_range_contains(&rules[i].range, address))
            return &rules[i];
    return NULL;
}

/* The IPv4 addresses that are hidden in address, by its rule and by ISATAP's mark: 0 to 2. */
static int find_embedded(const struct address *address, const struct rule *rule,
                         struct address embedded[2])
{
    int count = 0;

    if (is_isatap(address))
        embedded[count++] = embedded_ipv4(address, 12, 0x00);
    if (rule != NULL && rule->verdict == EMBEDS_IPV4)
        embedded[count++] = embedded_ipv4(address, rule->offset, 0x00);
    if (rule != NULL && rule->verdict == EMBEDS_IPV4_INVERTED)
        embedded[count++] = embedded_ipv4(address, rule->offset, 0xff);
    return count;
}

/* How narrow an exemption must be to count for address: a network of one's own is not meant to open
 * the metadata service that lies in it. */
static int least_prefix_bits(const struct address *address)
{
    const struct rule *rule = find_rule(address);
    struct address embedded[2];
    int count = find_embedded(address, rule, embedded);

    if (rule != NULL && rule->verdict == REFUSED_UNLESS_NAMED)
        return rule->range.prefix_bits;
    for (int i = 0; i < count; i++)
        if (least_prefix_bits(&embedded[i]) > 0)
            return 128;
    return 0;
}

const char *address_refusal(const struct address *address, int port,
                            const struct address_range *allow, size_t count)
{
    const struct rule *rule = find_rule(address);
    const char *refusal = NULL;
    struct address embedded[2];
    int hidden = find_embedded(address, rule, embedded);

    if (is_allowed(address, port, count > 0 ? least_prefix_bits(address) : 0, allow, count))
        return NULL;
    for (int i = 0; i < hidden && refusal == NULL; i++)
        refusal = address_refusal(&embedded[i], port, allow, count);
    if (refusal != NULL || rule == NULL)
        return refusal;
    return rule->verdict == REFUSED || rule->verdict == REFUSED_UNLESS_NAMED ? rule->name : NULL;
}
