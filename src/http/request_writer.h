/* SPDX-License-Identifier: MIT */
/*
 * http/request_writer.h: a request's bytes, and how many of them have been sent.
 *
 * The head is copied together when the request is made; the body stays the caller's. Without TLS
 * both go out in one call. With TLS a body of up to WRITER_JOIN_BYTES is copied behind the head, so
 * that both are one record.
 */
#ifndef POSTRIDER_HTTP_REQUEST_WRITER_H
#define POSTRIDER_HTTP_REQUEST_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "http/request.h"

#define WRITER_JOIN_BYTES ((size_t)12 * 1024)

struct request_writer {
    char *head; /* kept for the next request */
    size_t capacity;
    size_t head_length; /* without a body behind it */
    size_t joined;      /* bytes of the body behind the head */
    const char *body;
    size_t body_length;
    size_t sent;
};

void request_writer_free(struct request_writer *writer);

/* start is the request line of a POST and the first headers; those of request follow, then the
 * length. */
void request_writer_begin(struct request_writer *writer, const char *start, size_t start_length,
                          const struct http_request *request, bool joins_body);

/* For a request that goes out once more. */
void request_writer_rewind(struct request_writer *writer);

/* What is left to be sent: 0 to 2 parts. */
int request_writer_parts(const struct request_writer *writer, struct iovec parts[2]);

void request_writer_note_sent(struct request_writer *writer, size_t bytes);

bool request_writer_is_done(const struct request_writer *writer);

#endif
