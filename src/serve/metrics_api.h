/* SPDX-License-Identifier: MIT */
/*
 * serve/metrics_api.h: GET /metrics, /healthz and /readyz of "postrider serve" (docs/metrics.md).
 *
 * What the database tells is kept for METRICS_KEPT_US, and asked for once for all who come
 * meanwhile. The other two need no token, and no name in Host: they say what a load balancer that
 * calls us by an address has to know, and nothing else.
 */
#ifndef POSTRIDER_SERVE_METRICS_API_H
#define POSTRIDER_SERVE_METRICS_API_H

#include "serve/route.h"

#define METRICS_KEPT_US 5000000

void metrics_init(struct serve *serve);
/* After the questions: nobody waits any more. */
void metrics_free(struct serve *serve);

route_handle metrics_api_show, metrics_api_alive, metrics_api_ready;

#endif
