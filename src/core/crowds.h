/*
 * core/crowds.h: how many rows the endpoints of one standing may have waiting together.
 *
 * Rows that wait for a slot take room that is read into. Ten thousand dead receivers with a row
 * each would fill it, and nothing of the others would be read. So of that room
 *
 *   the proven have what is there,
 *   those that falter and the dead a sixteenth each,
 *   the unknown what is there as well, since after a start nothing is known of anybody; but for
 *   CROWD_TIGHT_US after they were seen to stall for want of a slot they have an eighth.
 *
 * Within a crowd that is limited each endpoint may have an equal part, at least one row.
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

/* So many rows more (or less, below 0) of an endpoint that has now so many. */
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
