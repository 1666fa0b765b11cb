/* SPDX-License-Identifier: MIT */
/*
 * fuzz_url.c: URLs from any text.
 *
 * One that passes the check has an origin and an ASCII form that passes too and leads to the same
 * host; no host that the C library takes for an address passes for a name.
 */
#include <arpa/inet.h>
#include <strings.h>

#include "fuzz.h"
#include "http/url.h"

static void check_literal(const char *url, const char *origin)
{
    const char *host = strstr(origin, "://") + 3;
    const char *end = strrchr(host, ':');
    char *name = memory_copy(host, (size_t)(end - host));
    struct in_addr legacy;
    struct address address;
    int port;
    bool is_literal = url_literal_address(url, &address, &port);

    demand(inet_aton(name, &legacy) == 0 || is_literal, "an address passes for a name");
    demand(!is_literal || port == (int)strtol(end + 1, NULL, 10), "another port");
    free(name);
}

static void check_good(const char *url)
{
    struct error error;
    char *origin = url_origin(url);
    char *ascii = NULL, *ascii_origin;

    demand(origin != NULL, "no origin");
    if (url_to_ascii(url, &ascii, &error)) {
        const char *used = ascii != NULL ? ascii : url;

        demand(url_check(used, false, &error), "the ASCII form is refused");
        ascii_origin = url_origin(used);
        demand(ascii_origin != NULL, "the ASCII form has no origin");
        check_literal(used, ascii_origin);
        free(ascii_origin);
    }
    free(ascii);
    free(origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = fuzz_text(data, size);
    struct error error;

    if (url_check(url, false, &error))
        check_good(url);
    else
        demand(error.message[0] != '\0', "refused without a word");
    demand(!url_check(url, true, &error) || strncasecmp(url, "https://", 8) == 0,
           "https_only lets something else through");
    free(url);
    return 0;
}
