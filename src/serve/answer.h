/* SPDX-License-Identifier: MIT */
/*
 * serve/answer.h: what is answered to a request, and how it stands on the wire.
 *
 * Errors are application/problem+json (RFC 9457) without a type of their own: the status is what
 * programs read, and detail is for people. No answer has headers for other origins (CORS). None is
 * to be stored, but those with an ETag, by their client alone, who asks each time whether it is
 * still the same, and files of the page whose names change with them. Each says which page is served
 * (Postrider-Page), so that one that is open notices an upgrade.
 */
#ifndef POSTRIDER_SERVE_ANSWER_H
#define POSTRIDER_SERVE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct answer {
    int status;
    const char *headers; /* whole lines with CR LF, "" = no more than the usual ones */
    const char *body;    /* JSON, a text; or of a type */
    bool is_problem;
    const char *etag; /* with its quotes; NULL: none */
    const char *type; /* of a body of any bytes; NULL: it is JSON */
    size_t length;    /* of a body with a type */
    bool is_forever;  /* its path never has another body */
};

/* Appends the head and the body. is_last: the connection ends behind it; is_head_only: nobody wants
 * the body. */
void answer_append(const struct answer *answer, bool is_last, bool is_head_only, int64_t wall_s,
                   struct buffer *out);

/* The body of a problem; the caller frees it. detail may be any bytes. */
char *answer_problem(int status, const char *detail);

#endif
