/* SPDX-License-Identifier: MIT */
/*
 * retry_after.h: the Retry-After header (RFC 9110, 10.2.3): delay-seconds or an HTTP-date in any of
 * its three forms (RFC 9110, 5.6.7); and what receivers make of them: seconds with a fraction,
 * dates with another zone than "GMT" ("UTC", "Z", "+0100"), without the day of the week, or as RFC
 * 3339 has them.
 */
#ifndef POSTRIDER_CORE_RETRY_AFTER_H
#define POSTRIDER_CORE_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * Milliseconds from now_s (seconds since the epoch) until the time that value names; 0 for a time
 * that is past, -1 when value is nothing of the kind. Blanks around it are allowed. Of several,
 * with commas between them, the largest that can be read counts: so is a header that came twice
 * put together (RFC 9110, 5.3). Any number of digits is accepted; what does not fit is INT64_MAX.
 * The caller limits the result.
 */
int64_t retry_after_parse_ms(const char *value, int64_t now_s);

/* The seconds since the epoch of a date alone, in the same forms, as a Date header has it. False
 * when it is none. */
bool retry_after_parse_date(const char *value, int64_t now_s, int64_t *ret_s) MUST_USE;

#endif
