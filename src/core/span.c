/* SPDX-License-Identifier: MIT */
#include "core/span.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TRACE_BYTES 16
#define SPAN_BYTES  8

static void write_id(const unsigned char *bytes, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char any = 0;

    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    if (any == 0)
        text[2 * count - 1] = '1';
    text[2 * count] = '\0';
}

bool span_choose(const char *traceparent, double share, double chance,
                 const unsigned char random[SPAN_RANDOM_BYTES], struct span_ids *ret_ids)
{
    bool has_parent = traceparent_read(traceparent, ret_ids->trace_id);

    if (has_parent ? !traceparent_is_sampled(traceparent) : chance >= share)
        return false;
    if (has_parent) {
        traceparent_read_parent(traceparent, ret_ids->parent_id);
    } else {
        ret_ids->parent_id[0] = '\0';
        write_id(random, TRACE_BYTES, ret_ids->trace_id);
    }
    write_id(random + TRACE_BYTES, SPAN_BYTES, ret_ids->span_id);
    return true;
}

char *span_url(const char *url)
{
    size_t length = strcspn(url, "?#");
    const char *host = strstr(url, "://");
    size_t start = host != NULL ? (size_t)(host + 3 - url) : 0;
    size_t end;
    size_t after = start;

    if (start > length)
        start = after = 0;
    end = start + strcspn(url + start, "/?#\\");
    for (size_t i = start; i < end; i++)
        if (url[i] == '@')
            after = i + 1;
    return memory_format("%.*s%.*s", (int)start, url, (int)(length - after), url + after);
}

char *span_server(const char *origin, int *ret_port)
{
    const char *host = strstr(origin, "://");
    const char *colon = strrchr(origin, ':');
    size_t length;

    if (host == NULL || colon <= host)
        return NULL;
    host += 3;
    length = (size_t)(colon - host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    *ret_port = (int)strtol(colon + 1, NULL, 10);
    return memory_format("%.*s", (int)length, host);
}

const char *span_error_type(const struct attempt *attempt, char buffer[SPAN_ERROR_TYPE_SIZE])
{
    if (attempt->result != ATTEMPT_ANSWERED)
        return attempt_result_name(attempt->result);
    if (attempt->status >= 200 && attempt->status < 300)
        return NULL;
    snprintf(buffer, SPAN_ERROR_TYPE_SIZE, "%d", attempt->status);
    return buffer;
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

size_t span_bytes(const struct span *span)
{
    return sizeof(*span) + text_bytes(span->url) + text_bytes(span->server) +
           text_bytes(span->error);
}

void span_free(struct span *span)
{
    if (span == NULL)
        return;
    free(span->url);
    free(span->server);
    free(span->error);
    free(span);
}
