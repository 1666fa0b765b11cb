/* SPDX-License-Identifier: MIT */
/*
 * http/answer_reader.h: reading the answer to one POST, byte by byte as it comes in. Pure.
 *
 * The status line and the head's end decide (head_reader.h). Once they are there, with a final
 * status, there is an answer (has_head), whatever becomes of the body. Interim answers (1xx) are
 * skipped; 101, which nobody asked for, is refused. 204 and 304 have no body, whatever their
 * headers say. A body is never decoded, and never kept beyond the snippet.
 *
 * Where the body ends is llhttp's to say, in its strict mode: it refuses Content-Length that is
 * repeated, no number or beside Transfer-Encoding, and what is no header. A head that it refuses is
 * an answer still, but nobody knows where its body ends: of that no more is read than what has come
 * with the head, and nothing else comes over that connection. Control characters in values,
 * folded lines and lines that end in a bare LF are put up with.
 *
 * Two limits of max_bytes: one for the body, one for all else together: heads, trailers and the
 * lines of chunks. What a reader says does not depend on how the bytes were split (tests/fuzz), but
 * for the snippet behind a head that llhttp refuses.
 *
 * Sources: RFC 9112 (framing), RFC 9110 section 15 (statuses).
 */
#ifndef POSTRIDER_HTTP_ANSWER_READER_H
#define POSTRIDER_HTTP_ANSWER_READER_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/head_reader.h"

#define ANSWER_ERROR_SIZE 192

enum answer_progress {
    ANSWER_UNFINISHED, /* more must come */
    ANSWER_COMPLETE,
    ANSWER_FAULTY, /* with has_head the body, else error says what is wrong */
};

struct answer_reader {
    llhttp_t parser;
    struct buffer *snippet; /* borrowed; gets the start of the body */
    int64_t max_bytes;
    enum answer_progress progress;

    struct head_reader head; /* the one that is being read, and in the end the answer's */
    bool has_head;           /* a final status line and all that belongs to it */
    char error[ANSWER_ERROR_SIZE];

    int64_t body_bytes;
    int64_t other_bytes;
    bool is_reusable; /* when complete: the connection can take another request */

    /* For itself. */
    bool is_of_head;       /* the answer to a HEAD */
    bool is_refused;       /* llhttp has found a fault in the head */
    bool is_head_measured; /* all of the head but its last byte went through llhttp */
    bool is_head_parsed;   /* llhttp has seen the end of the head that is being read */
    bool is_unusual;       /* understood, but no connection is kept on such terms */
};

/* Ready for an answer. is_of_head: HEAD was asked, so that no body comes, whatever its head says. */
void answer_reader_start(struct answer_reader *reader, struct buffer *snippet, int64_t max_bytes,
                         bool is_of_head);

/* Reads at most length bytes; ret_used says how many were part of the answer, and ret_heads how
 * many of these, at the start, were of its heads. Not to be called when progress is final. */
enum answer_progress answer_reader_feed(struct answer_reader *reader, const char *bytes,
                                        size_t length, size_t *ret_used, size_t *ret_heads);

/* The connection has ended: a body without a length is complete with that. */
enum answer_progress answer_reader_end(struct answer_reader *reader);

#endif
