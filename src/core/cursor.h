/* SPDX-License-Identifier: MIT */
/*
 * core/cursor.h: the place in a list where a page has ended, as clients carry it: base64url of
 * "TIME ID". db/queries.h writes it; it is opaque to clients, but no secret, and one that somebody
 * has made up is a place in the list like any other.
 */
#ifndef POSTRIDER_CORE_CURSOR_H
#define POSTRIDER_CORE_CURSOR_H

#include <stdbool.h>

#include "base/compiler.h"

#define CURSOR_TIME_SIZE 40

struct cursor {
    char time[CURSOR_TIME_SIZE]; /* RFC 3339, or infinity or -infinity */
    char id[37];
};

/* False: it is none. */
bool cursor_read(const char *text, struct cursor *ret_cursor) MUST_USE;

/* A place in a feed: base64url of "EPOCH TRANSACTION ID". */
struct feed_cursor {
    char epoch[17];          /* 16 hexadecimal digits; of another installation, it is no place */
    char transaction_id[21]; /* up to 2^64 - 1 */
    char id[37];
};

/* False: it is none. */
bool cursor_read_feed(const char *text, struct feed_cursor *ret_cursor) MUST_USE;

#endif
