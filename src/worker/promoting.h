/* SPDX-License-Identifier: MIT */
/*
 * worker/promoting.h: keys of ordered deliveries whose next one may have been missed.
 *
 * Only the worker that owns lane 0 looks (db/promotions.h): every PROMOTING_REST_US, and every
 * PROMOTING_SOON_US for a while after it has ended an ordered delivery itself, or while there is
 * more to try. So it does every PROMOTING_REST_US with promises of workers that are no more
 * (db/promises.h). Who has ended one and not promised the next also looks for due rows at once: that
 * is due, and nobody is notified of it.
 */
#ifndef POSTRIDER_WORKER_PROMOTING_H
#define POSTRIDER_WORKER_PROMOTING_H

#include "worker/context.h"

#define PROMOTING_SOON_US  50000
#define PROMOTING_REST_US  1000000
#define PROMOTING_AFTER_US 2000000

void promoting_init(struct worker *worker);
void promoting_free(struct worker *worker);

void promoting_step(struct worker *worker);
int64_t promoting_next_us(const struct worker *worker);

#endif
