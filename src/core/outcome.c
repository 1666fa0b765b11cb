/* SPDX-License-Identifier: MIT */
#include "core/outcome.h"

#include <limits.h>

#include "base/compiler.h"

static bool is_answer(const struct attempt *attempt)
{
    return attempt->result == ATTEMPT_ANSWERED && attempt->status >= 200 && attempt->status <= 599;
}

/* The retry policy's delay; a server that says when it wants to be asked again can make it longer,
 * up to max_delay (RFC 6585, 4 for 429, RFC 9110, 15.6.4 for 503). */
static int64_t next_delay_ms(const struct retry_policy *policy, int attempts,
                             const struct attempt *attempt, double random01)
{
    int64_t delay_ms = retry_delay_ms(policy, attempts, random01);
    int64_t asked_ms = attempt->retry_after_ms;

    if (!is_answer(attempt) || (attempt->status != 429 && attempt->status != 503))
        return delay_ms;
    if (asked_ms > policy->max_delay_ms)
        asked_ms = policy->max_delay_ms;
    return asked_ms > delay_ms ? asked_ms : delay_ms;
}

struct outcome outcome_decide(const struct retry_policy *policy, int attempts_before,
                              const struct attempt *attempt, double random01)
{
    struct outcome outcome = {.kind = OUTCOME_FAILED, .counts_attempt = true};
    int attempts = attempts_before < 0 ? 1 : attempts_before;

    if (attempt->result == ATTEMPT_UNSENDABLE) {
        outcome.counts_attempt = false;
        return outcome;
    }
    if (attempts_before >= 0 && attempts < INT_MAX)
        attempts++;
    if (is_answer(attempt) && attempt->status <= 299) {
        outcome.kind = OUTCOME_DELIVERED;
    } else if (is_answer(attempt) && !retry_is_retryable_status(policy, attempt->status)) {
        outcome.disables_endpoint = attempt->status == 410;
    } else if (attempts >= policy->max_attempts) {
        outcome.is_exhausted = true;
    } else {
        outcome.kind = OUTCOME_RETRY;
        outcome.delay_ms = next_delay_ms(policy, attempts, attempt, random01);
    }
    return outcome;
}

const char *attempt_result_name(enum attempt_result result)
{
    switch (result) {
    case ATTEMPT_ANSWERED:
        return "answered";
    case ATTEMPT_TIMEOUT:
        return "timeout";
    case ATTEMPT_DNS:
        return "dns";
    case ATTEMPT_CONNECT:
        return "connect";
    case ATTEMPT_TLS:
        return "tls";
    case ATTEMPT_BROKEN:
        return "broken";
    case ATTEMPT_UNSENDABLE:
        return "unsendable";
    }
    bug("no such attempt result: %d", (int)result);
}
