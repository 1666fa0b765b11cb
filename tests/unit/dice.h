/* SPDX-License-Identifier: MIT */
/*
 * dice.h: the random numbers of all tests in C: splitmix64, the same for the same seed on every
 * machine, so that a failure can be seen again. One struct dice for each thing that should not
 * disturb the others' numbers.
 */
#ifndef POSTRIDER_TESTS_DICE_H
#define POSTRIDER_TESTS_DICE_H

#include <math.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 ≤ result < limit. */
static inline int64_t dice_below(struct dice *dice, int64_t limit)
{
    return (int64_t)(dice_next(dice) % (uint64_t)limit);
}

/* 0 ≤ result < 1. */
static inline double dice_fraction(struct dice *dice)
{
    return (double)(dice_next(dice) >> 11) * 0x1.0p-53;
}

/* low ≤ result ≤ high. */
static inline int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
    return low + (int64_t)(dice_next(dice) % (uint64_t)(high - low + 1));
}

/* Exponentially distributed. */
static inline double dice_exponential(struct dice *dice, double mean)
{
    return -mean * log1p(-dice_fraction(dice));
}

#endif
