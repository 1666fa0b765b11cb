/* SPDX-License-Identifier: MIT */
#include "http/handle.h"

#include <limits.h>
#include <strings.h>
#include <unistd.h>

#include "http/inspection.h"
#include "http/transcript.h"

#define NAME_LIFETIME_MAX_S 60L

#define SET(easy, option, value) must(curl_easy_setopt((easy), (option), (value)), #option)

static void must(CURLcode code, const char *option)
{
    if (code != CURLE_OK)
        bug("curl_easy_setopt(%s): %s", option, curl_easy_strerror(code));
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct dial *dial = user;
    curl_socket_t fd;

    (void)purpose;
    if (dial->guard == NULL)
        return CURL_SOCKET_BAD; /* it was told to have ended */
    fd = guard_open_socket(dial->guard, address, &dial->guarded);
    if (fd != CURL_SOCKET_BAD)
        watch_forget(&dial->dialer->watches, fd);
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    const struct dial *dial = user;

    return fd == dial->taken_fd ? 0 : close(fd);
}

/* Of a proxy's answer to CONNECT; libcurl would print it. */
static size_t on_bytes(char *bytes, size_t one, size_t length, void *user)
{
    (void)bytes;
    (void)one;
    (void)user;
    return length;
}

static void set_callbacks(CURL *easy, struct dial *dial)
{
    SET(easy, CURLOPT_PRIVATE, dial);
    SET(easy, CURLOPT_ERRORBUFFER, dial->curl_error);
    SET(easy, CURLOPT_HEADERFUNCTION, on_bytes);
    SET(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, dial);
    SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(easy, CURLOPT_CLOSESOCKETDATA, dial);
    SET(easy, CURLOPT_DEBUGFUNCTION, transcript_on_debug);
}

/* HTTP/1.1 is what TLS tells the receiver (ALPN): what we speak. */
static void set_protocol(CURL *easy, const struct settings *settings)
{
    SET(easy, CURLOPT_CONNECT_ONLY, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, settings->options.https_only ? "https" : "http,https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

/* What is remembered of a name adds to the time after which a host that has moved is found. */
static long name_lifetime_s(const struct settings *settings)
{
    int64_t seconds = settings->options.connection_lifetime_ms / 1000;

    return seconds < NAME_LIFETIME_MAX_S ? (long)seconds : NAME_LIFETIME_MAX_S;
}

/*
 * Without CURLOPT_PROXY and CURLOPT_NOPROXY, libcurl asks the environment, and a proxy that it
 * finds there would bypass the address check. QUICK_EXIT: or a transfer that ends while its name
 * is being resolved would wait for the resolver's thread, and the whole loop with it.
 */
static void set_network(CURL *easy, const struct settings *settings)
{
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
    SET(easy, CURLOPT_PROXY, settings->proxy != NULL ? settings->proxy : "");
    SET(easy, CURLOPT_NOPROXY, "");
    SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_IPRESOLVE, settings->ip_resolve);
    SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, name_lifetime_s(settings));
    if (settings->interface[0] != '\0')
        SET(easy, CURLOPT_INTERFACE, settings->interface);
}

bool handle_has_reached_receiver(const struct dial *dial)
{
    return dial->is_https && dial->tls_contexts > (dial->dialer->settings->is_tls_proxy ? 1 : 0);
}

/*
 * libcurl forbids tickets, for the sake of servers of long ago. But where a server remembers no
 * session, as nginx does by default, a ticket is all that TLS 1.2 can resume one by.
 */
static CURLcode on_tls_context(CURL *easy, void *context, void *user)
{
    struct dial *dial = user;

    (void)easy;
    SSL_CTX_clear_options(context, SSL_OP_NO_TICKET);
    dial->tls_contexts++;
    trust_apply(&dial->dialer->settings->trust, context);
    if (dial->inspection != NULL && handle_has_reached_receiver(dial))
        inspection_attach(dial->inspection, context);
    return CURLE_OK;
}

/*
 * Reading Debian's CA bundle takes 21 ms, and libcurl's cache of it is one for each CURLM, so the
 * certificates are read here, once, and libcurl is told to read none.
 */
static void set_tls(CURL *easy, struct dial *dial)
{
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_CAINFO, NULL);
    SET(easy, CURLOPT_CAPATH, NULL);
    SET(easy, CURLOPT_PROXY_CAINFO, NULL);
    SET(easy, CURLOPT_PROXY_CAPATH, NULL);
    SET(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    SET(easy, CURLOPT_SSL_CTX_DATA, dial);
}

/* 0 would be no limit. */
static long limit_ms(int64_t ms)
{
    return ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (long)ms;
}

/*
 * Not copied: libcurl would not wipe the key. A session that was made with a certificate must not
 * be resumed without it, nor the other way round, so that none is kept.
 */
static void set_certificate(CURL *easy, const struct settings *settings,
                            const struct client_certificate *certificate)
{
    bool keeps_sessions = certificate == NULL && settings->options.connection_lifetime_ms > 0;
    struct curl_blob chain = {.flags = CURL_BLOB_NOCOPY};
    struct curl_blob key = {.flags = CURL_BLOB_NOCOPY};

    if (certificate != NULL) {
        chain.data = certificate->chain;
        chain.len = certificate->chain_length;
        key.data = certificate->key;
        key.len = certificate->key_length;
    }
    SET(easy, CURLOPT_SSLCERT_BLOB, certificate != NULL ? &chain : NULL);
    SET(easy, CURLOPT_SSLKEY_BLOB, certificate != NULL ? &key : NULL);
    SET(easy, CURLOPT_SSL_SESSIONID_CACHE, keeps_sessions ? 1L : 0L);
}

CURL *handle_new(struct dial *dial)
{
    const struct settings *settings = dial->dialer->settings;
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        bug("curl_easy_init() failed");
    set_callbacks(easy, dial);
    set_protocol(easy, settings);
    set_network(easy, settings);
    set_tls(easy, dial);
    set_certificate(easy, settings, NULL);
    return easy;
}

/* With CURLOPT_CONNECT_ONLY libcurl asks a proxy for a tunnel only when it is told to. */
void handle_set_request(struct dial *dial, const struct dial_request *request, CURLSH *names)
{
    CURL *easy = dial->easy;
    int64_t connect_ms = dial->dialer->settings->options.connect_timeout_ms;

    dial->is_https = strncasecmp(request->url, "https:", 6) == 0;
    if (request->timeout_ms < connect_ms)
        connect_ms = request->timeout_ms;
    SET(easy, CURLOPT_SHARE, names);
    SET(easy, CURLOPT_URL, request->url);
    SET(easy, CURLOPT_HTTPPROXYTUNNEL, dial->is_https ? 1L : 0L);
    SET(easy, CURLOPT_TIMEOUT_MS, limit_ms(request->timeout_ms));
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms(connect_ms));
    if (request->certificate != NULL)
        set_certificate(easy, dial->dialer->settings, request->certificate);
    SET(easy, CURLOPT_VERBOSE, request->transcript != NULL ? 1L : 0L);
    SET(easy, CURLOPT_DEBUGDATA, request->transcript);
}

void handle_forget_request(struct dial *dial)
{
    if (dial->certificate != NULL)
        set_certificate(dial->easy, dial->dialer->settings, NULL);
    dial->certificate = NULL;
    dial->inspection = NULL;
    dial->guard = NULL;
    SET(dial->easy, CURLOPT_VERBOSE, 0L);
    SET(dial->easy, CURLOPT_DEBUGDATA, NULL);
}
