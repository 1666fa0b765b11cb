/* SPDX-License-Identifier: MIT */
/*
 * base/random.h: random numbers for what must not happen to all at the same time. For keys see
 * the callers of arc4random_buf().
 */
#ifndef POSTRIDER_BASE_RANDOM_H
#define POSTRIDER_BASE_RANDOM_H

/* From 0 to just below 1, all alike. */
double random01(void);

#endif
