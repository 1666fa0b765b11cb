/* SPDX-License-Identifier: MIT */
#include "http/resolution.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "http/guard.h"
#include "http/url.h"

struct resolution {
    struct gaicb request;
    struct addrinfo hints;
    char *host; /* an IPv6 address without its brackets */
    int port;
    struct resolution *next; /* of those that were left to their threads */
};

/* Their memory is in use until their threads have ended, which nobody tells. */
static struct resolution *left;

static bool read_host(const char *url, char **ret_host, int *ret_port)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    char *port = NULL;
    bool is_good = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                   curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                   curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

    if (is_good) {
        size_t brackets = host[0] == '[' ? 1 : 0;

        *ret_host = memory_copy(host + brackets, strlen(host) - 2 * brackets);
        *ret_port = (int)strtol(port, NULL, 10);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return is_good;
}

static void destroy(struct resolution *resolution)
{
    if (resolution->request.ar_result != NULL)
        freeaddrinfo(resolution->request.ar_result);
    free(resolution->host);
    free(resolution);
}

/* Those whose threads have ended meanwhile. */
static void free_left(void)
{
    struct resolution **link = &left;

    while (*link != NULL) {
        struct resolution *one = *link;

        if (resolution_is_done(one)) {
            *link = one->next;
            destroy(one);
        } else
            link = &one->next;
    }
}

struct resolution *resolution_start(const char *url, struct error *error)
{
    struct resolution *resolution;
    struct gaicb *list[1];
    char *ascii = NULL;
    bool is_good;
    int code;

    free_left();
    if (!url_to_ascii(url, &ascii, error))
        return NULL;
    resolution = memory_new(1, sizeof(*resolution));
    is_good = read_host(ascii != NULL ? ascii : url, &resolution->host, &resolution->port);
    free(ascii);
    if (!is_good) {
        free(resolution);
        error_set(error, "the URL has no host that could be asked for");
        return NULL;
    }
    resolution->hints.ai_socktype = SOCK_STREAM;
    resolution->request.ar_name = resolution->host;
    resolution->request.ar_request = &resolution->hints;
    list[0] = &resolution->request;
    code = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (code == 0)
        return resolution;
    error_set(error, "the name can't be asked for: %s", gai_strerror(code));
    destroy(resolution);
    return NULL;
}

bool resolution_is_done(const struct resolution *resolution)
{
    return gai_error((struct gaicb *)&resolution->request) != EAI_INPROGRESS; /* only reads it */
}

const char *resolution_host(const struct resolution *resolution)
{
    return resolution->host;
}

int resolution_port(const struct resolution *resolution)
{
    return resolution->port;
}

const char *resolution_error(const struct resolution *resolution)
{
    int code = gai_error((struct gaicb *)&resolution->request);

    return code == 0 ? NULL : gai_strerror(code);
}

size_t resolution_addresses(const struct resolution *resolution,
                            struct address addresses[RESOLUTION_MAX])
{
    const struct addrinfo *one = resolution->request.ar_result;
    size_t count = 0;

    for (; one != NULL && count < RESOLUTION_MAX; one = one->ai_next)
        if (guard_read_address(one->ai_addr, &addresses[count]) >= 0)
            count++;
    return count;
}

void resolution_format(const struct address *address, char text[RESOLUTION_ADDRESS_SIZE])
{
    if (inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, text,
                  RESOLUTION_ADDRESS_SIZE) == NULL)
        snprintf(text, RESOLUTION_ADDRESS_SIZE, "?");
}

void resolution_free(struct resolution *resolution)
{
    if (resolution == NULL)
        return;
    if (!resolution_is_done(resolution) && gai_cancel(&resolution->request) != EAI_CANCELED &&
        !resolution_is_done(resolution)) {
        resolution->next = left;
        left = resolution;
        return;
    }
    destroy(resolution);
}
