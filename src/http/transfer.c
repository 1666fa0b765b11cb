#include "http/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/handle.h"
#include "http/transcript.h"
#include "http/url.h"
#include "http/verdict.h"

struct transfer *transfer_new(const struct settings *settings)
{
    struct transfer *transfer = memory_new(1, sizeof(*transfer));

    transfer->settings = settings;
    buffer_init(&transfer->response.snippet, HTTP_SNIPPET_BYTES);
    buffer_init(&transfer->response.transcript, TRANSCRIPT_MAX_BYTES);
    transfer->easy = handle_new(transfer);
    answer_init(&transfer->answer, transfer->easy, &transfer->response,
                settings->options.max_response_bytes);
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    transfer_clear(transfer);
    buffer_free(&transfer->response.snippet);
    buffer_free(&transfer->response.transcript);
    free(transfer->nodes);
    free(transfer->lines);
    free(transfer);
}

static bool refuse(struct transfer *transfer, const char *reason)
{
    transfer->response.result = ATTEMPT_UNSENDABLE;
    snprintf(transfer->response.error, sizeof(transfer->response.error), "%s", reason);
    return false;
}

/* The proxy will do the connecting, so what the URL itself says is all that can be checked. */
static bool check_behind_proxy(struct transfer *transfer, const char *url)
{
    const struct guard *guard = &transfer->settings->guard;
    struct address literal;

    if (!guard->has_proxy || !url_literal_address(url, &literal) ||
        guard_admit(guard, &literal, &transfer->guarded))
        return true;
    return refuse(transfer, transfer->guarded.refusal);
}

/* The length of the name in "Name:" with nothing but blanks behind it; 0 for all other lines. */
static size_t empty_name_length(const char *line)
{
    const char *colon = strchr(line, ':');

    if (colon == NULL || colon[1 + strspn(colon + 1, " \t")] != '\0')
        return 0;
    return (size_t)(colon - line);
}

static void reserve_lines(struct transfer *transfer, const struct http_request *request)
{
    size_t bytes = 0;

    for (size_t i = 0; i < request->headers_count; i++)
        bytes += strlen(request->headers[i]) + 1;
    if (transfer->lines_capacity < bytes) {
        transfer->lines = memory_resize(transfer->lines, bytes, 1);
        transfer->lines_capacity = bytes;
    }
    if (transfer->nodes_capacity < request->headers_count + 1) {
        transfer->nodes_capacity = request->headers_count + 1;
        transfer->nodes =
            memory_resize(transfer->nodes, transfer->nodes_capacity, sizeof(*transfer->nodes));
    }
}

/* Returns the end of the copy. To libcurl "Name:" without a value means not to send the header,
 * and "Name;" to send it empty. */
static char *copy_line(char *at, const char *line)
{
    size_t length = strlen(line);
    size_t name_length = empty_name_length(line);

    memcpy(at, line, length + 1);
    if (name_length > 0)
        memcpy(at + name_length, ";", 2);
    return at + length + 1;
}

/*
 * A list of our own instead of curl_slist_append(), which allocates twice for each line and walks
 * the list each time; libcurl only reads it. The first node turns off its "Expect: 100-continue",
 * which it adds to bodies over 1 MiB.
 */
static struct curl_slist *link_headers(struct transfer *transfer,
                                       const struct http_request *request)
{
    static char no_expect[] = "Expect:";
    struct curl_slist *nodes;
    char *at;

    reserve_lines(transfer, request);
    nodes = transfer->nodes;
    at = transfer->lines;
    nodes[0] = (struct curl_slist){.data = no_expect};
    for (size_t i = 0; i < request->headers_count; i++) {
        nodes[i].next = &nodes[i + 1];
        nodes[i + 1] = (struct curl_slist){.data = at};
        at = copy_line(at, request->headers[i]);
    }
    return nodes;
}

bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
                      struct shard *shard, void *owner)
{
    struct error error;
    const char *url = request->url;
    char *ascii = NULL;

    transfer->shard = shard;
    transfer->owner = owner;
    transfer->timeout_ms = request->timeout_ms;
    if (!url_check(url, transfer->settings->options.https_only, &error) ||
        !url_to_ascii(url, &ascii, &error))
        return refuse(transfer, error.message);
    if (!check_behind_proxy(transfer, url))
        return false;
    handle_set_request(transfer, request, ascii != NULL ? ascii : url,
                       link_headers(transfer, request));
    free(ascii);
    return true;
}

static bool is_on_kept_connection(CURL *easy)
{
    long connects = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

/*
 * When a request can go out twice in one attempt: it was sent on a kept connection, and that one
 * ended before a single byte of an answer. HTTP cannot tell whether the receiver closed the idle
 * connection at that moment, which is common and harmless, or took the request and died. libcurl
 * takes it for the first and sends again on another connection; a receiver that did take it knows
 * the second by its event id. On a new connection nothing is ever sent twice.
 *
 * libcurl 7.88 counts these for the life of a handle, not of a request, and gives up at the sixth
 * with CURLE_SEND_ERROR (and counts from 0 again). That sixth is sent again from here.
 */
bool transfer_should_resend(struct transfer *transfer, CURLcode code)
{
    int64_t used_ms;

    if (code != CURLE_SEND_ERROR || transfer->was_resent || transfer->answer.head_bytes > 0 ||
        !is_on_kept_connection(transfer->easy))
        return false;
    used_ms = verdict_time_us(transfer->easy, CURLINFO_TOTAL_TIME_T) / 1000;
    transfer->was_resent = true;
    handle_set_resend(transfer->easy, transfer->timeout_ms - used_ms);
    return true;
}

static void fill_timings(struct transfer *transfer)
{
    struct http_timings *timings = &transfer->response.timings;
    CURL *easy = transfer->easy;

    timings->total_us = verdict_time_us(easy, CURLINFO_TOTAL_TIME_T);
    if (transfer->answer.head_bytes > 0)
        timings->first_byte_us = verdict_time_us(easy, CURLINFO_STARTTRANSFER_TIME_T);
    if (transfer->response.is_reused)
        return;
    timings->dns_us = verdict_time_us(easy, CURLINFO_NAMELOOKUP_TIME_T);
    timings->connect_us = verdict_time_us(easy, CURLINFO_CONNECT_TIME_T);
    timings->tls_us = verdict_time_us(easy, CURLINFO_APPCONNECT_TIME_T);
}

static void fill_peer(struct transfer *transfer)
{
    char *ip = NULL;
    long port = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip != NULL && ip[0] != '\0')
        guard_format_peer(ip, port, transfer->response.peer);
}

static void fill_failure(struct transfer *transfer, CURLcode code)
{
    struct http_response *response = &transfer->response;
    const struct verdict_facts facts = {
        .curl_error = transfer->curl_error,
        .peer = transfer->guarded.peer,
        .socket_errno = transfer->guarded.socket_errno,
        .has_proxy = transfer->settings->guard.has_proxy,
        .is_started = transfer->answer.head_bytes > 0,
    };

    if (response->error[0] != '\0') { /* we stopped it ourselves */
        response->result = ATTEMPT_BROKEN;
        return;
    }
    if (guard_is_refusal(&transfer->guarded)) {
        refuse(transfer, transfer->guarded.refusal);
        return;
    }
    response->result = verdict_classify(code, verdict_was_sent(transfer->easy));
    verdict_explain(transfer->easy, code, &facts, response->error, sizeof(response->error));
}

/* 407 can only be the proxy's own word: the receiver was not reached. */
static bool is_from_proxy(const struct transfer *transfer)
{
    return transfer->settings->guard.has_proxy && transfer->response.status == 407;
}

void transfer_finish(struct transfer *transfer, CURLcode code)
{
    struct http_response *response = &transfer->response;

    response->is_reused = is_on_kept_connection(transfer->easy) && verdict_was_sent(transfer->easy);
    fill_timings(transfer);
    fill_peer(transfer);
    if (transfer->answer.head != HEAD_COMPLETE) {
        fill_failure(transfer, code);
        return;
    }
    response->result = ATTEMPT_ANSWERED;
    response->is_truncated = code != CURLE_OK;
    if (is_from_proxy(transfer)) {
        response->result = ATTEMPT_CONNECT;
        snprintf(response->error, sizeof(response->error),
                 "the proxy asks for credentials (407); see network.proxy");
    }
}

void transfer_clear(struct transfer *transfer)
{
    struct http_response *response = &transfer->response;
    struct buffer snippet = response->snippet;
    struct buffer transcript = response->transcript;

    transfer->owner = NULL;
    transfer->shard = NULL;
    transfer->was_resent = false;
    transfer->guarded = (struct guard_record){0};
    transfer->curl_error[0] = '\0';
    answer_clear(&transfer->answer);
    *response = (struct http_response){.snippet = snippet, .transcript = transcript};
    buffer_clear(&response->snippet);
    buffer_clear(&response->transcript);
}
