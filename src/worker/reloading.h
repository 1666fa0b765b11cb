/* SPDX-License-Identifier: MIT */
/*
 * worker/reloading.h: SIGHUP: reading the configuration again.
 *
 * A configuration with mistakes is refused as a whole and every mistake is logged; the old one
 * stays. A good one replaces it at once (worker/configuring.h); requests in flight end under the
 * old one. database.url and database.schema apply from the next start; that they changed is logged.
 */
#ifndef POSTRIDER_WORKER_RELOADING_H
#define POSTRIDER_WORKER_RELOADING_H

#include "worker/context.h"

/* Reloads when a signal has asked for it. */
void reloading_step(struct worker *worker);

#endif
