/* SPDX-License-Identifier: MIT */
#include "core/phases.h"

const struct phases phases_none = {PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE};

enum { DNS, CONNECT, TLS, WAIT, PHASES };

/* The last phase that was over; -1: none was. */
static int last_over(const int64_t at_us[PHASES])
{
    for (int i = PHASES - 1; i >= 0; i--)
        if (at_us[i] > 0)
            return i;
    return -1;
}

/* The phase that an attempt was in which got no further. */
static int next_of(const struct phase_ends *ends, int last)
{
    if (ends->is_reused)
        return WAIT;
    if (last < CONNECT && ends->is_connected)
        last = CONNECT;
    return last == CONNECT && !ends->is_tls ? WAIT : last + 1;
}

struct phases phases_of(const struct phase_ends *ends)
{
    const int64_t at_us[PHASES] = {
        [DNS] = ends->is_reused ? 0 : ends->dns_us,
        [CONNECT] = ends->is_reused ? 0 : ends->connect_us,
        [TLS] = ends->is_reused || !ends->is_tls ? 0 : ends->tls_us,
        [WAIT] = ends->first_byte_us,
    };
    int64_t took_us[PHASES] = {PHASE_NONE, PHASE_NONE, PHASE_NONE, PHASE_NONE};
    int last = last_over(at_us);
    int64_t before_us = 0;

    for (int i = 0; i <= last; i++)
        if (at_us[i] > 0) {
            took_us[i] = at_us[i] > before_us ? at_us[i] - before_us : 0;
            before_us += took_us[i];
        }
    if (last < WAIT)
        took_us[next_of(ends, last)] = ends->total_us > before_us ? ends->total_us - before_us : 0;
    return (struct phases){took_us[DNS], took_us[CONNECT], took_us[TLS], took_us[WAIT]};
}
