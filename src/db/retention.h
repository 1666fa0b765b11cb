/* SPDX-License-Identifier: MIT */
/*
 * db/retention.h: deleting what has been kept long enough, in small batches.
 */
#ifndef POSTRIDER_DB_RETENTION_H
#define POSTRIDER_DB_RETENTION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/link.h"

#define RETENTION_BATCH_ROWS 1000

/*
 * Deletes at most RETENTION_BATCH_ROWS delivered rows, failed rows and attempts each that are older
 * than the given ages; 0 keeps them for ever. The attempt log is kept as long as the longer of the
 * two. Old is what is so by the database's clock and by the caller's (clock_s, since 1970), so that
 * one of them that is far ahead deletes nothing. Rows that were here before Postrider stay, until
 * somebody has agreed (db/adoption.h).
 */
bool retention_send(struct db_link *link, const char *schema, int64_t delivered_ms,
                    int64_t failed_ms, int64_t clock_s, db_link_answered *on_answer,
                    void *owner) MUST_USE;

/*
 * The same for rows of webhook_endpoints that a worker made, when none has noted anything in them
 * for ENDPOINT_ROW_KEEP_DAYS (db/disabling_notes.h): at most RETENTION_BATCH_ROWS, of which those
 * that have a pending delivery are kept for as long again.
 */
bool retention_send_endpoints(struct db_link *link, const char *schema, db_link_answered *on_answer,
                              void *owner) MUST_USE;

/* Where the last batch of events ended; all zero: at the oldest. */
struct retention_place {
    char created_at[64];
    char id[40];
};

/*
 * Deletes events that are older than events_ms and have no delivery left, of the next
 * RETENTION_BATCH_ROWS behind place: old ones that are kept for a dead letter are not read again and
 * again. A delivery that is made at that moment is seen by webhook_events_expire() (0017), and an event
 * that somebody has locked is left for the next pass.
 */
bool retention_send_events(struct db_link *link, const char *schema, int64_t events_ms,
                           int64_t clock_s, const struct retention_place *place,
                           db_link_answered *on_answer, void *owner) MUST_USE;

/* Rows that were deleted, and those that are there without their payload (db/payload_retention.h). */
struct retention_counts {
    int64_t delivered, failed, attempts, endpoints, events;
    int64_t emptied, emptied_events;
};

/* Adds them up, and says where the next batch begins; true when there is one. */
bool retention_count_events(const struct db_answer *answer, struct retention_counts *counts,
                            struct retention_place *place);

/* These add what a DB_ANSWERED answer says. */
void retention_count_deliveries(const struct db_answer *answer, struct retention_counts *counts);
void retention_count_endpoints(const struct db_answer *answer, struct retention_counts *counts);

/* True when one of the batches was full, so that there is probably more. */
bool retention_has_more(const struct db_answer *answer);

#endif
