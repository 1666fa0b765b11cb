/* SPDX-License-Identifier: MIT */
/*
 * outcome.h: what an attempt means for its delivery. The one place that decides it.
 *
 *   2xx                                   delivered
 *   5xx, retry.retry_statuses, time-out,
 *   DNS, connection, TLS, broken answer   due again, or failed when the attempts are used up
 *   410                                   failed, and the endpoint is disabled
 *   3xx, other 4xx                        failed
 *   could not be sent                     failed, attempts unchanged
 *
 * A broken answer is one without a complete, valid status line and headers, or with a final status
 * outside 200 … 599. Once those have arrived the status decides, whatever happens to the body.
 * A status that retry.retry_statuses lists is tried again even if it is a 3xx or another 4xx; 410
 * can't be listed.
 *
 * When it is due again is decided here too: after the delay of the policy (core/retry.h), or after
 * what a Retry-After with a 429 or 503 asks for (core/retry_after.h reads it), whichever is longer;
 * what was asked for counts up to the policy's longest delay.
 *
 * Called by worker/sending.c for each attempt, and by "postrider send" to say what would follow.
 */
#ifndef POSTRIDER_CORE_OUTCOME_H
#define POSTRIDER_CORE_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "core/retry.h"

enum attempt_result {
    ATTEMPT_ANSWERED,   /* status is valid */
    ATTEMPT_TIMEOUT,    /* no complete answer in time */
    ATTEMPT_DNS,        /* the name could not be resolved */
    ATTEMPT_CONNECT,    /* refused, unreachable, reset before the request was sent */
    ATTEMPT_TLS,        /* handshake or certificate */
    ATTEMPT_BROKEN,     /* closed, reset or garbage instead of an answer; endless headers */
    ATTEMPT_UNSENDABLE, /* no request was made: bad URL, forbidden address, no secret, … */
};

/* last_error of a delivery that failed without a request begins with it. A worker that had lost the
 * lane may still get a 2xx for the row, and by this tells such a failure from an operator's. */
#define OUTCOME_UNSENT_MARK "not sent: "

#define ATTEMPT_RESULTS (ATTEMPT_UNSENDABLE + 1)

struct attempt {
    enum attempt_result result;
    int status;             /* with ATTEMPT_ANSWERED */
    int64_t retry_after_ms; /* -1: the answer had none that could be read */
};

enum outcome_kind { OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_FAILED };

struct outcome {
    enum outcome_kind kind;
    bool counts_attempt;    /* attempts is incremented */
    bool disables_endpoint; /* 410 Gone */
    bool is_exhausted;      /* OUTCOME_FAILED because max_attempts were made */
    int64_t delay_ms;       /* with OUTCOME_RETRY: from now, Retry-After included */
};

/*
 * attempts_before is the row's counter as it was read (any int: an operator can write nonsense;
 * below 0 counts as 0). random01 in [0, 1) is the jitter's.
 */
struct outcome outcome_decide(const struct retry_policy *policy, int attempts_before,
                              const struct attempt *attempt, double random01);

/* "timeout", "dns", … as logs and the attempt log call it. */
const char *attempt_result_name(enum attempt_result result);

#endif
