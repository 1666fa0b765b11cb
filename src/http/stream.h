/* SPDX-License-Identifier: MIT */
/*
 * http/stream.h: bytes over a connection that libcurl has made: straight to the socket where there
 * is no TLS, through libcurl where there is.
 *
 * libcurl looks its connection up for each call by walking all of a CURLM's, which is why there are
 * few in each (dialer.h). A call of stream_receive() gets at most one TLS record, and all of it, so
 * that what is left is in the socket and libevent hears of it.
 */
#ifndef POSTRIDER_HTTP_STREAM_H
#define POSTRIDER_HTTP_STREAM_H

#include <curl/curl.h>
#include <stddef.h>
#include <sys/uio.h>

struct stream {
    int fd;
    CURL *easy;         /* NULL without TLS */
    const char *detail; /* with TLS: what libcurl says of the last error there (borrowed), or "" */
};

enum stream_result {
    STREAM_OK,    /* at least one byte */
    STREAM_AGAIN, /* not now */
    STREAM_END,   /* the peer sends no more */
    STREAM_ERROR, /* ret_reason says why */
};

/* The parts that are sent over TLS must stay where they are until all of them are. */
enum stream_result stream_send(struct stream *stream, const struct iovec *parts, int count,
                               size_t *ret_sent, const char **ret_reason);

/* size is more than a TLS record can hold. */
enum stream_result stream_receive(struct stream *stream, char *bytes, size_t size,
                                  size_t *ret_length, const char **ret_reason);

#endif
