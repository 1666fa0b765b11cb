/* SPDX-License-Identifier: MIT */
#include "db/workers.h"

#include "base/compiler.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

/* Those that are alive first, each in the order of their start. */
const char workers_sql[] =
    "SELECT COALESCE(w.owner, l.owner), w.host, w.pid, w.version, w.is_leaving,"
    " COALESCE(l.lanes, 0), " SQL_MS_UNTIL("COALESCE(w.lease_expires_at, l.lease_expires_at)") ","
    SQL_MS_SINCE("w.started_at") ", " SQL_MS_SINCE("w.seen_at") ", w.in_flight, w.waiting,"
    " w.unwritten, w.delivered, w.retried, w.failed, w.rate, w.problems"
    " FROM webhook_workers w FULL JOIN (SELECT owner, count(*) AS lanes, min(lease_expires_at)"
    " AS lease_expires_at FROM webhook_lanes WHERE owner IS NOT NULL GROUP BY owner) l USING (owner)"
    " ORDER BY COALESCE(w.lease_expires_at, l.lease_expires_at) < now(), w.started_at, 1"
    " LIMIT " TEXT_OF(WORKERS_MAX);

/* One probe of the lane index for each lane. */
const char workers_lanes_sql[] =
    "SELECT lane, owner, owner IS NULL OR lease_expires_at IS NULL OR lease_expires_at <= now(),"
    SQL_MS_SINCE("due_at")
    " FROM (SELECT *, (SELECT next_retry_at FROM webhook_deliveries WHERE status = 'pending'"
    " AND " SQL_LANE("webhook_url") " = lane AND next_retry_at <= now()"
    " AND (customer_id, " SQL_ENDPOINT_HASH("webhook_url") ") NOT IN (SELECT customer_id, "
    SQL_ENDPOINT_HASH("url") " FROM webhook_endpoints WHERE paused_at IS NOT NULL)"
    " ORDER BY next_retry_at, id LIMIT 1) AS due_at FROM webhook_lanes) l ORDER BY lane";

/* clang-format on */

struct worker_record worker_record_at(const PGresult *result, int row)
{
    return (struct worker_record){
        .owner = row_text(result, row, 0),
        .host = row_text(result, row, 1),
        .pid = row_integer(result, row, 2, 0),
        .version = row_text(result, row, 3),
        .is_leaving = row_is_true(result, row, 4),
        .lanes = row_integer(result, row, 5, 0),
        .lease_ms = row_integer(result, row, 6, -DB_FOREVER_MS),
        .up_ms = row_integer(result, row, 7, -1),
        .seen_ms = row_integer(result, row, 8, -1),
        .in_flight = row_integer(result, row, 9, -1),
        .waiting = row_integer(result, row, 10, -1),
        .unwritten = row_integer(result, row, 11, -1),
        .delivered = row_integer(result, row, 12, -1),
        .retried = row_integer(result, row, 13, -1),
        .failed = row_integer(result, row, 14, -1),
        .rate = row_number(result, row, 15, -1),
        .problems = row_text(result, row, 16),
        .oldest_due_ms = -1,
    };
}

struct lane_record lane_record_at(const PGresult *result, int row)
{
    return (struct lane_record){
        .lane = row_integer(result, row, 0, 0),
        .owner = row_text(result, row, 1),
        .is_free = row_is_true(result, row, 2),
        .due_ms = row_integer(result, row, 3, -1),
    };
}
