/* SPDX-License-Identifier: MIT */
/*
 * db/blocked_keys.h: the ordering keys that wait behind a dead letter, in one text for what asks for
 * them: alerts (db/alerts.h) and "status" (db/overview.h).
 *
 * They are looked for from the side of the dead letters, once for all endpoints: of those of endpoints
 * with ordering = 'block' among the BLOCKED_DEAD_MAX newest by creation. Where no endpoint blocks,
 * nothing is read. There may be more keys than are found: when there are more dead letters than that,
 * or more keys than BLOCKED_KEYS_MAX.
 */
#ifndef POSTRIDER_DB_BLOCKED_KEYS_H
#define POSTRIDER_DB_BLOCKED_KEYS_H

#define BLOCKED_KEYS_MAX "1000"
#define BLOCKED_DEAD_MAX "10000"

/* SQL reads better by its clauses. */
/* clang-format off */

/* Two parts of a WITH: blocked (head, url, customer_id), a row for each key, of which head is the
 * delivery that waits first; up to one more than the most. The endpoint that hears of alerts blocks
 * nothing that anybody has to know of. asked: a condition. */
#define SQL_BLOCKED_KEYS(asked)                                                                    \
    "newest_dead AS MATERIALIZED (SELECT endpoint_id, ordering_key FROM webhook_deliveries"        \
    " WHERE status = 'failed' AND " asked                                                          \
    " AND EXISTS (SELECT FROM webhook_endpoints WHERE ordering = 'block')"                         \
    " ORDER BY created_at DESC, id DESC LIMIT 1 + " BLOCKED_DEAD_MAX "),"                          \
    " blocked AS MATERIALIZED (SELECT h.head, k.url, k.customer_id FROM ("                         \
    "SELECT DISTINCT d.endpoint_id, d.ordering_key, e.url, e.customer_id FROM newest_dead d"       \
    " JOIN webhook_endpoints e ON e.id = d.endpoint_id WHERE d.ordering_key IS NOT NULL"           \
    " AND e.ordering = 'block' AND e.id NOT IN (SELECT endpoint_id FROM webhook_alert_endpoint)) k" \
    " CROSS JOIN LATERAL webhook_ordering_head(k.endpoint_id, k.ordering_key) h"                   \
    " WHERE h.is_blocked AND h.head IS NOT NULL LIMIT 1 + " BLOCKED_KEYS_MAX ")"

/* Whether there may be more: of a query from blocked. */
#define SQL_BLOCKED_MORE                                                                           \
    "(count(*) > " BLOCKED_KEYS_MAX " OR (SELECT count(*) > " BLOCKED_DEAD_MAX " FROM newest_dead))"

/* clang-format on */

#endif
