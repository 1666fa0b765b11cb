/* SPDX-License-Identifier: MIT */
/*
 * core/percent.h: percent-encoding of what stands in a request line (RFC 3986, sections 2.1, 3.3
 * and 3.4) or in the value of a header. Pure.
 */
#ifndef POSTRIDER_CORE_PERCENT_H
#define POSTRIDER_CORE_PERCENT_H

#include "base/buffer.h"

/*
 * Appends a path or a query, of which each byte that may not stand in one becomes %XX: those of
 * other letters than ASCII's, and "<>[\]^`{|} among others. What is encoded already stays as it is;
 * a % that begins no %XX is itself encoded.
 */
void percent_append(struct buffer *out, const char *text);

/* Appends any text as a header's value: all bytes but visible ASCII, and %, become %XX, so that two
 * texts never look alike. */
void percent_append_value(struct buffer *out, const char *text);

#endif
