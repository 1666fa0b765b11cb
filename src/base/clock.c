/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "base/compiler.h"

int64_t clock_monotonic_us(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        bug("CLOCK_MONOTONIC is not available");
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        bug("CLOCK_REALTIME is not available");
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_wall_s(void)
{
    return (int64_t)time(NULL);
}
