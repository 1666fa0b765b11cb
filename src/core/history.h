/* SPDX-License-Identifier: MIT */
/*
 * core/history.h: what charts are made of: outcomes and times of a minute, as counts.
 *
 * Times are counted in buckets, never as percentiles, so that those of several workers and minutes
 * can be added up. A period has the counts of all endpoints, and of some of them their own beside
 * it: of those with trouble (retried, failed, or slow), and where there are fewer than
 * HISTORY_ENDPOINTS of them, of the busiest others. How many were left out is counted too, so that
 * who reads it knows whether an endpoint without a row has had no attempts.
 *
 * Pure: worker/counting.c counts, worker/charting.c writes it down.
 */
#ifndef POSTRIDER_CORE_HISTORY_H
#define POSTRIDER_CORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outcome.h"

#define HISTORY_BUCKETS   16 /* the last one has no upper bound */
#define HISTORY_ENDPOINTS 16
#define HISTORY_SLOW_MS   INT64_C(5000) /* an attempt that took longer is trouble */

/* Upper bounds in milliseconds, inclusive, of all buckets but the last one. */
extern const int64_t history_bounds_ms[HISTORY_BUCKETS - 1];

/* The first bucket whose bound is not exceeded; a negative time counts as 0. */
size_t history_bucket(int64_t time_us);

enum history_status {
    HISTORY_2XX,
    HISTORY_3XX,
    HISTORY_4XX,
    HISTORY_5XX,
    HISTORY_NONE, /* no answer, or one of another class */
    HISTORY_STATUSES,
};

enum history_status history_status(int status);

/* What became of a delivery. */
struct history_outcome {
    enum outcome_kind kind;
    bool was_sent;          /* there was a request: the rest says how it went */
    int status;             /* 0: no answer */
    int64_t duration_us;    /* of the attempt */
    int64_t first_delay_us; /* from due to the first request; -1: it was not the first, or nobody
                               knows */
};

struct history_counts {
    uint32_t delivered, retried, failed;
    uint32_t statuses[HISTORY_STATUSES];
    uint32_t first_attempt_delay[HISTORY_BUCKETS];
    uint32_t attempt_duration[HISTORY_BUCKETS];
    int last_status; /* of the newest attempt, 0: no answer; says nothing where there was none */
};

uint64_t history_attempts(const struct history_counts *counts);
void history_count(struct history_counts *counts, const struct history_outcome *outcome);
/* What is added is newer. */
void history_add(struct history_counts *counts, const struct history_counts *more);

bool history_has_trouble(const struct history_counts *counts);
/* Outcomes. */
uint64_t history_volume(const struct history_counts *counts);

struct history_endpoint {
    char customer_id[37];
    char *url; /* owned */
    struct history_counts counts;
};

/* What a worker keeps of a minute or so. */
struct history_period {
    struct history_counts all;
    struct history_endpoint endpoints[HISTORY_ENDPOINTS];
    size_t endpoints_count;
    uint64_t left_out; /* endpoints that had outcomes, but got no place */
    size_t least;      /* when all places are taken: of the least interest */
};

/*
 * An endpoint's counts of the period. It takes the place of one that is of less interest when there
 * is none: without trouble, or with less of it. May be called twice for one endpoint that was
 * forgotten meanwhile, whose counts are added up.
 */
void history_offer(struct history_period *period, const char *customer_id, const char *url,
                   const struct history_counts *counts);

void history_period_clear(struct history_period *period);

#endif
