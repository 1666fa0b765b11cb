/* SPDX-License-Identifier: MIT */
/*
 * units.h: durations and sizes as people write them.
 *
 * Durations: 250ms 10s 5m 4h 7d, one whole number and one unit, kept in milliseconds; "0" needs no
 * unit. Sizes: 512, 64KiB, 1MiB, 2GiB, kept in bytes; kB and MB are refused, since half of the
 * readers would take them for the binary unit. Both parsers reject signs, spaces, fractions and
 * overflow, and say what is allowed. The formatters write the largest unit that is exact.
 */
#ifndef POSTRIDER_BASE_UNITS_H
#define POSTRIDER_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define UNITS_TEXT_SIZE 32

bool units_parse_duration_ms(const char *text, int64_t *ret_ms, struct error *error) MUST_USE;
bool units_parse_size_bytes(const char *text, int64_t *ret_bytes, struct error *error) MUST_USE;

/* A whole decimal number, an optional minus before it, nothing around it. */
bool units_parse_integer(const char *text, int64_t *ret_value, struct error *error) MUST_USE;

/* These write into text (UNITS_TEXT_SIZE bytes) and return it. */
const char *units_format_duration_ms(int64_t ms, char *text);
const char *units_format_size_bytes(int64_t bytes, char *text);

/* For people: about two digits and a unit ("3.4 s", "12 min", "2 d"). */
const char *units_format_about_ms(int64_t ms, char *text);

#endif
