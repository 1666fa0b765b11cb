/* SPDX-License-Identifier: MIT */
/*
 * db/fragments.h: pieces of SQL that several statements share.
 *
 * Times leave the database as text in UTC, or as milliseconds from its own now(), so no other
 * clock and no DateStyle or TimeZone of the server comes in. An infinite time, which an operator
 * may set to park a row, becomes DB_FOREVER_MS.
 */
#ifndef POSTRIDER_DB_FRAGMENTS_H
#define POSTRIDER_DB_FRAGMENTS_H

#include "core/lane.h"

#define DB_FOREVER_MS INT64_C(9000000000000000)

/* "2031-05-17T12:03:04.123Z", or "infinity". */
#define SQL_UTC(time)                                  \
    "CASE WHEN isfinite(" time ") THEN to_char((" time \
    ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') ELSE (" time ")::text END"

/* As SQL_UTC, exact, and fit to be read back as timestamptz. */
#define SQL_UTC_EXACT(time)                            \
    "CASE WHEN isfinite(" time ") THEN to_char((" time \
    ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') ELSE (" time ")::text END"

/* Milliseconds from now() to time; negative when it is past. (LEAST alone would swallow NULL.) */
#define SQL_MS_UNTIL(time)                                                               \
    "CASE WHEN " time " IS NOT NULL THEN LEAST(GREATEST(round((extract(epoch FROM " time \
    ") - extract(epoch FROM now())) * 1000), -9e15), 9e15)::bigint END"

#define SQL_MS_SINCE(time) "(-" SQL_MS_UNTIL(time) ")"

/* Milliseconds of an interval. */
#define SQL_MS(interval) "round(extract(epoch FROM " interval ") * 1000)::bigint"

/* These repeat the expressions of the indexes in migrations/ letter by letter. */
#define SQL_LAST_LANE          "63"
#define SQL_LANE(url)          "(hashtext(lower(split_part(" url ", '/', 3))) & " SQL_LAST_LANE ")"
#define SQL_ENDPOINT_HASH(url) "hashtextextended(" url ", 0)"

_Static_assert(LANE_COUNT == 64, "SQL_LAST_LANE is the last one, and the hash is cut with it");

/* The same of webhook_ordering_bucket(), which would cost more to call than to compute. */
#define SQL_ORDERING_BUCKET(customer, key) "(hashtext(" customer "::text || ':' || " key ") & 1023)"

/*
 * A condition for rows that are found by something else, such as their ids. A condition that implies
 * the one of a partial index lets the planner read that index through for each of them, which seems
 * to cost nothing where the statistics are of a time when the index was empty: as the one of what is
 * pending is most of the time. It does not see that this implies anything.
 */
#define SQL_CHECKED(condition) "(" condition ") >= true"

/*
 * The row of that id, for one row of a batch. An equality may be joined from either end, and a table
 * that the statistics take for all but empty (of which most was removed before they were gathered)
 * would be read through for each batch. This can only be looked up by the index; costs 0.2 us.
 */
#define SQL_HAS_ID(id, other) id " = ANY (ARRAY[" other "])"

/* When a delivery is due whose turn it is (docs/internals/ordering.md). */
#define SQL_TIME_OF_TURN(row)                                                          \
    "greatest(clock_timestamp(), (SELECT e.deliver_after FROM webhook_events e WHERE " \
    "e.id = " row ".event_id))"

/*
 * A dead letter's time: when it was given up. What failed before there was a column for that has
 * the time of its last attempt, or of its insertion when it was never sent.
 */
#define SQL_FAILED_AT "COALESCE(given_up_at, last_attempt_at, created_at)"

/* When a delivery was finished, of either kind. One that was given up once may be delivered since.
 */
#define SQL_FINISHED_AT \
    "COALESCE(CASE WHEN status = 'failed' THEN given_up_at END, last_attempt_at, created_at)"

#endif
