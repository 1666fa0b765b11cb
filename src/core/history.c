/* SPDX-License-Identifier: MIT */
#include "core/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/text.h"

const int64_t history_bounds_ms[HISTORY_BUCKETS - 1] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000,
};

size_t history_bucket(int64_t time_us)
{
    size_t bucket = 0;

    while (bucket < HISTORY_BUCKETS - 1 && time_us > history_bounds_ms[bucket] * 1000)
        bucket++;
    return bucket;
}

enum history_status history_status(int status)
{
    return status >= 200 && status < 600 ? (enum history_status)(status / 100 - 2) : HISTORY_NONE;
}

uint64_t history_attempts(const struct history_counts *counts)
{
    uint64_t number = 0;

    for (size_t i = 0; i < HISTORY_STATUSES; i++)
        number += counts->statuses[i];
    return number;
}

void history_count(struct history_counts *counts, const struct history_outcome *outcome)
{
    counts->delivered += outcome->kind == OUTCOME_DELIVERED;
    counts->retried += outcome->kind == OUTCOME_RETRY;
    counts->failed += outcome->kind == OUTCOME_FAILED;
    if (!outcome->was_sent)
        return;
    counts->statuses[history_status(outcome->status)]++;
    counts->last_status = outcome->status;
    counts->attempt_duration[history_bucket(outcome->duration_us)]++;
    if (outcome->first_delay_us >= 0)
        counts->first_attempt_delay[history_bucket(outcome->first_delay_us)]++;
}

void history_add(struct history_counts *counts, const struct history_counts *more)
{
    counts->delivered += more->delivered;
    counts->retried += more->retried;
    counts->failed += more->failed;
    if (history_attempts(more) > 0)
        counts->last_status = more->last_status;
    for (size_t i = 0; i < HISTORY_STATUSES; i++)
        counts->statuses[i] += more->statuses[i];
    for (size_t i = 0; i < HISTORY_BUCKETS; i++) {
        counts->first_attempt_delay[i] += more->first_attempt_delay[i];
        counts->attempt_duration[i] += more->attempt_duration[i];
    }
}

/* Outcomes that were not good, and attempts that were slow. */
static uint64_t trouble(const struct history_counts *counts)
{
    uint64_t number = (uint64_t)counts->retried + counts->failed;

    for (size_t i = history_bucket(HISTORY_SLOW_MS * 1000) + 1; i < HISTORY_BUCKETS; i++)
        number += counts->attempt_duration[i];
    return number;
}

bool history_has_trouble(const struct history_counts *counts)
{
    return trouble(counts) > 0;
}

uint64_t history_volume(const struct history_counts *counts)
{
    return (uint64_t)counts->delivered + counts->retried + counts->failed;
}

/* By trouble, and by volume where there is as much of it. */
static bool is_less(const struct history_counts *a, const struct history_counts *b)
{
    uint64_t of_a = trouble(a), of_b = trouble(b);

    return of_a != of_b ? of_a < of_b : history_volume(a) < history_volume(b);
}

static struct history_endpoint *find(struct history_period *period, const char *customer_id,
                                     const char *url)
{
    for (size_t i = 0; i < period->endpoints_count; i++)
        if (strcmp(period->endpoints[i].customer_id, customer_id) == 0 &&
            strcmp(period->endpoints[i].url, url) == 0)
            return &period->endpoints[i];
    return NULL;
}

/* Kept, since a worker may have a hundred thousand endpoints, of which few take a place. */
static void find_least(struct history_period *period)
{
    period->least = 0;
    for (size_t i = 1; i < period->endpoints_count; i++)
        if (is_less(&period->endpoints[i].counts, &period->endpoints[period->least].counts))
            period->least = i;
}

/* NULL: those that are there are of more interest. */
static struct history_endpoint *place_for(struct history_period *period,
                                          const struct history_counts *counts)
{
    struct history_endpoint *place;

    if (period->endpoints_count < HISTORY_ENDPOINTS)
        return &period->endpoints[period->endpoints_count++];
    period->left_out++;
    place = &period->endpoints[period->least];
    if (!is_less(&place->counts, counts))
        return NULL;
    free(place->url);
    return place;
}

void history_offer(struct history_period *period, const char *customer_id, const char *url,
                   const struct history_counts *counts)
{
    struct history_endpoint *place = find(period, customer_id, url);

    if (place != NULL) {
        history_add(&place->counts, counts);
        find_least(period);
        return;
    }
    place = place_for(period, counts);
    if (place == NULL)
        return;
    text_copy(place->customer_id, sizeof(place->customer_id), customer_id);
    place->url = memory_copy_string(url);
    place->counts = *counts;
    find_least(period);
}

void history_period_clear(struct history_period *period)
{
    for (size_t i = 0; i < period->endpoints_count; i++)
        free(period->endpoints[i].url);
    *period = (struct history_period){.left_out = 0};
}
