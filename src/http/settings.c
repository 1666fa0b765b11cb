/* SPDX-License-Identifier: MIT */
#include "http/settings.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* libcurl would look an unprefixed name up as interface, address and host name in turn. */
static bool set_interface(struct settings *settings, struct error *error)
{
    const char *source = settings->options.source_address;
    unsigned char bytes[16];
    const char *kind = "if";
    int length;

    if (source[0] == '\0')
        return true;
    if (inet_pton(AF_INET, source, bytes) == 1) {
        kind = "host";
        settings->ip_resolve = CURL_IPRESOLVE_V4;
    } else if (inet_pton(AF_INET6, source, bytes) == 1) {
        kind = "host";
        settings->ip_resolve = CURL_IPRESOLVE_V6;
    }
    length = snprintf(settings->interface, sizeof(settings->interface), "%s!%s", kind, source);
    if (length >= (int)sizeof(settings->interface))
        return error_set(error, "network.source_address has more than %d bytes",
                         SETTINGS_INTERFACE_SIZE - 6);
    return true;
}

static bool is_proxy_scheme(const char *scheme)
{
    static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcmp(scheme, known[i]) == 0)
            return true;
    }
    return false;
}

/* RFC 7617, of what stands before the @ of the proxy's URL; libcurl does the same for tunnels. */
static char *make_authorization(CURLU *parts)
{
    char *user = NULL;
    char *password = NULL;
    char *both;
    unsigned char *encoded;
    size_t length;
    char *header;

    if (curl_url_get(parts, CURLUPART_USER, &user, CURLU_URLDECODE) != CURLUE_OK)
        return NULL;
    curl_url_get(parts, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    both = memory_format("%s:%s", user, password != NULL ? password : "");
    length = strlen(both);
    encoded = memory_new((length + 2) / 3 * 4 + 1, 1);
    EVP_EncodeBlock(encoded, (const unsigned char *)both, (int)length);
    header = memory_format("Basic %s", (const char *)encoded);
    memory_free_secret((char *)encoded);
    memory_free_secret(both);
    curl_free(user);
    if (password != NULL)
        explicit_bzero(password, strlen(password));
    curl_free(password);
    return header;
}

/*
 * SOCKS with the name, not with an address: libcurl would resolve it here, and the proxy would be
 * asked for an address that nobody has checked. So names are every proxy's to resolve.
 */
static char *make_proxy_url(const char *proxy, const char *scheme)
{
    const char *rest = strstr(proxy, "://");

    if (rest != NULL && strcmp(scheme, "socks5") == 0)
        return memory_format("socks5h%s", rest);
    if (rest != NULL && strcmp(scheme, "socks4") == 0)
        return memory_format("socks4a%s", rest);
    return memory_copy_string(proxy);
}

static void take_proxy(struct settings *settings, CURLU *parts, const char *scheme)
{
    settings->proxy = make_proxy_url(settings->options.proxy, scheme);
    settings->is_tls_proxy = strcmp(scheme, "https") == 0;
    settings->is_http_proxy = settings->is_tls_proxy || strcmp(scheme, "http") == 0;
    if (settings->is_http_proxy)
        settings->proxy_authorization = make_authorization(parts);
}

/* Or every delivery would find out, and use up its attempts. */
static bool set_proxy(struct settings *settings, struct error *error)
{
    const char *proxy = settings->options.proxy;
    CURLU *parts;
    CURLUcode code;
    char *scheme = NULL;
    bool is_known = false;

    if (proxy[0] == '\0')
        return true;
    parts = curl_url();
    code = curl_url_set(parts, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK && curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
        is_known = is_proxy_scheme(scheme);
    if (is_known)
        take_proxy(settings, parts, scheme);
    curl_free(scheme);
    curl_url_cleanup(parts);
    if (code != CURLUE_OK)
        return error_set(error, "network.proxy is not a valid URL: %s", curl_url_strerror(code));
    return is_known || error_set(error, "network.proxy must begin with http://, https://, "
                                        "socks4://, socks4a://, socks5:// or socks5h://");
}

bool settings_init(struct settings *settings, const struct http_options *options,
                   struct error *error)
{
    *settings = (struct settings){
        .options = *options,
        .guard =
            {
                .has_proxy = options->proxy[0] != '\0',
                .allow_count = options->allow_count,
                .allow = options->allow,
            },
        .ip_resolve = CURL_IPRESOLVE_WHATEVER,
    };
    return set_proxy(settings, error) && set_interface(settings, error) &&
           trust_init(&settings->trust, options->ca_file, options->revocations, error);
}

void settings_free(struct settings *settings)
{
    memory_free_secret(settings->proxy);
    memory_free_secret(settings->proxy_authorization);
    settings->proxy = NULL;
    settings->proxy_authorization = NULL;
    trust_free(&settings->trust);
}
