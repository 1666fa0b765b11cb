/* SPDX-License-Identifier: MIT */
/*
 * core/keep_alive.h: the Keep-Alive header of an answer, in which a receiver says for how long it
 * leaves a connection open without a request, and for how many more requests: "timeout=5, max=99".
 * Pure.
 *
 * It was never standardised (RFC 2068, section 19.7.1.1, has the name; draft-thomson-hybi-http-
 * timeout the parameters), so that whatever can be read of it counts, and all else is nothing.
 */
#ifndef POSTRIDER_CORE_KEEP_ALIVE_H
#define POSTRIDER_CORE_KEEP_ALIVE_H

#include <stdint.h>

#define KEEP_ALIVE_UNSAID (-1)
#define KEEP_ALIVE_UNKNOWN                                                \
    (struct keep_alive)                                                   \
    {                                                                     \
        .timeout_s = KEEP_ALIVE_UNSAID, .max_requests = KEEP_ALIVE_UNSAID \
    }

struct keep_alive {
    int64_t timeout_s;    /* KEEP_ALIVE_UNSAID, or 0 and more */
    int64_t max_requests; /* that may follow; the same */
};

/* Takes what value says into what is known already: of two numbers the smaller one counts. */
void keep_alive_read(struct keep_alive *known, const char *value);

#endif
