/* SPDX-License-Identifier: MIT */
/*
 * core/lane.h: into how many parts the work is divided.
 *
 * A delivery's lane is a hash of its URL's host and port, which db/fragments.h: SQL_LANE computes,
 * and so does the index of migrations/0001_deliveries.sql. So the number is a property of every
 * table that there is, and no option. Sets of lanes are bits of a uint64_t, in C as in SQL.
 */
#ifndef POSTRIDER_CORE_LANE_H
#define POSTRIDER_CORE_LANE_H

#include <stdint.h>

#define LANE_COUNT     64
#define LANE_BIT(lane) (UINT64_C(1) << (lane))

_Static_assert(LANE_COUNT <= 64, "a set of lanes has a bit for each");

#endif
