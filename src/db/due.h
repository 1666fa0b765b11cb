/*
 * db/due.h: the statements that find and fetch pending rows.
 *
 * Three of them: the forward read of core/finder.h (rows with payloads, and what the same snapshot
 * tells of transactions), the scan of keys that rereads and sweeps make, and the fetch of single
 * rows by key. All use the index (lane, next_retry_at, id) or the primary key, and none writes. A
 * payload over the limit is measured but not fetched.
 */
#ifndef POSTRIDER_DB_DUE_H
#define POSTRIDER_DB_DUE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/finder.h"
#include "db/array.h"
#include "db/link.h"

#define DUE_FETCH_MAX FINDER_ROWS_MAX

/* One row of a result; the texts belong to the result. */
struct due_row {
    int lane;
    const char *id;
    const char *event_id;
    const char *customer_id;
    const char *url;
    const char *url_hash;
    int attempts;
    const char *next_retry_at;
    const char *payload; /* NULL: too large, or not fetched */
    int64_t payload_bytes;
};

struct due_key {
    int lane;
    const char *id;
    const char *next_retry_at;
};

/* What the statements' parameters are made in. Owned by the worker's reader. */
struct due_reader {
    struct array lanes, times, ids, until_times, until_ids;
    int64_t max_payload_bytes;
};

void due_reader_init(struct due_reader *reader, int64_t max_payload_bytes);
void due_reader_free(struct due_reader *reader);

/* Sends the plan's read; room_bytes limits the payloads of a forward read (one row always comes).
 */
bool due_send_read(struct due_reader *reader, struct db_link *link, const struct finder *finder,
                   const struct finder_plan *plan, int64_t room_bytes, db_link_answered *on_answer,
                   void *owner) MUST_USE;

/* Sends a fetch of the ids that are still pending and due; rows come in no particular order. */
bool due_send_fetch(struct due_reader *reader, struct db_link *link, const char *const *ids,
                    int count, int64_t room_bytes, db_link_answered *on_answer,
                    void *owner) MUST_USE;

/* The answer of a forward read: how many rows there are, and its snapshot, which always comes. */
int due_rows_count(const PGresult *result);
struct late_snapshot due_snapshot(const PGresult *result);

struct due_row due_row_at(const PGresult *result, int row);
struct due_key due_key_at(const PGresult *result, int row);

#endif
