/*
 * http/answer_reader.h: reading the answer to one POST, byte by byte as it comes in. Pure.
 *
 * The status line and the headers decide. Once they are complete, with a final status, there is an
 * answer (has_head), whatever becomes of the body. Interim answers (1xx) are skipped; 101, which
 * nobody asked for, is refused. 204 and 304 have no body, whatever their headers say. A body is
 * never decoded, and never kept beyond the snippet.
 *
 * Grammar is llhttp's, in its strict mode: it refuses Content-Length that is repeated, no number or
 * beside Transfer-Encoding, and what is no header. A second, simple reading of the lines finds
 * where each head ends; both must agree on it. What RFC 9112 lets a client put up with is put up
 * with, since a refused 200 means a duplicate: control characters in values, folded lines, lines
 * that end in a bare LF; but after the latter two no connection is kept.
 *
 * Two limits of max_bytes: one for the body, one for all else together: heads, trailers and the
 * lines of chunks. What a reader says does not depend on how the bytes were split (tests/fuzz).
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

#define ANSWER_ERROR_SIZE       192
#define ANSWER_RETRY_AFTER_SIZE 64
#define ANSWER_NAMES            2 /* headers that are looked for */

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

    bool has_head; /* a final status line and all of its headers */
    int status;
    char retry_after[ANSWER_RETRY_AFTER_SIZE]; /* the first one as received; "" without one */
    bool has_squid_error; /* the header by which Squid, a proxy, marks answers of its own */
    char error[ANSWER_ERROR_SIZE];

    int64_t body_bytes;
    int64_t other_bytes;
    bool is_reusable; /* when complete: the connection can take another request */

    /* For itself. */
    bool has_status_line;               /* llhttp has read the head's status line */
    bool is_head_measured;              /* our reading of it has come to its end */
    bool is_head_parsed;                /* llhttp has seen the end of the head that is being read */
    bool is_unusual;                    /* understood, but no connection is kept on such terms */
    bool is_retry_after;                /* the header that is being read */
    bool has_retry_after;               /* one was complete */
    size_t names_matched[ANSWER_NAMES]; /* bytes of the header's name that agree with each */
    size_t name_length;                 /* of the header's name so far */
    size_t value_length;                /* of retry_after */
    size_t line_length;                 /* of the head's line so far, without the LF */
    bool is_first_line;                 /* of a head */
    bool ends_in_cr;                    /* the last byte of the head so far */
};

/* Ready for an answer. */
void answer_reader_start(struct answer_reader *reader, struct buffer *snippet, int64_t max_bytes);

/* Reads at most length bytes; ret_used says how many were part of the answer, and ret_heads how
 * many of these, at the start, were of its heads. Not to be called when progress is final. */
enum answer_progress answer_reader_feed(struct answer_reader *reader, const char *bytes,
                                        size_t length, size_t *ret_used, size_t *ret_heads);

/* The connection has ended: a body without a length is complete with that. */
enum answer_progress answer_reader_end(struct answer_reader *reader);

#endif
