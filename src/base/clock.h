/* SPDX-License-Identifier: MIT */
/*
 * clock.h: the two clocks of the process.
 *
 * clock_monotonic_us() orders events and measures waits; it never jumps. The wall clock is only
 * for what leaves the process (the webhook-timestamp header, the times of spans), and for what is to be old by two
 * clocks before it is deleted (db/retention.h). Due times and leases are computed by the database,
 * so a wall clock that is set back or forward delays nothing.
 */
#ifndef POSTRIDER_BASE_CLOCK_H
#define POSTRIDER_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_us(void);
int64_t clock_wall_s(void);
int64_t clock_wall_ns(void);

#endif
