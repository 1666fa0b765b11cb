/* SPDX-License-Identifier: MIT */
/*
 * serve/keeping.h: deletes the idempotency keys that are older than retention.idempotency_keys, a
 * thousand at a time, at most five thousand a second.
 */
#ifndef POSTRIDER_SERVE_KEEPING_H
#define POSTRIDER_SERVE_KEEPING_H

#include "serve/context.h"

void keeping_init(struct serve *serve);
void keeping_free(struct serve *serve);
void keeping_step(struct serve *serve);
int64_t keeping_next_us(const struct serve *serve);

#endif
