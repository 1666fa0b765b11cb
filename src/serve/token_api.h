/* SPDX-License-Identifier: MIT */
/*
 * serve/token_api.h: GET /v1/token: what the token may that asks, so that a page offers no more.
 *
 * Answered from memory (serve/tokens.h). It tells nothing that who holds the token could not find
 * out by trying.
 */
#ifndef POSTRIDER_SERVE_TOKEN_API_H
#define POSTRIDER_SERVE_TOKEN_API_H

#include "serve/route.h"

route_handle token_api_show;

#endif
