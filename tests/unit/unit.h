/* unit.h: what every unit test includes; cmocka wants these four before itself. */
#ifndef POSTRIDER_TESTS_UNIT_H
#define POSTRIDER_TESTS_UNIT_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

/* Fails with the case's own words: a table has many rows, and a line number tells them not apart.
 */
#define check_case(condition, ...)                                 \
    do {                                                           \
        if (!(condition)) {                                        \
            print_error("case: " __VA_ARGS__);                     \
            print_error("\n");                                     \
            fail_msg("%s does not hold for the case", #condition); \
        }                                                          \
    } while (0)

/* A repeatable generator (xorshift64*): the seed is fixed, so a failure can be seen again. */
struct random_source {
    uint64_t state;
};

static inline uint64_t random_next(struct random_source *source)
{
    source->state ^= source->state >> 12;
    source->state ^= source->state << 25;
    source->state ^= source->state >> 27;
    return source->state * UINT64_C(2685821657736338717);
}

static inline int64_t random_below(struct random_source *source, int64_t limit)
{
    return (int64_t)(random_next(source) % (uint64_t)limit);
}

static inline double random_unit(struct random_source *source)
{
    return (double)(random_next(source) >> 11) * 0x1p-53;
}

#endif
