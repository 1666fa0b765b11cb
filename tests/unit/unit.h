/* SPDX-License-Identifier: MIT */
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

#endif
