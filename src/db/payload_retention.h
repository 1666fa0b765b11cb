/* SPDX-License-Identifier: MIT */
/*
 * db/payload_retention.h: retention.payload: erasing what has ended long enough ago, in small
 * batches. The rows stay (db/erasure.h says what is erased); the database's own function
 * webhook_payloads_expire() (0026_erasure.sql) has the last word on what has ended.
 *
 * No index has the deliveries that have ended, and one would cost every outcome. So a pass goes
 * through the table as it lies on the disk, a part at a time, and each batch goes on where the one
 * before has ended. An event is erased with the last of its deliveries. Those of which none is
 * there are found by a pass through the events, in the order of their creation: through all of them
 * once, and later through those that have come of age since.
 */
#ifndef POSTRIDER_DB_PAYLOAD_RETENTION_H
#define POSTRIDER_DB_PAYLOAD_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/table_pass.h"
#include "db/retention.h"

/* Where a pass through the deliveries is; all zero: nothing is known of the table. */
struct payload_place {
    struct table_pass pass;
    bool has_ranges; /* the server can read a range of blocks (PostgreSQL 14) */
};

/* Erases at most RETENTION_BATCH_ROWS deliveries that have ended longer ago than age_ms, by both
 * clocks (retention_send()), of the part of the table that begins at the place. */
bool payload_retention_send(struct db_link *link, const char *schema, int64_t age_ms,
                            int64_t clock_s, const struct payload_place *place,
                            db_link_answered *on_answer, void *owner) MUST_USE;

/* Adds up what a DB_ANSWERED answer says, and moves the place; true until the pass is over. The first
 * one begins at start (from 0 to 1) of the table. */
bool payload_retention_count(const struct db_answer *answer, double start,
                             struct retention_counts *counts, struct payload_place *place);

/* The same for events without deliveries, behind the place. Of those that came of age more than
 * window_ms ago nothing is looked at; 0: of all. */
bool payload_retention_send_events(struct db_link *link, const char *schema, int64_t age_ms,
                                   int64_t clock_s, int64_t window_ms,
                                   const struct retention_place *place, db_link_answered *on_answer,
                                   void *owner) MUST_USE;
bool payload_retention_count_events(const struct db_answer *answer, struct retention_counts *counts,
                                    struct retention_place *place);

#endif
