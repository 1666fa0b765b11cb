/* SPDX-License-Identifier: MIT */
/*
 * worker/loading.h: loading the settings of the endpoints that wait for them, many in one request.
 */
#ifndef POSTRIDER_WORKER_LOADING_H
#define POSTRIDER_WORKER_LOADING_H

#include "worker/context.h"

void loading_init(struct worker *worker);
void loading_free(struct worker *worker);
void loading_step(struct worker *worker);
int64_t loading_next_us(const struct worker *worker);

#endif
