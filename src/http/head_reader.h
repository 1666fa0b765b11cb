/* SPDX-License-Identifier: MIT */
/*
 * http/head_reader.h: what counts of an answer's head, read line by line as it comes in. Pure.
 *
 * Two things make an answer: a status line that is clear, and an empty line behind it. They are
 * looked for here, whatever stands between them, since a 200 that is refused means a duplicate and
 * a 410 that is refused goes on for ever. A status line is clear when it begins with "HTTP/" and
 * a version that there is (1.x, 2, 3), in letters of any case, and blanks and three digits come
 * next, and no fourth; empty lines may stand in front of it.
 * What lets no other request onto the connection is told (is_unusual): lines that end in a bare LF,
 * folded lines, NUL bytes, empty lines in front, another version than 1.0 and 1.1. What else may be
 * wrong with a head is for whoever looks for the body's end (answer_reader.h).
 *
 * Four headers are read, with their names in any case: Retry-After, Keep-Alive, X-Squid-Error, and
 * Date, the first of which counts.
 * What is read does not depend on how the bytes were split.
 *
 * Sources: RFC 9112, sections 2.2, 4 and 5; RFC 9110, section 5.3 (a header that comes twice).
 */
#ifndef POSTRIDER_HTTP_HEAD_READER_H
#define POSTRIDER_HTTP_HEAD_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/keep_alive.h"

#define HEAD_LINE_SIZE        160 /* of a line that is read are kept */
#define HEAD_ERROR_SIZE       128
#define HEAD_RETRY_AFTER_SIZE 128
#define HEAD_DATE_SIZE        64

enum head_progress {
    HEAD_UNFINISHED, /* more must come */
    HEAD_COMPLETE,
    HEAD_FAULTY, /* error says why there is no answer */
};

struct head_reader {
    enum head_progress progress;
    int status;      /* when complete: 100, 102 to 599 */
    bool is_unusual; /* understood, but no connection is kept on such terms */
    char retry_after[HEAD_RETRY_AFTER_SIZE]; /* as received, several joined by ", "; "" = none */
    char date[HEAD_DATE_SIZE];               /* as received; "" = none */
    struct keep_alive keep_alive;
    bool has_squid_error; /* the header by which Squid, a proxy, marks answers of its own */
    char error[HEAD_ERROR_SIZE];

    /* For itself. */
    bool has_status_line;
    bool keeps_line;           /* what is being read, or folded onto it, is worth a look */
    char line[HEAD_LINE_SIZE]; /* … and its start, without line ends */
    size_t kept;
    size_t line_length; /* of the line so far, without the LF */
    bool ends_in_cr;    /* the last byte so far */
};

/* Ready for a head. */
void head_reader_start(struct head_reader *reader);

/* Reads at most length bytes, up to the head's end, and returns how many. Not to be called when
 * progress is final. */
size_t head_reader_feed(struct head_reader *reader, const char *bytes, size_t length);

#endif
