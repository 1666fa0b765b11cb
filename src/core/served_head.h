/* SPDX-License-Identifier: MIT */
/*
 * core/served_head.h: the head of a request that a client has sent, read strictly.
 *
 * What two readers could take for two different requests is refused, for a proxy may be the other
 * reader (RFC 9112, RFC 9110): lines that do not end in CR LF, a line that goes on in the next one
 * (obs-fold), a blank before a colon, control characters, a second Content-Length or Host, a length
 * beside Transfer-Encoding, encodings other than chunked. Also refused: anything but a path as the
 * target, since this is nobody's proxy.
 *
 * Pure. Slices point into the text that was given.
 */
#ifndef POSTRIDER_CORE_SERVED_HEAD_H
#define POSTRIDER_CORE_SERVED_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define SERVED_HEAD_MAX    8192
#define SERVED_HEADERS_MAX 64

struct slice {
    const char *at; /* NULL: it is not there */
    size_t length;
};

struct served_header {
    struct slice name, value; /* the value without the blanks around it */
};

struct served_head {
    struct slice method, path, query; /* the query without its question mark */
    bool is_http10;
    bool is_chunked;
    int64_t content_length; /* -1: none is given */
    size_t headers_count;
    struct served_header headers[SERVED_HEADERS_MAX];
};

/* How much of a head is there. */
enum served_end {
    SERVED_UNFINISHED,
    SERVED_FINISHED,
    SERVED_BARE, /* a line ends without CR */
};

/*
 * Looks for the head's end in what has come; the first `from` bytes were looked at before.
 * *ret_length: with SERVED_FINISHED, its last line and CR LF included.
 */
enum served_end served_head_find_end(const char *text, size_t length, size_t from,
                                     size_t *ret_length);

/*
 * Reads a head that is finished. 0, or the status to refuse it with, and why in *ret_reason (a
 * constant: a sentence without its full stop).
 */
int served_head_read(const char *text, size_t length, struct served_head *ret_head,
                     const char **ret_reason) MUST_USE;

/*
 * The value of a header. False when it is there more than once; a header that is not there has a
 * slice with NULL. name in lower case.
 */
bool served_head_find(const struct served_head *head, const char *name,
                      struct slice *ret_value) MUST_USE;

/* Whether a header that is a list has this word, in any case. word in lower case. */
bool served_head_has_word(const struct served_head *head, const char *name, const char *word);

bool slice_is(struct slice slice, const char *text);

/* In any case of ASCII's letters. */
bool slice_is_caseless(struct slice slice, const char *text);

#endif
