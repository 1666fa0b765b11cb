/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "core/address.h"

static struct address_range range(const char *text)
{
    struct address_range parsed;
    struct error error;

    check_case(address_range_parse(text, &parsed, &error), "%s: %s", text, error.message);
    return parsed;
}

static const char *refusal(const char *text)
{
    struct address_range host = range(text);

    return address_refusal(&host.address, 443, NULL, 0);
}

static void test_ranges_are_parsed(void **state)
{
    static const struct {
        const char *text;
        bool is_ipv6;
        int prefix_bits;
        const char *inside, *outside;
    } cases[] = {
        {"10.0.0.0/8", false, 8, "10.255.255.255", "11.0.0.0"},
        {"10.0.0.0/9", false, 9, "10.127.255.255", "10.128.0.0"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", true, 128, "::ffff:255.255.255.255",
         "::"},
        {"172.16.0.0/12", false, 12, "172.31.255.255", "172.32.0.0"},
        {"192.0.2.7", false, 32, "192.0.2.7", "192.0.2.6"},
        {"192.0.2.7/32", false, 32, "192.0.2.7", "192.0.2.8"},
        {"192.0.2.6/31", false, 31, "192.0.2.7", "192.0.2.8"},
        {"0.0.0.0/0", false, 0, "255.255.255.255", "::"},
        {"::/0", true, 0, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0"},
        {"fd00::/8", true, 8, "fdff::1", "fc00::"},
        {"::1", true, 128, "::1", "::"},
        {"2001:db8::/33", true, 33, "2001:db8:7fff::", "2001:db8:8000::"},
        {"fe80::/127", true, 127, "fe80::1", "fe80::2"},
        {"::ffff:10.0.0.0/104", true, 104, "::ffff:10.1.2.3", "10.1.2.3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range parsed = range(cases[i].text);
        struct address_range inside = range(cases[i].inside);
        struct address_range outside = range(cases[i].outside);

        check_case(parsed.address.is_ipv6 == cases[i].is_ipv6, "%s", cases[i].text);
        check_case(parsed.prefix_bits == cases[i].prefix_bits, "%s", cases[i].text);
        check_case(address_range_contains(&parsed, &inside.address), "%s", cases[i].text);
        check_case(!address_range_contains(&parsed, &outside.address), "%s", cases[i].text);
    }
}

static void test_ports_are_parsed(void **state)
{
    static const struct {
        const char *text, *formatted;
        int port;
    } cases[] = {
        {"10.0.0.0/8:8080", "10.0.0.0/8:8080", 8080},
        {"192.0.2.7:1", "192.0.2.7/32:1", 1},
        {"fd00::/8:65535", "fd00::/8:65535", 65535},
        {"[fd00::1]:443", "fd00::1/128:443", 443},
        {"::1/128:80", "::1/128:80", 80},
        {"fd00::1:443", "fd00::1:443/128", 0},
        {"10.0.0.0/8", "10.0.0.0/8", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range parsed = range(cases[i].text);
        char formatted[ADDRESS_RANGE_SIZE];

        address_range_format(&parsed, formatted);
        check_case(parsed.port == cases[i].port, "%s: %d", cases[i].text, parsed.port);
        check_case(strcmp(formatted, cases[i].formatted) == 0, "%s: %s", cases[i].text, formatted);
    }
}

static void test_what_is_no_range_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
        const char *hint;
    } cases[] = {
        {"", "\"\" is not an IP address or range", "10.0.0.0/8"},
        {"/", "\"/\" is not an IP address or range", "10.0.0.0/8"},
        {"/8", "\"/8\" is not an IP address or range", "10.0.0.0/8"},
        {"localhost", "\"localhost\" is not an IP address or range", "10.0.0.0/8"},
        {"10", "\"10\" is not an IP address or range", "10.0.0.0/8"},
        {"10.0.0/8", "\"10.0.0/8\" is not an IP address or range", "10.0.0.0/8"},
        {"010.0.0.0", "\"010.0.0.0\" is not an IP address or range", "10.0.0.0/8"},
        {"0x7f.0.0.1", "\"0x7f.0.0.1\" is not an IP address or range", "10.0.0.0/8"},
        {" 10.0.0.0", "\" 10.0.0.0\" is not an IP address or range", "10.0.0.0/8"},
        {"256.0.0.0", "\"256.0.0.0\" is not an IP address or range", "10.0.0.0/8"},
        {"fe80::1%eth0", "\"fe80::1%eth0\" is not an IP address or range", "10.0.0.0/8"},
        {"[::1]", "\"[::1]\" is not an IP address or range", "10.0.0.0/8"},
        {"::1::", "\"::1::\" is not an IP address or range", "10.0.0.0/8"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8",
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is not an IP "
         "address or range",
         "10.0.0.0/8"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.2550",
         "\"0000:0000:0000:0000:0000:ffff:255.255.255.2550\" is not an IP address or range",
         "10.0.0.0/8"},
        {"10.0.0.0/", "\"10.0.0.0/\" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/33", "\"10.0.0.0/33\" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/-1", "\"10.0.0.0/-1\" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/+8", "\"10.0.0.0/+8\" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/8 ", "\"10.0.0.0/8 \" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/8/8", "\"10.0.0.0/8/8\" needs a prefix of 0 to 32 after the /", ""},
        {"10.0.0.0/0008", "\"10.0.0.0/0008\" needs a prefix of 0 to 32 after the /", ""},
        {"fd00::/1a", "\"fd00::/1a\" needs a prefix of 0 to 128 after the /", ""},
        {"fd00::/8 ", "\"fd00::/8 \" needs a prefix of 0 to 128 after the /", ""},
        {"10.0.0.0/255.0.0.0", "\"10.0.0.0/255.0.0.0\" needs a prefix of 0 to 32 after the /", ""},
        {"fd00::/129", "\"fd00::/129\" needs a prefix of 0 to 128 after the /", ""},
        {"10.0.0.1/8", "\"10.0.0.1/8\" has bits below its prefix",
         "The range that contains it is 10.0.0.0/8."},
        {"10.0.0.0/8:", "\"10.0.0.0/8:\" needs a port of 1 to 65535 after the last :", ""},
        {"10.0.0.0/8:0", "\"10.0.0.0/8:0\" needs a port of 1 to 65535 after the last :", ""},
        {"10.0.0.0/8:65536",
         "\"10.0.0.0/8:65536\" needs a port of 1 to 65535 after the last :", ""},
        {"10.0.0.0/8:http", "\"10.0.0.0/8:http\" needs a port of 1 to 65535 after the last :", ""},
        {"[::1]:", "\"[::1]:\" needs a port of 1 to 65535 after the last :", ""},
        {"10.0.0.0/:80", "\"10.0.0.0/:80\" needs a prefix of 0 to 32 after the /", ""},
        {"[10.0.0.1]:80", "\"[10.0.0.1]:80\" is not an IP address or range", "10.0.0.0/8:8080"},
        {"[::1]/128:80", "\"[::1]/128:80\" is not an IP address or range", "10.0.0.0/8:8080"},
        {"10.0.0.1/8:80", "\"10.0.0.1/8:80\" has bits below its prefix",
         "The range that contains it is 10.0.0.0/8."},
        {":80", "\":80\" is not an IP address or range", "10.0.0.0/8:8080"},
        {"192.0.2.7/0", "\"192.0.2.7/0\" has bits below its prefix", "is 0.0.0.0/0."},
        {"172.31.0.0/12", "\"172.31.0.0/12\" has bits below its prefix", "is 172.16.0.0/12."},
        {"fd00::1/64", "\"fd00::1/64\" has bits below its prefix", "is fd00::/64."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range parsed = {.prefix_bits = 77};
        struct error error;

        check_case(!address_range_parse(cases[i].text, &parsed, &error), "%s", cases[i].text);
        check_case(strcmp(error.message, cases[i].message) == 0, "%s: %s", cases[i].text,
                   error.message);
        check_case(strstr(error.hint, cases[i].hint) != NULL, "%s: %s", cases[i].text, error.hint);
        check_case(parsed.prefix_bits == 77, "%s", cases[i].text);
    }
}

/*
 * For each range: its first and last address, and the neighbours of both where they may be
 * connected to. The name must end with the range itself, so that an operator can copy it into
 * network.allow.
 */
static const struct {
    const char *name;
    const char *first, *last;
    const char *below, *above; /* NULL: refused by another range */
} refused_ranges[] = {
    {"this network 0.0.0.0/8", "0.0.0.0", "0.255.255.255", NULL, "1.0.0.0"},
    {"private 10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    {"carrier-grade NAT 100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255",
     "100.128.0.0"},
    {"cloud metadata service 100.100.100.200/32", "100.100.100.200", "100.100.100.200", NULL, NULL},
    {"cloud metadata service 169.254.170.2/32", "169.254.170.2", "169.254.170.2", NULL, NULL},
    {"cloud metadata service 169.254.170.23/32", "169.254.170.23", "169.254.170.23", NULL, NULL},
    {"cloud metadata service 169.254.0.23/32", "169.254.0.23", "169.254.0.23", NULL, NULL},
    {"cloud metadata service 169.254.42.42/32", "169.254.42.42", "169.254.42.42", NULL, NULL},
    {"cloud metadata service fd20:ce::/64", "fd20:ce::", "fd20:ce::ffff:ffff:ffff:ffff", NULL,
     NULL},
    {"private fc00::/7", "fd20:cd:ffff:ffff:ffff:ffff:ffff:ffff", "fd20:ce:0:1::", NULL, NULL},
    {"cloud metadata service fd00:c1::/64", "fd00:c1::", "fd00:c1::ffff:ffff:ffff:ffff", NULL,
     NULL},
    {"private fc00::/7", "fd00:c0:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:c1:0:1::", NULL, NULL},
    {"cloud metadata service fd00:42::/64", "fd00:42::", "fd00:42::ffff:ffff:ffff:ffff", NULL,
     NULL},
    {"private fc00::/7", "fd00:41:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:42:0:1::", NULL, NULL},
    {"loopback 127.0.0.0/8", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    {"cloud metadata service 168.63.129.16/32", "168.63.129.16", "168.63.129.16", "168.63.129.15",
     "168.63.129.17"},
    {"link-local 169.254.0.0/16", "169.254.0.0", "169.254.255.255", "169.253.255.255",
     "169.255.0.0"},
    {"cloud metadata service 169.254.169.254/32", "169.254.169.254", "169.254.169.254", NULL, NULL},
    {"private 172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    {"protocol assignments 192.0.0.0/24", "192.0.0.0", "192.0.0.255", "191.255.255.255",
     "192.0.1.0"},
    {"cloud metadata service 192.0.0.192/32", "192.0.0.192", "192.0.0.192", NULL, NULL},
    {"documentation 192.0.2.0/24", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    {"6to4 relays 192.88.99.0/24", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    {"private 192.168.0.0/16", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    {"benchmarking 198.18.0.0/15", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    {"documentation 198.51.100.0/24", "198.51.100.0", "198.51.100.255", "198.51.99.255",
     "198.51.101.0"},
    {"documentation 203.0.113.0/24", "203.0.113.0", "203.0.113.255", "203.0.112.255",
     "203.0.114.0"},
    {"multicast 224.0.0.0/4", "224.0.0.0", "239.255.255.255", "223.255.255.255", NULL},
    {"reserved 240.0.0.0/4", "240.0.0.0", "255.255.255.254", NULL, NULL},
    {"broadcast 255.255.255.255/32", "255.255.255.255", "255.255.255.255", NULL, NULL},

    {"unspecified ::/128", "::", "::", NULL, NULL},
    {"loopback ::1/128", "::1", "::1", NULL, NULL},
    {"local NAT64 64:ff9b:1::/48", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"discard-only 100::/64", "100::", "100::ffff:ffff:ffff:ffff", NULL, NULL},
    {"dummy prefix 100:0:0:1::/64", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", NULL, NULL},
    {"protocol assignments 2001::/23", "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", NULL,
     "2001:200::"},
    {"benchmarking 2001:2::/48", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"ORCHID 2001:10::/28", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"ORCHIDv2 2001:20::/28", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"documentation 2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"documentation 3fff::/20", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    {"segment routing 5f00::/16", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"private fc00::/7", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"cloud metadata service fd00:ec2::/64", "fd00:ec2::", "fd00:ec2::ffff:ffff:ffff:ffff", NULL,
     NULL},
    {"private fc00::/7", "fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:ec2:0:1::", NULL, NULL},
    {"link-local fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"site-local fec0::/10", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"multicast ff00::/8", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"reserved ::/3", "1:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2000::"},
    /* Beside the prefixes that embed IPv4. */
    {"reserved ::/3", "::1:808:808", "::fffe:808:808", NULL, NULL},
    {"reserved ::/3", "::ffff:1:808:808", "64:ff9b::1:808:808", NULL, NULL},
    /* Beside narrower ranges. */
    {"reserved ::/3", "64:ff9b:0:ffff::", "64:ff9b:2::", NULL, NULL},
    {"protocol assignments 2001::/23", "2001:2:1::", "2001:30::", NULL, NULL},
    {"reserved 4000::/2", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::", NULL, NULL},
    {"reserved 4000::/2", "4000::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"reserved 8000::/1", "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
    {"reserved 8000::/1", "8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL},
};

static void check_refused(const char *address, const char *name)
{
    const char *found = refusal(address);

    check_case(found != NULL && strcmp(found, name) == 0, "%s: %s, not %s", address,
               found != NULL ? found : "(allowed)", name);
}

/* The whole of an address's kind opens all but the metadata services. */
static void check_wide_exemption(const char *name, const struct address *address)
{
    struct address_range all = range(address->is_ipv6 ? "::/0" : "0.0.0.0/0");
    bool is_metadata = strncmp(name, "cloud metadata service", 22) == 0;

    check_case((address_refusal(address, 443, &all, 1) != NULL) == is_metadata, "%s", name);
}

static void test_refused_ranges_to_the_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused_ranges); i++) {
        const char *name = refused_ranges[i].name;
        const char *neighbours[] = {refused_ranges[i].below, refused_ranges[i].above};
        struct address_range named = range(strrchr(name, ' ') + 1);
        struct address_range first = range(refused_ranges[i].first);
        struct address_range last = range(refused_ranges[i].last);

        check_refused(refused_ranges[i].first, name);
        check_refused(refused_ranges[i].last, name);
        check_case(address_range_contains(&named, &first.address), "%s", name);
        check_case(address_range_contains(&named, &last.address), "%s", name);
        check_case(address_refusal(&first.address, 443, &named, 1) == NULL, "%s", name);
        check_case(address_refusal(&last.address, 443, &named, 1) == NULL, "%s", name);
        check_wide_exemption(name, &first.address);
        check_wide_exemption(name, &last.address);
        for (size_t j = 0; j < ARRAY_LENGTH(neighbours); j++)
            check_case(neighbours[j] == NULL || refusal(neighbours[j]) == NULL, "%s: %s is refused",
                       name, neighbours[j]);
    }
}

static void test_public_addresses_pass(void **state)
{
    static const char *const cases[] = {
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "2606:4700::1111",
        "2a00:1450:4001:81b::200e",
        "2620:4f:8000::",
        "2001:4860::8888",
        "2001:67c:2e8:22::c100:68b",
        "2003:7f00:1::1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check_case(refusal(cases[i]) == NULL, "%s: %s", cases[i], refusal(cases[i]));
}

/* Writes IPv4 addresses into IPv6 in each of the ways there are. */
static const struct {
    const char *name;
    const char *prefix; /* the bytes around the IPv4 address */
    int offset;
    unsigned char inversion;
    bool hides_public; /* what embeds a public address is refused for another reason */
} embeddings[] = {
    {"compatible", "::", 12, 0x00, false},
    {"mapped", "::ffff:0:0", 12, 0x00, false},
    {"translated", "::ffff:0:0:0", 12, 0x00, false},
    {"NAT64", "64:ff9b::", 12, 0x00, false},
    {"6to4", "2002::", 2, 0x00, false},
    {"6to4 with a host", "2002:0:0:1:2:3:4:5", 2, 0x00, false},
    {"Teredo", "2001:0:808:808::", 12, 0xff, false},
    {"Teredo, another server", "2001:0:8080:808::", 12, 0xff, false},
    {"Teredo, flags", "2001::8000:f00d:0:0", 12, 0xff, false},
    {"ISATAP", "2a00:1450::5efe:0:0", 12, 0x00, false},
    {"ISATAP, universal", "2a00:1450::200:5efe:0:0", 12, 0x00, false},
    {"ISATAP in documentation", "2001:db8::5efe:0:0", 12, 0x00, true},
    {"ISATAP in link-local", "fe80::5efe:0:0", 12, 0x00, true},
};

static struct address embed(size_t embedding, const char *ipv4)
{
    struct address_range host = range(embeddings[embedding].prefix);
    struct address_range inner = range(ipv4);

    for (int i = 0; i < 4; i++)
        host.address.bytes[embeddings[embedding].offset + i] =
            inner.address.bytes[i] ^ embeddings[embedding].inversion;
    return host.address;
}

static void test_hidden_ipv4_is_judged_as_ipv4(void **state)
{
    static const char *const forbidden[] = {
        "127.0.0.1",  "10.1.2.3",  "172.16.0.1", "192.168.1.1",     "224.0.0.1", "169.254.169.254",
        "100.64.0.1", "240.0.0.1", "0.1.2.3",    "255.255.255.255", "127.1.2.3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(embeddings); i++) {
        struct address public = embed(i, "8.8.8.8");

        check_case((address_refusal(&public, 443, NULL, 0) != NULL) == embeddings[i].hides_public,
                   "%s", embeddings[i].name);
        for (size_t j = 0; j < ARRAY_LENGTH(forbidden); j++) {
            struct address hidden = embed(i, forbidden[j]);
            const char *found = address_refusal(&hidden, 443, NULL, 0);

            check_case(found != NULL && strcmp(found, refusal(forbidden[j])) == 0, "%s %s: %s",
                       embeddings[i].name, forbidden[j], found != NULL ? found : "(allowed)");
        }
    }
}

/* A network of one's own is not meant to open the metadata service that lies in it. */
static void test_metadata_services_are_opened_by_name_alone(void **state)
{
    static const struct {
        const char *address, *allow;
        bool is_open;
    } cases[] = {
        {"169.254.169.254", "169.254.0.0/16", false},
        {"169.254.169.254", "0.0.0.0/0", false},
        {"169.254.169.254", "169.254.169.254", true},
        {"169.254.169.254", "169.254.169.254:443", true},
        {"169.254.169.254", "169.254.169.254:80", false},
        {"169.254.169.253", "169.254.0.0/16", true},
        {"100.100.100.200", "100.64.0.0/10", false},
        {"100.100.100.201", "100.64.0.0/10", true},
        {"168.63.129.16", "168.63.0.0/16", false},
        {"fd00:ec2::254", "fd00::/8", false},
        {"fd00:ec2::254", "fd00:ec2::/64", true},
        {"fd00:ec2::254", "fd00:ec2::254", true},
        {"fd20:ce::254", "::/0", false},
        {"fd01::1", "fd00::/8", true},
        {"::ffff:169.254.169.254", "::/0", false},
        {"::ffff:169.254.169.254", "::ffff:0.0.0.0/96", false},
        {"::ffff:169.254.169.254", "::ffff:169.254.169.254", true},
        {"::ffff:169.254.169.254", "169.254.169.254", true},
        {"64:ff9b::169.254.169.254", "64:ff9b::/96", false},
        {"2002:a9fe:a9fe::1", "2002::/16", false},
        {"2a00:1450::5efe:169.254.169.254", "2a00:1450::/32", false},
        {"2a00:1450::5efe:10.0.0.1", "2a00:1450::/32", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range allow = range(cases[i].allow);
        struct address_range host = range(cases[i].address);
        const char *found = address_refusal(&host.address, 443, &allow, 1);

        check_case((found == NULL) == cases[i].is_open, "%s by %s: %s", cases[i].address,
                   cases[i].allow, found != NULL ? found : "open");
    }
}

/* One IPv6 address can hide two IPv4 addresses: neither may be a way in. */
static void test_two_hidden_addresses(void **state)
{
    (void)state;
    check_refused("2002:808:808::5efe:10.0.0.1", "private 10.0.0.0/8");
    check_refused("2002:a00:1::5efe:8.8.8.8", "private 10.0.0.0/8");
    check_refused("2001:0:808:808:200:5efe:7f00:1", "loopback 127.0.0.0/8");
    assert_null(refusal("2002:808:808::5efe:8.8.8.8"));
    /* Neither of these carries the mark of ISATAP. */
    assert_null(refusal("2a00:1450::100:5efe:10.0.0.1"));
    assert_null(refusal("2a00:1450::1:5efe:10.0.0.1"));
    assert_null(refusal("2a00:1450::5eff:10.0.0.1"));
}

static void test_allowed_ranges(void **state)
{
    struct address_range allow[] = {range("10.20.0.0/16"), range("::1"), range("fd12::/16"),
                                    range("::ffff:127.0.0.0/104")};
    static const struct {
        const char *address;
        bool is_allowed;
    } cases[] = {
        {"10.20.255.255", true},
        {"10.21.0.0", false},
        {"::1", true},
        {"::2", false},
        {"fd12:3456::1", true},
        {"fd13::1", false},
        {"8.8.8.8", true},
        /* A hidden address is as good as the plain one … */
        {"::ffff:10.20.0.1", true},
        {"::ffff:10.21.0.1", false},
        {"64:ff9b::10.20.0.1", true},
        {"2002:a14:1::", true},
        {"2002:a15:1::", false},
        {"2a00:1450::5efe:10.20.0.1", true},
        {"fe80::5efe:10.20.0.1", false},
        /* … but a hidden range says nothing of the plain addresses. */
        {"::ffff:127.0.0.1", true},
        {"127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range host = range(cases[i].address);
        const char *found = address_refusal(&host.address, 443, allow, ARRAY_LENGTH(allow));

        check_case((found == NULL) == cases[i].is_allowed, "%s: %s", cases[i].address,
                   found != NULL ? found : "(allowed)");
    }
}

/* An exemption for a port says nothing of the others, nor of a port that isn't known. */
static void test_allowed_ports(void **state)
{
    struct address_range allow[] = {range("10.20.0.0/16:8080"), range("[::1]:443"),
                                    range("10.20.7.0/24")};
    static const struct {
        const char *address;
        int port;
        bool is_allowed;
    } cases[] = {
        {"10.20.0.1", 8080, true},
        {"10.20.0.1", 8081, false},
        {"10.20.0.1", 0, false},
        {"10.20.7.1", 22, true},
        {"10.21.0.1", 8080, false},
        {"::1", 443, true},
        {"::1", 80, false},
        {"8.8.8.8", 22, true},
        {"::ffff:10.20.0.1", 80, false},
        {"::ffff:10.20.0.1", 8080, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_range host = range(cases[i].address);
        const char *found =
            address_refusal(&host.address, cases[i].port, allow, ARRAY_LENGTH(allow));

        check_case((found == NULL) == cases[i].is_allowed, "%s port %d: %s", cases[i].address,
                   cases[i].port, found != NULL ? found : "(allowed)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_are_parsed),
        cmocka_unit_test(test_ports_are_parsed),
        cmocka_unit_test(test_what_is_no_range_is_refused),
        cmocka_unit_test(test_refused_ranges_to_the_bit),
        cmocka_unit_test(test_public_addresses_pass),
        cmocka_unit_test(test_hidden_ipv4_is_judged_as_ipv4),
        cmocka_unit_test(test_metadata_services_are_opened_by_name_alone),
        cmocka_unit_test(test_two_hidden_addresses),
        cmocka_unit_test(test_allowed_ranges),
        cmocka_unit_test(test_allowed_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
