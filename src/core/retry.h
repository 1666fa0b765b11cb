/* SPDX-License-Identifier: MIT */
/*
 * retry.h: when a failed delivery is due again, by the policy alone; core/outcome.h adds what the
 * receiver asks for.
 *
 * A policy comes from the configuration, field by field overridden by the endpoint's row. Pure:
 * the random number is an argument. Source of the rules: README "What becomes of a delivery", and
 * docs/deliveries.md "Settings of one endpoint" for the row.
 *
 * Called by core/outcome.c, which decides by it; by worker/endpoint_settings.c, which lays rows over
 * the configuration; and by "explain" and "audit", which tell and check what was decided.
 */
#ifndef POSTRIDER_CORE_RETRY_H
#define POSTRIDER_CORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_ATTEMPTS_MAX 1000
#define RETRY_SCHEDULE_MAX 64
#define RETRY_STATUSES_MAX 32

struct retry_policy {
    int max_attempts;         /* 1 … RETRY_ATTEMPTS_MAX */
    int64_t initial_delay_ms; /* > 0 */
    double multiplier;        /* ≥ 1 */
    int64_t max_delay_ms;     /* ≥ initial_delay_ms; also the limit of Retry-After */
    double jitter;            /* 0 … 1: the largest part of a delay that is taken away */
    int schedule_length;      /* > 0: the n-th delay is schedule_ms[n-1], the last one repeats */
    int64_t schedule_ms[RETRY_SCHEDULE_MAX];
    int statuses_length;
    int statuses[RETRY_STATUSES_MAX]; /* HTTP statuses that are tried again, besides 5xx */
};

/* What an endpoint's row says of it; -1 and an empty schedule: nothing. */
struct retry_overrides {
    int max_attempts;
    int64_t initial_delay_ms;
    double multiplier;
    int64_t max_delay_ms;
    double jitter;
    int schedule_length;
    int64_t schedule_ms[RETRY_SCHEDULE_MAX];
};

/*
 * Lays the row over the configuration's policy. The row wins, whatever form the policy has there: a
 * first delay or a multiplier of its own put a schedule of the configuration out of force, a
 * longest delay of its own is the longest one of that schedule too, and a first delay above the
 * configuration's longest one raises that. A row with a schedule goes by it.
 */
void retry_policy_override(struct retry_policy *policy, const struct retry_overrides *own);

/*
 * The delay after the attempt-th attempt (1 is the first), without overflow for any attempt.
 * random01 is in [0, 1). A schedule's entries get jitter too, and may exceed max_delay_ms.
 */
int64_t retry_delay_ms(const struct retry_policy *policy, int attempt, double random01);

/* True for 5xx and for the policy's own statuses. */
bool retry_is_retryable_status(const struct retry_policy *policy, int status);

#endif
