/* SPDX-License-Identifier: MIT */
/*
 * serve/history_api.h: GET /v1/history and GET /v1/endpoints/ID/history: what charts are made of.
 */
#ifndef POSTRIDER_SERVE_HISTORY_API_H
#define POSTRIDER_SERVE_HISTORY_API_H

#include "serve/route.h"

/* Of all endpoints. */
route_handle history_api_ask;

/* Of one, as far as workers have kept it apart (core/history.h). */
route_handle history_api_ask_endpoint;

#endif
