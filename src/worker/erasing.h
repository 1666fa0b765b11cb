/* SPDX-License-Identifier: MIT */
/*
 * worker/erasing.h: what was read before it was erased is not sent.
 *
 * A delivery may wait in memory for long, with its payload: its endpoint fails, or is slow. So every
 * ERASING_LOOK_US it is asked whether something was erased meanwhile, and if so which of those that
 * wait; they are dropped, and read again as they are now. Between an erasure and that no more than
 * this and an answer of the database pass; what is in flight by then ends as it does. Rows that are
 * read later are known to be erased (db/due.h).
 */
#ifndef POSTRIDER_WORKER_ERASING_H
#define POSTRIDER_WORKER_ERASING_H

#include "worker/context.h"

#define ERASING_LOOK_US 2000000

void erasing_init(struct worker *worker);
void erasing_free(struct worker *worker);
void erasing_step(struct worker *worker);
int64_t erasing_next_us(const struct worker *worker);

#endif
