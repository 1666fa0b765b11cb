/* SPDX-License-Identifier: MIT */
/*
 * serve/page.h: the page: "/", and the files that it consists of (src/page, cmake/embed_page).
 *
 * They hold nothing but what is in the source, so they need no token. "/" is asked for each time;
 * all others have names that change with them, and are kept by browsers for good. So after an
 * upgrade nobody sees files of two versions.
 */
#ifndef POSTRIDER_SERVE_PAGE_H
#define POSTRIDER_SERVE_PAGE_H

#include "core/served_head.h"
#include "serve/route.h"

/* NULL: there is no such file, or the method is not GET; then its methods are in allowed. */
const struct route *page_route(const struct served_head *head, struct buffer *allowed);

#endif
