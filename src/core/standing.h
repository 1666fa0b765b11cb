/* SPDX-License-Identifier: MIT */
/*
 * core/standing.h: what an endpoint has shown of itself, and what those of one standing may have
 * together. The one page of isolation policy.
 *
 *   proven     it has answered, and has not failed FALTERING_FAILURES times in a row since
 *   unknown    it has neither answered nor failed yet
 *   faltering  it has answered before, and has failed so many times in a row
 *   dead       it has never answered and has failed, or a breaker keeps it from being asked, or it
 *              is stopped
 *
 * core/scheduler.h says which of them an endpoint is, and reports when that changes. What is shared
 * out by it stands in one table:
 *
 *   slots    requests in flight (core/scheduler.h). The proven may have every one; whatever the
 *            others do, a quarter of them is left for the proven.
 *   rows     that wait in queues for a slot (core/crowds.h). Ten thousand dead receivers with a row
 *            each would fill the room that is read into. The unknown have what is there, since
 *            after a start nothing is known of anybody, but less while they stall for a slot.
 *   refills  of queues whose rows are in the database (core/backlog.h): whose turn it is.
 *
 * Pure.
 */
#ifndef POSTRIDER_CORE_STANDING_H
#define POSTRIDER_CORE_STANDING_H

#include <stdbool.h>

enum standing { STANDING_PROVEN, STANDING_UNKNOWN, STANDING_FALTERING, STANDING_DEAD };

#define STANDINGS (STANDING_DEAD + 1)

/* So few slots can't be divided: the unknown may have all of them. */
#define STANDING_FEW 8

struct standing_policy {
    int slot_parts;      /* they have one of so many parts of the slots */
    int row_parts;       /* ... of the rows that are read ahead; 0: what is there */
    int tight_row_parts; /* ... while they stall for want of a slot */
    int refill_turns;    /* of STANDING_TURNS, where several standings could have them */
    bool waits_for_time; /* each for its own: in a full crowd the others of it take their turn */
};

#define STANDING_TURNS 16

extern const struct standing_policy standing_policies[STANDINGS];

/* How many slots of so many; at least one. */
int standing_slots(enum standing standing, int slots);

/* How many rows of so many; INT32_MAX: what is there. At least one. */
int standing_rows(enum standing standing, int rows, bool is_tight);

#endif
