#include "http/handle.h"

#include <limits.h>
#include <unistd.h>

#include "http/transcript.h"

#define SET(easy, option, value) must(curl_easy_setopt((easy), (option), (value)), #option)

static void must(CURLcode code, const char *option)
{
    if (code != CURLE_OK)
        bug("curl_easy_setopt(%s): %s", option, curl_easy_strerror(code));
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = user;
    curl_socket_t fd = guard_open_socket(&transfer->settings->guard, address, &transfer->guarded);

    (void)purpose;
    if (fd != CURL_SOCKET_BAD) {
        watch_open(transfer->settings->watches, transfer->shard, fd);
        transfer->shard->connections++;
    }
    return fd;
}

/* The connection may have outlived the transfer that opened it, so this gets the table alone. */
static int on_close_socket(void *user, curl_socket_t fd)
{
    watch_close(user, fd)->connections--;
    return close(fd);
}

static void set_callbacks(CURL *easy, struct transfer *transfer)
{
    SET(easy, CURLOPT_PRIVATE, transfer);
    SET(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    SET(easy, CURLOPT_HEADERFUNCTION, answer_on_header);
    SET(easy, CURLOPT_HEADERDATA, &transfer->answer);
    SET(easy, CURLOPT_WRITEFUNCTION, answer_on_body);
    SET(easy, CURLOPT_WRITEDATA, &transfer->answer);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
    SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(easy, CURLOPT_CLOSESOCKETDATA, transfer->settings->watches);
    SET(easy, CURLOPT_DEBUGFUNCTION, transcript_on_debug);
    SET(easy, CURLOPT_DEBUGDATA, &transfer->response.transcript);
}

/* HTTP/2 is slower here, and libcurl 7.88 reports an early answer over it as a failure. */
static void set_protocol(CURL *easy, const struct settings *settings)
{
    SET(easy, CURLOPT_PROTOCOLS_STR, settings->options.https_only ? "https" : "http,https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_POST, 1L);
    SET(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
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
    SET(easy, CURLOPT_PROXY, settings->options.proxy);
    SET(easy, CURLOPT_NOPROXY, "");
    SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_IPRESOLVE, settings->ip_resolve);
    if (settings->interface[0] != '\0')
        SET(easy, CURLOPT_INTERFACE, settings->interface);
}

/* libcurl keeps the parsed CA bundle only when there is no CApath, which Debian compiles in:
 * 0.6 instead of 21 ms of CPU for a new connection. */
static void set_tls(CURL *easy, const struct settings *settings)
{
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file != NULL) {
        SET(easy, CURLOPT_CAINFO, settings->ca_file);
        SET(easy, CURLOPT_CAPATH, NULL);
    }
}

CURL *handle_new(struct transfer *transfer)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        bug("curl_easy_init() failed");
    set_callbacks(easy, transfer);
    set_protocol(easy, transfer->settings);
    set_network(easy, transfer->settings);
    set_tls(easy, transfer->settings);
    return easy;
}

/* 0 would be no limit. */
static long limit_ms(int64_t ms)
{
    return ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (long)ms;
}

void handle_set_request(struct transfer *transfer, const struct http_request *request,
                        const char *url, struct curl_slist *headers)
{
    CURL *easy = transfer->easy;
    int64_t connect_ms = transfer->settings->options.connect_timeout_ms;

    if (request->timeout_ms < connect_ms)
        connect_ms = request->timeout_ms;
    SET(easy, CURLOPT_URL, url);
    SET(easy, CURLOPT_HTTPHEADER, headers);
    SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    SET(easy, CURLOPT_POSTFIELDS, request->body_length > 0 ? (const char *)request->body : "");
    SET(easy, CURLOPT_TIMEOUT_MS, limit_ms(request->timeout_ms));
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms(connect_ms));
    SET(easy, CURLOPT_VERBOSE, request->keep_transcript ? 1L : 0L);
    SET(easy, CURLOPT_FRESH_CONNECT, 0L);
}

void handle_set_resend(CURL *easy, int64_t timeout_ms)
{
    SET(easy, CURLOPT_TIMEOUT_MS, limit_ms(timeout_ms));
    SET(easy, CURLOPT_FRESH_CONNECT, 1L);
}
