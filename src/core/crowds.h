/* SPDX-License-Identifier: MIT */
/*
 * core/crowds.h: the rows that the endpoints of one standing have waiting together, against what
 * core/standing.h gives them: for CROWD_TIGHT_US after the unknown were seen to stall for want of a
 * slot, what it gives while they do. Within a crowd that is limited each endpoint may have an equal
 * part, at least one row.
 *
 * Pure. The caller counts rows in and out.
 */
#ifndef POSTRIDER_CORE_CROWDS_H
#define POSTRIDER_CORE_CROWDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/standing.h"

#define CROWD_TIGHT_US 30000000

struct crowd {
    int rows;
    int members; /* endpoints with rows */
};

struct crowds {
    int rows_ahead; /* that all may have together */
    int64_t tight_until_us;
    struct crowd of[STANDINGS];
};

/* An endpoint has so many rows more (below 0: less); rows: how many it has now. */
void crowds_count(struct crowds *crowds, enum standing standing, int change, int rows);

/* The unknown have stalled. */
void crowds_tighten(struct crowds *crowds, int64_t now_us);

/* How many more rows an endpoint may have that has so many; INT32_MAX: no limit of ours. */
int crowds_room(const struct crowds *crowds, enum standing standing, int rows, int64_t now_us);

/* An endpoint without rows may have one. */
bool crowds_has_room(const struct crowds *crowds, enum standing standing, int64_t now_us);

/*
 * Rows that don't move are to make room. The dead and those that falter wait for times of their
 * own, so that in a full crowd others take their turn; the unknown wait for slots, which none of
 * them would get sooner.
 */
bool crowds_is_excessive(const struct crowds *crowds, enum standing standing, int64_t now_us);

#endif
