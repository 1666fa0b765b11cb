/* SPDX-License-Identifier: MIT */
/*
 * worker/requiring.h: whether the database gives what a worker needs (db/requirements.h), asked
 * when the links are up, every few seconds, and at once when a statement was refused for what may
 * be that.
 *
 * While anything is unmet, or not known yet, nothing is sent (worker->may_send); what is under way
 * ends, its outcome is written when it can be, and the lanes go to others whose role may do more.
 * It is told in the log, with what to do, again with a growing pause; in this worker's row
 * (worker/own_problems.h) and to systemd. When it is mended the worker goes on by itself.
 */
#ifndef POSTRIDER_WORKER_REQUIRING_H
#define POSTRIDER_WORKER_REQUIRING_H

#include "worker/context.h"

void requiring_init(struct worker *worker);
void requiring_free(struct worker *worker);

/* A link was made or lost: nothing is known until the list was asked again. */
void requiring_restart(struct worker *worker);

/* Asks for the list when that is due. */
void requiring_step(struct worker *worker);
int64_t requiring_next_us(const struct worker *worker);

/* True when the list was asked since the links are up, and nothing is unmet. */
bool requiring_is_met(const struct worker *worker);

/* False while it is not known, or is unmet, what reading the schema's version needs. */
bool requiring_lets_read_version(const struct worker *worker);

/* False while what owning lanes needs is known to be unmet. */
bool requiring_lets_own_lanes(const struct worker *worker);

/* What is unmet, a sentence without its full stop; NULL when nothing is known to be. */
const char *requiring_problem(const struct worker *worker);
/* What to do about it; NULL likewise. */
const char *requiring_action(const struct worker *worker);

#endif
