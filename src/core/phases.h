/* SPDX-License-Identifier: MIT */
/*
 * core/phases.h: how long the parts of an attempt took, as webhook_attempts keeps them.
 *
 * Finding the address, connecting, TLS, and waiting for the first byte of the answer; a request on a
 * connection that was kept has the last one alone. Of an attempt that came to nothing, the last
 * phase that is there is the one in which it ended, for as long as it lasted until then: so a
 * receiver that does not answer can be told from one that can't be reached. What is left of the
 * whole is the reading of the answer.
 *
 * Pure. Called by worker/sending.c.
 */
#ifndef POSTRIDER_CORE_PHASES_H
#define POSTRIDER_CORE_PHASES_H

#include <stdbool.h>
#include <stdint.h>

#define PHASE_NONE (-1)

/* Microseconds; PHASE_NONE: there was none. */
struct phases {
    int64_t dns_us;
    int64_t connect_us;
    int64_t tls_us;
    int64_t wait_us;
};

/* Nothing was sent, or nobody knows. */
extern const struct phases phases_none;

/* When each was over, in microseconds from the beginning; 0: it was not, or was not needed. */
struct phase_ends {
    int64_t dns_us;
    int64_t connect_us;
    int64_t tls_us;
    int64_t first_byte_us;
    int64_t total_us;
    bool is_reused;    /* the connection */
    bool is_connected; /* TCP, also where nobody knows when */
    bool is_tls;
};

struct phases phases_of(const struct phase_ends *ends);

#endif
