/* SPDX-License-Identifier: MIT */
#include "core/retry.h"

#include <math.h>

static void override_delays(struct retry_policy *policy, const struct retry_overrides *own)
{
    if (own->initial_delay_ms >= 0)
        policy->initial_delay_ms = own->initial_delay_ms;
    if (own->multiplier >= 0)
        policy->multiplier = own->multiplier;
    if (own->max_delay_ms >= 0)
        policy->max_delay_ms = own->max_delay_ms;
    else if (own->initial_delay_ms > policy->max_delay_ms)
        policy->max_delay_ms = own->initial_delay_ms;
}

static void override_schedule(struct retry_policy *policy, const struct retry_overrides *own)
{
    if (own->schedule_length > 0) {
        policy->schedule_length = own->schedule_length;
        for (int i = 0; i < own->schedule_length; i++)
            policy->schedule_ms[i] = own->schedule_ms[i];
        return;
    }
    /* They mean a series, which a schedule would hide. */
    if (own->initial_delay_ms >= 0 || own->multiplier >= 0)
        policy->schedule_length = 0;
    for (int i = 0; i < policy->schedule_length; i++)
        if (own->max_delay_ms >= 0 && policy->schedule_ms[i] > own->max_delay_ms)
            policy->schedule_ms[i] = own->max_delay_ms;
}

void retry_policy_override(struct retry_policy *policy, const struct retry_overrides *own)
{
    if (own->max_attempts >= 0)
        policy->max_attempts = own->max_attempts;
    if (own->jitter >= 0)
        policy->jitter = own->jitter;
    override_delays(policy, own);
    override_schedule(policy, own);
}

/* The delay of the schedule or of the geometric series, before jitter. */
static int64_t plain_delay_ms(const struct retry_policy *policy, int attempt)
{
    double delay;

    if (policy->schedule_length > 0) {
        int last = policy->schedule_length;

        return policy->schedule_ms[(attempt < last ? attempt : last) - 1];
    }
    /* Large powers are infinite, which is above every maximum; so there is nothing to overflow. */
    delay = (double)policy->initial_delay_ms * pow(policy->multiplier, attempt - 1);
    return delay < (double)policy->max_delay_ms ? (int64_t)delay : policy->max_delay_ms;
}

int64_t retry_delay_ms(const struct retry_policy *policy, int attempt, double random01)
{
    int64_t delay_ms = plain_delay_ms(policy, attempt > 1 ? attempt : 1);
    double cut = policy->jitter * random01;

    /* Written so that a NaN takes nothing away. */
    if (delay_ms <= 0 || !(cut > 0))
        return delay_ms > 0 ? delay_ms : 0;
    return cut < 1 ? delay_ms - (int64_t)((double)delay_ms * cut) : 0;
}

bool retry_is_retryable_status(const struct retry_policy *policy, int status)
{
    if (status >= 500 && status <= 599)
        return true;
    for (int i = 0; i < policy->statuses_length; i++)
        if (policy->statuses[i] == status)
            return true;
    return false;
}
