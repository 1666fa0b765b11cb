/* SPDX-License-Identifier: MIT */
/*
 * db/event_columns.h: pieces of SQL that the statements on events share (db/events.h,
 * db/event_trace.h), and the order of columns that event_list_of() reads.
 */
#ifndef POSTRIDER_DB_EVENT_COLUMNS_H
#define POSTRIDER_DB_EVENT_COLUMNS_H

#include "db/fragments.h"

/* clang-format off */

/* Of webhook_events n, with SQL_EVENT_COUNTS(max) behind it in FROM. body: the size of the body. */
#define SQL_EVENT_COLUMNS(body, max)                                                               \
    "n.id, n.customer_id, n.event_type, " SQL_UTC("n.created_at") ", "                             \
    SQL_MS_SINCE("n.created_at") ", n.idempotency_key, n.correlation_id, n.causation_id,"          \
    " n.traceparent, " SQL_UTC("n.deliver_after") ", " SQL_UTC("n.erased_at") ", "                 \
    "EXISTS (SELECT FROM webhook_events c WHERE c.id = n.causation_id), "                          \
    body ", k.pending, k.delivered, k.dead, k.counted > " max

/* How many of its deliveries there are of each status, among the first max and one. */
#define SQL_EVENT_COUNTS(max)                                                                      \
    " CROSS JOIN LATERAL (SELECT count(*) AS counted,"                                             \
    " count(*) FILTER (WHERE s.status = 'pending') AS pending,"                                    \
    " count(*) FILTER (WHERE s.status = 'delivered') AS delivered,"                                \
    " count(*) FILTER (WHERE s.status = 'failed') AS dead"                                         \
    " FROM (SELECT w.status FROM webhook_deliveries w WHERE w.event_id = n.id"                     \
    " AND w.endpoint_id IS NOT NULL LIMIT " max " + 1) s) k"

/* In a word or two, of webhook_deliveries d and its endpoint's row e, which may be absent. Disabling
 * fails a delivery, also of an endpoint that is paused. */
#define SQL_EVENT_DELIVERY_STATE                                                                   \
    "CASE WHEN d.status = 'failed' THEN 'dead' WHEN d.status <> 'pending' THEN d.status"           \
    " WHEN e.id IS NULL THEN 'endpoint removed'"                                                   \
    " WHEN e.disabled_at IS NOT NULL THEN 'endpoint disabled'"                                     \
    " WHEN e.paused_at IS NOT NULL THEN 'paused'"                                                  \
    " WHEN d.next_retry_at = 'infinity' AND d.ordering_key IS NOT NULL THEN 'behind another'"      \
    " WHEN d.next_retry_at = 'infinity' THEN 'parked'"                                             \
    " WHEN d.next_retry_at <= now() THEN 'due'"                                                    \
    " WHEN d.attempts > 0 THEN 'retrying' ELSE 'scheduled' END"

/* clang-format on */

#endif
