/*
 * retry_after.h: the Retry-After header (RFC 9110, 10.2.3): delay-seconds or an HTTP-date in any of
 * its three forms (RFC 9110, 5.6.7).
 */
#ifndef POSTRIDER_CORE_RETRY_AFTER_H
#define POSTRIDER_CORE_RETRY_AFTER_H

#include <stdint.h>

/*
 * Milliseconds from now_s (seconds since the epoch) until the time that value names; 0 for a time
 * that is past, -1 when value is neither form. Surrounding blanks are allowed. Any number of digits
 * is accepted; what does not fit is INT64_MAX. The caller limits the result.
 */
int64_t retry_after_parse_ms(const char *value, int64_t now_s);

#endif
