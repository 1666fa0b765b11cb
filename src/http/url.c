/* SPDX-License-Identifier: MIT */
#include "http/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"

#define QUOTE_MAX_BYTES 80

/* The start of url, fit for a message. */
struct quote {
    char text[QUOTE_MAX_BYTES + sizeof("…")];
};

static struct quote quote_start(const char *url, size_t length)
{
    struct quote quote;
    struct buffer buffer;
    bool is_cut = length > QUOTE_MAX_BYTES;

    buffer_init(&buffer, QUOTE_MAX_BYTES);
    text_append_clean(&buffer, url, is_cut ? QUOTE_MAX_BYTES : length);
    memcpy(quote.text, buffer_string(&buffer), buffer.length + 1);
    if (is_cut)
        memcpy(quote.text + buffer.length, "…", sizeof("…"));
    buffer_free(&buffer);
    return quote;
}

static bool check_length(const char *url, struct error *error)
{
    size_t length = strlen(url);

    if (length == 0)
        return error_set(error, "the URL is empty; it must begin with http:// or https://");
    if (length > URL_MAX_BYTES)
        return error_set(error, "the URL has %zu bytes; at most %d are allowed: %s", length,
                         URL_MAX_BYTES, quote_start(url, length).text);
    return true;
}

/* Backslashes: libcurl and browsers disagree on whether they separate the host from the path. */
static bool check_bytes(const char *url, struct error *error)
{
    for (const char *c = url; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte == ' ' || byte == '\\')
            return error_set(error, "the URL has a %s at byte %zu; write it as %%%02X",
                             byte == ' ' ? "space" : "backslash", (size_t)(c - url) + 1, byte);
        if (byte < ' ' || byte == 0x7f)
            return error_set(error, "the URL has a control character (0x%02x) at byte %zu", byte,
                             (size_t)(c - url) + 1);
    }
    return true;
}

/* Checked here and not by libcurl, which guesses a scheme and takes one to three slashes. */
static bool check_scheme(const char *url, bool https_only, struct error *error)
{
    size_t length = strcspn(url, ":/?#");
    bool is_absolute = strncmp(url + length, "://", 3) == 0;

    if (!is_absolute)
        return error_set(error, "the URL \"%s\" does not begin with http:// or https://",
                         quote_start(url, strlen(url)).text);
    if (length == 5 && strncasecmp(url, "https", 5) == 0)
        return true;
    if (length != 4 || strncasecmp(url, "http", 4) != 0)
        return error_set(error, "the URL's scheme \"%s\" is not supported; use %s",
                         quote_start(url, length).text, https_only ? "https" : "http or https");
    if (https_only)
        return error_set(error,
                         "the URL's scheme is http, but network.https_only allows https alone");
    return true;
}

/* Credentials would be sent to a receiver in clear, and would end up in logs and tables. */
static bool check_authority(const char *url, struct error *error)
{
    const char *authority = strstr(url, "://") + 3;
    size_t length = strcspn(authority, "/?#");

    if (length == 0)
        return error_set(error, "the URL \"%s\" has no host", quote_start(url, strlen(url)).text);
    if (memchr(authority, '@', length) != NULL)
        return error_set(error, "credentials in a URL are not supported: use a header of the "
                                "endpoint (webhook_endpoints.headers) instead");
    return true;
}

static CURLU *parse(const char *url, CURLUcode *ret_code)
{
    CURLU *parts = curl_url();

    if (parts == NULL)
        bug("out of memory in curl_url()");
    *ret_code = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (*ret_code == CURLUE_OK)
        return parts;
    curl_url_cleanup(parts);
    return NULL;
}

static bool check_port(CURLU *parts, struct error *error)
{
    char *port = NULL;
    bool is_zero;

    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) != CURLUE_OK)
        return true; /* none: the scheme's */
    is_zero = strspn(port, "0") == strlen(port);
    curl_free(port);
    return !is_zero || error_set(error, "the URL's port is 0; it must be 1 to 65535");
}

bool url_check(const char *url, bool https_only, struct error *error)
{
    CURLUcode code;
    CURLU *parts;
    bool is_good;
    char *ascii = NULL;

    if (!check_length(url, error) || !check_bytes(url, error) ||
        !check_scheme(url, https_only, error) || !check_authority(url, error))
        return false;
    parts = parse(url, &code);
    if (parts == NULL)
        return error_set(error, "the URL \"%s\" is not valid: %s",
                         quote_start(url, strlen(url)).text, curl_url_strerror(code));
    is_good = check_port(parts, error);
    curl_url_cleanup(parts);
    if (!is_good || !url_to_ascii(url, &ascii, error))
        return false;
    free(ascii);
    return true;
}

static bool has_ascii_host(const char *url)
{
    const char *authority = strstr(url, "://");
    size_t length;

    if (authority == NULL)
        return true; /* not for us to judge */
    authority += 3;
    length = strcspn(authority, "/?#");
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)authority[i] >= 0x80)
            return false;
    }
    return true;
}

/* The whole URL at once: asked for the host alone, libcurl 7.88 leaks it when it has no ASCII form.
 */
static CURLUcode get_punycode(CURLU *parts, char **ret_ascii)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before;
    CURLUcode code;

    if (utf8 == (locale_t)0)
        return CURLUE_LACKS_IDN;
    before = uselocale(utf8);
    code = curl_url_get(parts, CURLUPART_URL, ret_ascii, CURLU_PUNYCODE);
    uselocale(before);
    freelocale(utf8);
    return code;
}

static bool is_same_part(CURLU *one, CURLU *other, CURLUPart part)
{
    char *in_one = NULL, *in_other = NULL;
    CURLUcode code_one = curl_url_get(one, part, &in_one, CURLU_DEFAULT_PORT);
    CURLUcode code_other = curl_url_get(other, part, &in_other, CURLU_DEFAULT_PORT);
    bool is_same = code_one == code_other && (in_one == NULL || strcmp(in_one, in_other) == 0);

    curl_free(in_one);
    curl_free(in_other);
    return is_same;
}

/* IDNA makes ASCII of characters that only look like it: U+FF0F becomes a slash, U+037E a
 * semicolon. Then the host's end is elsewhere, or it is none any more. */
static bool is_same_url(CURLU *parts, const char *ascii)
{
    struct error unused;
    CURLUcode code;
    CURLU *ascii_parts;
    bool is_same;

    if (!check_bytes(ascii, &unused) || !check_authority(ascii, &unused))
        return false;
    ascii_parts = parse(ascii, &code);
    is_same = ascii_parts != NULL && is_same_part(parts, ascii_parts, CURLUPART_PORT) &&
              is_same_part(parts, ascii_parts, CURLUPART_PATH) &&
              is_same_part(parts, ascii_parts, CURLUPART_QUERY) &&
              is_same_part(parts, ascii_parts, CURLUPART_FRAGMENT);
    curl_url_cleanup(ascii_parts);
    return is_same;
}

bool url_to_ascii(const char *url, char **ret_ascii, struct error *error)
{
    CURLUcode code;
    CURLU *parts;
    char *ascii = NULL;
    bool is_good;

    *ret_ascii = NULL;
    if (has_ascii_host(url))
        return true;
    parts = parse(url, &code);
    is_good =
        parts != NULL && get_punycode(parts, &ascii) == CURLUE_OK && is_same_url(parts, ascii);
    curl_url_cleanup(parts);
    if (!is_good) {
        curl_free(ascii);
        return error_set(error, "the host name in the URL \"%s\" has no ASCII form (IDNA)",
                         quote_start(url, strlen(url)).text);
    }
    *ret_ascii = memory_copy_string(ascii);
    curl_free(ascii);
    return true;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

char *url_origin(const char *url)
{
    CURLUcode code;
    CURLU *parts = parse(url, &code);
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

    if (parts != NULL && curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        origin = memory_format("%s://%s:%s", scheme, host, port);
        lower(origin);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return origin;
}

/* libcurl keeps the brackets of IPv6 and a zone behind it. */
static bool read_ipv6(const char *host, struct address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    size_t length = strcspn(host + 1, "]%");

    if (length >= sizeof(text))
        return false;
    memcpy(text, host + 1, length);
    text[length] = '\0';
    *ret_address = (struct address){.is_ipv6 = true};
    return inet_pton(AF_INET6, text, ret_address->bytes) == 1;
}

/*
 * libcurl turns 2130706433, 0x7f.1 and the like into four numbers, but not where a part of them was
 * escaped (%2e). Resolvers take whatever inet_aton() does, some with a dot behind it.
 */
static bool read_ipv4(const char *host, struct address *ret_address)
{
    size_t length = strlen(host);
    char *text = memory_copy(host, length);
    struct in_addr ipv4;
    bool is_ipv4;

    if (length > 1 && text[length - 1] == '.')
        text[length - 1] = '\0';
    is_ipv4 = inet_aton(text, &ipv4) != 0;
    free(text);
    *ret_address = (struct address){.is_ipv6 = false};
    if (is_ipv4)
        memcpy(ret_address->bytes, &ipv4, sizeof(ipv4));
    return is_ipv4;
}

static bool read_literal(const char *host, struct address *ret_address)
{
    return host[0] == '[' ? read_ipv6(host, ret_address) : read_ipv4(host, ret_address);
}

/* Names, and all below them, that need no resolver. */
static const struct {
    const char *name;
    unsigned char ipv4[4];
} known_names[] = {
    {"localhost", {127, 0, 0, 1}},             /* RFC 6761, 6.3 */
    {"localhost.localdomain", {127, 0, 0, 1}}, /* in /etc/hosts of many systems */
    {"ip6-localhost", {127, 0, 0, 1}},         /* ... of Debian */
    {"ip6-loopback", {127, 0, 0, 1}},
    {"metadata.google.internal", {169, 254, 169, 254}}, /* Google: VM metadata */
    {"metadata.goog", {169, 254, 169, 254}},
    {"instance-data", {169, 254, 169, 254}}, /* Amazon: EC2 instance metadata */
    {"instance-data.ec2.internal", {169, 254, 169, 254}},
    {"api.metadata.cloud.ibm.com", {169, 254, 169, 254}}, /* IBM: VPC instance metadata */
    {"metadata.tencentyun.com", {169, 254, 0, 23}},       /* Tencent: CVM instance metadata */
};

/* Whole labels from the end, in any case, with or without dots behind them. */
static bool is_below(const char *host, const char *name)
{
    size_t length = strlen(host);
    size_t tail = strlen(name);

    while (length > 0 && host[length - 1] == '.')
        length--;
    if (length < tail || strncasecmp(host + length - tail, name, tail) != 0)
        return false;
    return length == tail || host[length - tail - 1] == '.';
}

static bool read_known(const char *host, struct address *ret_address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(known_names); i++) {
        if (!is_below(host, known_names[i].name))
            continue;
        *ret_address = (struct address){.is_ipv6 = false};
        memcpy(ret_address->bytes, known_names[i].ipv4, sizeof(known_names[i].ipv4));
        return true;
    }
    return false;
}

/* Of the form that is sent: there are dots and digits that only IDNA turns into those of ASCII. */
static bool read_host(const char *url, bool (*read)(const char *, struct address *),
                      struct address *ret_address, int *ret_port)
{
    struct error unused;
    CURLUcode code;
    CURLU *parts;
    char *ascii = NULL, *host = NULL, *port = NULL;
    bool is_read = url_to_ascii(url, &ascii, &unused);

    parts = parse(ascii != NULL ? ascii : url, &code);
    is_read = is_read && parts != NULL &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              read(host, ret_address) &&
              curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (is_read)
        *ret_port = (int)strtol(port, NULL, 10);
    curl_free(port);
    curl_free(host);
    curl_url_cleanup(parts);
    free(ascii);
    return is_read;
}

bool url_literal_address(const char *url, struct address *ret_address, int *ret_port)
{
    return read_host(url, read_literal, ret_address, ret_port);
}

bool url_known_address(const char *url, struct address *ret_address, int *ret_port)
{
    return read_host(url, read_known, ret_address, ret_port);
}
