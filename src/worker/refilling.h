/* SPDX-License-Identifier: MIT */
/*
 * worker/refilling.h: rows of endpoints that have a backlog are read back into their queues, and
 * queues that nothing is taken from are emptied when others need the room.
 *
 * Does what core/backlog.h decides. A refill is a read like finding.c's, of which one is
 * outstanding at a time. Refills fill the read-ahead up to three quarters; the rest is left to
 * forward reads, so that new endpoints are found while a thousand others have backlogs.
 */
#ifndef POSTRIDER_WORKER_REFILLING_H
#define POSTRIDER_WORKER_REFILLING_H

#include "worker/context.h"

void refilling_init(struct worker *worker);
void refilling_free(struct worker *worker);

/* Sends a refill of those that are hungry; false when there is none, or no room. */
bool refilling_send(struct worker *worker);

/* Empties stalled queues while slots are free and there is no room for what might fill them. */
void refilling_make_room(struct worker *worker);

int64_t refilling_next_us(const struct worker *worker);

#endif
