/* SPDX-License-Identifier: MIT */
/*
 * core/outages.h: which outages of the database are worth a line in the log.
 *
 * A database that is away fails one attempt after another, and one that takes connections only to
 * lose them again is up and down for ever. So an outage is told once, and its end once; then one
 * for the same reason is told again when OUTAGES_AGAIN_US have passed, and others at most
 * OUTAGES_MAX times within that. What is told says how many were not.
 *
 * Pure: the caller says what happens, and when, and writes the line.
 */
#ifndef POSTRIDER_CORE_OUTAGES_H
#define POSTRIDER_CORE_OUTAGES_H

#include <stdbool.h>
#include <stdint.h>

#define OUTAGES_AGAIN_US    60000000
#define OUTAGES_MAX         4
#define OUTAGES_REASON_SIZE 512

struct outages {
    bool has_been_up, has_told;
    bool is_down;
    bool is_told; /* the present one, or the last one: its end is not */
    int told;     /* within OUTAGES_AGAIN_US after first_us */
    int untold;   /* since the last one that was told */
    int64_t first_us;
    int64_t last_us;
    char reason[OUTAGES_REASON_SIZE]; /* of the last one that was told */
};

/* It was lost, or could not be reached. True when that is to be told; *ret_untold: outages before
 * it that were not. */
bool outages_note_down(struct outages *outages, const char *reason, int64_t now_us,
                       int *ret_untold);

/* It is there. True when that is to be told, as it is for the first time. */
bool outages_note_up(struct outages *outages);

#endif
