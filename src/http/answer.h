/*
 * http/answer.h: reading the answer to one request, as libcurl hands it over.
 *
 * The status line and the headers decide. Once they are complete, with a final status, there is an
 * answer, whatever becomes of the body. Interim answers (1xx) are skipped. Headers of all heads and
 * trailers together, and the body, are each read up to max_bytes; what would come after is not
 * read, and the connection is closed. A body is never decoded.
 */
#ifndef POSTRIDER_HTTP_ANSWER_H
#define POSTRIDER_HTTP_ANSWER_H

#include <curl/curl.h>
#include <stdint.h>

#include "http/engine.h"

/* Which line comes next. */
enum answer_head {
    HEAD_AT_STATUS, /* a status line: the first, or one after an interim answer */
    HEAD_IN_FIELDS,
    HEAD_COMPLETE, /* of a final answer: only trailers can follow */
};

struct answer {
    CURL *easy;
    struct http_response *response; /* that is filled */
    int64_t max_bytes;
    enum answer_head head;
    int64_t head_bytes; /* received */
    int64_t body_bytes;
};

void answer_init(struct answer *answer, CURL *easy, struct http_response *response,
                 int64_t max_bytes);

/* Ready for the next answer; easy, response and max_bytes stay. */
void answer_clear(struct answer *answer);

/* For CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION, with the answer as their data. When they
 * stop the transfer before there is an answer, response->error says why. */
size_t answer_on_header(char *line, size_t one, size_t length, void *user);
size_t answer_on_body(char *bytes, size_t one, size_t length, void *user);

#endif
