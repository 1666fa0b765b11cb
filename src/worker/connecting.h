/* SPDX-License-Identifier: MIT */
/*
 * worker/connecting.h: the worker's two connections to the database, and the check that its schema
 * is the one that this binary was made for.
 *
 * A database that is away is waited for, at the start and later, and said so once for each outage
 * that is news (core/outages.h).
 * While either connection is down nothing new is sent, and the rows that wait here are dropped:
 * they may have changed when it is back.
 */
#ifndef POSTRIDER_WORKER_CONNECTING_H
#define POSTRIDER_WORKER_CONNECTING_H

#include "worker/context.h"

void connecting_init(struct worker *worker);
void connecting_free(struct worker *worker);

/* Database answers, and the news that a connection is up or down. */
void connecting_collect(struct worker *worker);

/* Asks for the schema's version after a connection was made, when no requirement is unmet that it
 * needs (worker/requiring.h); after a refusal with a pause that grows. */
void connecting_step(struct worker *worker);
int64_t connecting_next_us(const struct worker *worker);

/* Why the database is away; NULL when it is there. */
const char *connecting_outage(const struct worker *worker);

#endif
