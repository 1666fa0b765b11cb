/* SPDX-License-Identifier: MIT */
/*
 * http/transcript.h: what went over the wire, as "curl -v" shows it.
 *
 * Lines begin with "> " (sent), "< " (received) or "* " (what libcurl says about it); bodies are
 * left out, and so are the values of headers that are credentials. Control characters are replaced,
 * since a receiver's headers end up on a terminal. At most TRANSCRIPT_MAX_BYTES are kept.
 */
#ifndef POSTRIDER_HTTP_TRANSCRIPT_H
#define POSTRIDER_HTTP_TRANSCRIPT_H

#include <curl/curl.h>

#include "base/buffer.h"

#define TRANSCRIPT_MAX_BYTES ((size_t)64 * 1024)

/* Adds each line of bytes behind prefix: "> ", "< " or "* ". */
void transcript_add(struct buffer *out, const char *prefix, const char *bytes, size_t length);

/* For CURLOPT_DEBUGFUNCTION; CURLOPT_DEBUGDATA is the buffer. */
int transcript_on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *user);

#endif
