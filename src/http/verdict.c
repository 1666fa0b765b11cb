/* SPDX-License-Identifier: MIT */
#include "http/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"

/* What is not listed is ATTEMPT_CONNECT. */
static const struct {
    CURLcode code;
    enum attempt_result result;
} meanings[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, ATTEMPT_UNSENDABLE},
    {CURLE_URL_MALFORMAT, ATTEMPT_UNSENDABLE},
    {CURLE_COULDNT_RESOLVE_HOST, ATTEMPT_DNS},
    {CURLE_COULDNT_RESOLVE_PROXY, ATTEMPT_DNS},
    {CURLE_OPERATION_TIMEDOUT, ATTEMPT_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, ATTEMPT_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, ATTEMPT_TLS},
    {CURLE_SSL_ENGINE_NOTFOUND, ATTEMPT_TLS},
    {CURLE_SSL_ENGINE_SETFAILED, ATTEMPT_TLS},
    {CURLE_SSL_CERTPROBLEM, ATTEMPT_TLS},
    {CURLE_SSL_CIPHER, ATTEMPT_TLS},
    {CURLE_SSL_CACERT_BADFILE, ATTEMPT_TLS},
    {CURLE_SSL_CRL_BADFILE, ATTEMPT_TLS},
    {CURLE_SSL_ISSUER_ERROR, ATTEMPT_TLS},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, ATTEMPT_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, ATTEMPT_TLS},
    {CURLE_SSL_CLIENTCERT, ATTEMPT_TLS},
};

static enum attempt_result classify_code(CURLcode code)
{
    for (size_t i = 0; i < ARRAY_LENGTH(meanings); i++) {
        if (meanings[i].code == code)
            return meanings[i].result;
    }
    return ATTEMPT_CONNECT;
}

curl_off_t verdict_time_us(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    return curl_easy_getinfo(easy, info, &us) == CURLE_OK ? us : 0;
}

/* What was waited for; the peer's address is put behind it. libcurl tells the time of the TCP
 * connection only when TLS is ready too, but counts the connection at once. */
static const char *describe_wait(CURL *easy, const struct verdict_facts *facts)
{
    long connects = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects == 0)
        return facts->has_proxy ? "no connection to the proxy" : "no connection to";
    if (!facts->has_proxy)
        return "no end of the TLS handshake with";
    if (facts->has_reached_receiver)
        return "no end of the TLS handshake with the receiver, through the proxy";
    return facts->is_tunnel ? "no tunnel through the proxy"
                            : "no end of the TLS handshake with the proxy";
}

static void explain_timeout(CURL *easy, const struct verdict_facts *facts, char *text, size_t size)
{
    char about[UNITS_TEXT_SIZE];

    units_format_about_ms(facts->waited_us / 1000, about);
    if (verdict_time_us(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
        snprintf(text, size, "timed out after %s: the host name was not resolved", about);
    else
        snprintf(text, size, "timed out after %s: %s %s", about, describe_wait(easy, facts),
                 facts->peer[0] != '\0' ? facts->peer : "the receiver");
}

static void explain_connect(CURL *easy, const struct verdict_facts *facts, char *text, size_t size)
{
    long number = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    if (facts->socket_errno != 0)
        number = facts->socket_errno;
    snprintf(text, size, "cannot connect to %s%s: %s", facts->has_proxy ? "the proxy " : "",
             facts->peer[0] != '\0' ? facts->peer : "the receiver",
             number != 0 ? strerrordesc_np((int)number) : "no address could be used");
}

bool verdict_is_end(const char *text)
{
    return strstr(text, "SSL_ERROR_SYSCALL") != NULL ||
           strstr(text, "SSL_ERROR_ZERO_RETURN") != NULL ||
           strstr(text, "unexpected eof while reading") != NULL;
}

/* RFC 1928, section 6. */
static const struct {
    CURLproxycode code;
    const char *meaning;
} socks_replies[] = {
    {CURLPX_REPLY_GENERAL_SERVER_FAILURE, "general failure"},
    {CURLPX_REPLY_NOT_ALLOWED, "not allowed by its rules"},
    {CURLPX_REPLY_NETWORK_UNREACHABLE, "network unreachable"},
    {CURLPX_REPLY_HOST_UNREACHABLE, "host unreachable"},
    {CURLPX_REPLY_CONNECTION_REFUSED, "connection refused"},
    {CURLPX_REPLY_TTL_EXPIRED, "no way there in time"},
    {CURLPX_REPLY_COMMAND_NOT_SUPPORTED, "it can make no connections"},
    {CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED, "it takes no names"},
    {CURLPX_NO_AUTH, "it wants another way of authentication"},
    {CURLPX_USER_REJECTED, "it refuses the credentials of network.proxy"},
};

static const char *find_socks_reply(CURL *easy)
{
    long code = CURLPX_OK;

    curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &code);
    for (size_t i = 0; i < ARRAY_LENGTH(socks_replies); i++) {
        if (code == (long)socks_replies[i].code)
            return socks_replies[i].meaning;
    }
    return NULL;
}

/* What it was that did not come about. */
static const char *describe_step(CURLcode code, const struct verdict_facts *facts)
{
    bool is_handshake = code == CURLE_SSL_CONNECT_ERROR;

    if (code == CURLE_INTERFACE_FAILED)
        return "network.source_address: ";
    if (classify_code(code) == ATTEMPT_DNS)
        return "";
    if (facts->has_proxy && !facts->has_reached_receiver)
        return facts->is_tunnel ? "the proxy made no tunnel: " : "no connection to the proxy: ";
    if (facts->has_proxy)
        return is_handshake ? "TLS handshake through the proxy failed: " : "through the proxy: ";
    return is_handshake ? "TLS handshake failed: " : "";
}

/* libcurl's own words, without what it puts at their end; and plain ones where it has none. */
static void explain_generally(CURL *easy, CURLcode code, const struct verdict_facts *facts,
                              char *text, size_t size)
{
    const char *words = facts->curl_error[0] != '\0' ? facts->curl_error : curl_easy_strerror(code);
    const char *reply = code == CURLE_PROXY ? find_socks_reply(easy) : NULL;
    const char *step = describe_step(code, facts);
    size_t length;

    if (verdict_is_end(words))
        words = "the other side closed the connection";
    else if (strstr(words, strerrordesc_np(ECONNRESET)) != NULL)
        words = strerrordesc_np(ECONNRESET);
    snprintf(text, size, "%s%s", step, words);
    length = strlen(text);
    while (length > 0 && strchr(" \r\n.:", text[length - 1]) != NULL)
        text[--length] = '\0';
    if (reply != NULL)
        snprintf(text + length, size - length, " (%s)", reply);
}

/* What OpenSSL's words mean for an operator. The first that is found counts. */
static const struct {
    const char *words;
    const char *meaning;
    bool is_about_us; /* the receiver lives, and does not want this endpoint's certificate */
} tls_meanings[] = {
    {"alert handshake failure",
     "it wants a client certificate (webhook_endpoints.client_certificate), or has no cipher in "
     "common with us",
     true},
    {"alert certificate required",
     "it wants a client certificate: webhook_endpoints.client_certificate", true},
    {"alert bad certificate", "it refuses webhook_endpoints.client_certificate", true},
    {"alert unsupported certificate", "it refuses webhook_endpoints.client_certificate", true},
    {"alert certificate", "it refuses webhook_endpoints.client_certificate", true},
    {"alert unknown ca", "it refuses the authority of webhook_endpoints.client_certificate", true},
    /* How libcurl puts the alert "certificate expired". */
    {"SSL certificate verification failed",
     "it says that webhook_endpoints.client_certificate has expired", true},
    {"protocol version", "it has no TLS 1.2 or later", false},
    {"unsupported protocol", "it has no TLS 1.2 or later", false},
    {"wrong version number", "it does not speak TLS", false},
    {"unable to get local issuer certificate",
     "an intermediate certificate is missing there, or its authority is not trusted: "
     "network.ca_file",
     false},
    {"self-signed certificate", "its authority is not trusted: network.ca_file", false},
    {"certificate revoked", "a CRL of network.crl_file lists it, or one of its authorities", false},
    {"CRL has expired",
     "network.crl_file has no current CRL of its authority: put one there and reload", false},
    {"CRL is not yet valid",
     "network.crl_file has no CRL of its authority that has begun: look at the clock", false},
    {"CRL signature failure",
     "the CRL of its authority in network.crl_file is signed by another key", false},
};

const char *verdict_tls_meaning(const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tls_meanings); i++) {
        if (strstr(text, tls_meanings[i].words) != NULL)
            return tls_meanings[i].meaning;
    }
    return NULL;
}

enum attempt_result verdict_classify(CURLcode code, const struct verdict_facts *facts)
{
    enum attempt_result result = classify_code(code);

    if (facts->has_proxy && !facts->has_reached_receiver &&
        (result == ATTEMPT_TLS || result == ATTEMPT_BROKEN))
        return ATTEMPT_CONNECT;
    for (size_t i = 0; result == ATTEMPT_TLS && i < ARRAY_LENGTH(tls_meanings); i++) {
        if (strstr(facts->curl_error, tls_meanings[i].words) != NULL)
            return tls_meanings[i].is_about_us ? ATTEMPT_BROKEN : ATTEMPT_TLS;
    }
    return result;
}

static void add_tls_meaning(char *text, size_t size)
{
    const char *meaning = verdict_tls_meaning(text);
    size_t length = strlen(text);

    if (meaning != NULL)
        snprintf(text + length, size - length, " (%s)", meaning);
}

void verdict_explain(CURL *easy, CURLcode code, const struct verdict_facts *facts, char *text,
                     size_t size)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        explain_timeout(easy, facts, text, size);
    else if (code == CURLE_COULDNT_CONNECT)
        explain_connect(easy, facts, text, size);
    else
        explain_generally(easy, code, facts, text, size);
    if (classify_code(code) == ATTEMPT_TLS)
        add_tls_meaning(text, size);
}
