/* SPDX-License-Identifier: MIT */
/*
 * serve/feed_api.h: the feed of an endpoint, from which a receiver that can't be reached fetches its
 * events, and the sums by which it finds that one is missing (docs/feed.md).
 */
#ifndef POSTRIDER_SERVE_FEED_API_H
#define POSTRIDER_SERVE_FEED_API_H

#include "serve/route.h"

void feed_api_ask(struct call *call);

#endif
