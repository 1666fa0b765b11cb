/* SPDX-License-Identifier: MIT */
/*
 * listen/request_reader.h: the bytes of one request, as they come.
 *
 *     HEAD ──→ HEAD_DONE ──request_reader_go_on()──→ BODY ──→ DONE
 *       └──────────────→ REFUSED ←──────────────────────┘
 *
 * It stops where the head ends, so that somebody can be turned away before his body is read. Our
 * strict reading (core/served_head.h) and llhttp's must agree on what the head says; llhttp, strict
 * too, finds the end of the body. A head has at most SERVED_HEAD_MAX bytes, a body max_body.
 *
 * Owns the copies that it makes; slices of the head live until the next request_reader_start().
 */
#ifndef POSTRIDER_LISTEN_REQUEST_READER_H
#define POSTRIDER_LISTEN_REQUEST_READER_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/served_head.h"

enum request_progress {
    REQUEST_HEAD,
    REQUEST_HEAD_DONE,
    REQUEST_BODY,
    REQUEST_DONE,
    REQUEST_REFUSED, /* with status and reason; no more of the connection can be read */
};

struct request_reader {
    enum request_progress progress;
    int status;         /* with REQUEST_REFUSED */
    const char *reason; /* a constant */
    llhttp_t parser;
    struct served_head head; /* from REQUEST_HEAD_DONE on */
    size_t head_length;
    bool has_skipped_line;
    bool is_parsed; /* by llhttp: its head, then its end */
    struct buffer body;
    char head_text[SERVED_HEAD_MAX];
};

void request_reader_init(struct request_reader *reader, size_t max_body);
void request_reader_free(struct request_reader *reader);

/* For the next request of the connection. */
void request_reader_start(struct request_reader *reader, size_t max_body);

/* Whether anything of the request has come. */
bool request_reader_has_begun(const struct request_reader *reader);

/* Takes what belongs to the part that it is in; returns how much that was. Only in REQUEST_HEAD and
 * REQUEST_BODY. */
size_t request_reader_take(struct request_reader *reader, const char *bytes, size_t length);

/* From REQUEST_HEAD_DONE to its body, which may be over at once. */
void request_reader_go_on(struct request_reader *reader);

#endif
