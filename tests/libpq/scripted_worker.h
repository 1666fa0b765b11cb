/* SPDX-License-Identifier: MIT */
/*
 * scripted_worker.h: as much of a worker as writes outcomes and owns lanes, on a scripted libpq.
 *
 * Its clock is the test's: when nothing happens for some turns it jumps to the time for which the
 * worker waits. Both of its links are one. The log is counted, not written.
 */
#ifndef POSTRIDER_TESTS_SCRIPTED_WORKER_H
#define POSTRIDER_TESTS_SCRIPTED_WORKER_H

#include "every_place.h"
#include "worker/context.h"

#define SCRIPTED_START_US INT64_C(1000000000)

extern struct worker worker;

void scripted_worker_begin(struct config *config, const struct exchange_script *script,
                           const struct pq_server *server);
void scripted_worker_end(const struct exchange_script *script);

/* What arrived, up to the answers; the caller takes its steps afterwards. */
void scripted_worker_turn(void);

/* At the end of a turn: when nothing happens, time passes until next_us at most, the link connects
 * again, or an answer is not waited for any longer. */
void scripted_worker_pass_time(int64_t next_us);

/* Lines that were logged at a level since the beginning. */
int scripted_worker_logged(const char *message);

#endif
