/* SPDX-License-Identifier: MIT */
/*
 * core/position.h: a place in the order in which rows become due, (next_retry_at, id).
 *
 * Times are texts as the worker's connection writes a timestamptz: ISO, UTC, no trailing zeros
 * ("2026-01-02 03:04:05.25+00"). For the years 1 to 9999 the order of such texts is the order of
 * the times, since "+" comes before "." and both before the digits; "-infinity" is before all of
 * them. Ids are uuids in lower case. Rows of other years are never due, or (before Christ, with the
 * trigger switched off) found by sweeps alone.
 */
#ifndef POSTRIDER_CORE_POSITION_H
#define POSTRIDER_CORE_POSITION_H

#include <stdint.h>

#define POSITION_TIME_SIZE 40

struct position {
    char time[POSITION_TIME_SIZE];
    char id[37];
};

/* Before every row. */
extern const struct position position_head;

/* Texts that are longer than any time and any uuid are a bug. */
void position_set(struct position *position, const char *time, const char *id);

/* Before every row of this time. */
void position_set_time(struct position *position, const char *time);

/* Negative, 0 or positive, as strcmp(). */
int position_compare(const struct position *a, const struct position *b);

/* Microseconds since 1970 of such a text; INT64_MIN: it is of no year from 1 to 9999. All of the
 * bytes are read, whatever they are. */
int64_t position_time_us(const char time[POSITION_TIME_SIZE]);

#endif
