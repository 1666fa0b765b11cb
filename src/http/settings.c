#include "http/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* The bundle that libcurl was built to use, when it is there. */
static char *find_default_bundle(void)
{
    CURL *easy = curl_easy_init();
    char *bundle = NULL;

    if (easy != NULL)
        curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle);
    bundle = bundle != NULL && access(bundle, R_OK) == 0 ? memory_copy_string(bundle) : NULL;
    curl_easy_cleanup(easy);
    return bundle;
}

static bool set_ca_file(struct settings *settings, struct error *error)
{
    const char *file = settings->options.ca_file;

    if (file[0] == '\0') {
        settings->ca_file = find_default_bundle();
        return true;
    }
    if (access(file, R_OK) != 0)
        return error_set(error, "network.ca_file: cannot read %s: %s", file,
                         strerrordesc_np(errno));
    settings->ca_file = memory_copy_string(file);
    return true;
}

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

/* Or every delivery would find out, and use up its attempts. */
static bool check_proxy(const char *proxy, struct error *error)
{
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
    curl_free(scheme);
    curl_url_cleanup(parts);
    if (code != CURLUE_OK)
        return error_set(error, "network.proxy is not a valid URL: %s", curl_url_strerror(code));
    return is_known || error_set(error, "network.proxy must begin with http://, https://, "
                                        "socks4://, socks4a://, socks5:// or socks5h://");
}

bool settings_init(struct settings *settings, const struct http_options *options,
                   struct watch_table *watches, struct error *error)
{
    *settings = (struct settings){
        .options = *options,
        .guard =
            {
                .has_proxy = options->proxy[0] != '\0',
                .allow_count = options->allow_count,
                .allow = options->allow,
            },
        .watches = watches,
        .ip_resolve = CURL_IPRESOLVE_WHATEVER,
    };
    return check_proxy(options->proxy, error) && set_interface(settings, error) &&
           set_ca_file(settings, error);
}

void settings_free(struct settings *settings)
{
    free(settings->ca_file);
    settings->ca_file = NULL;
}
