/* SPDX-License-Identifier: MIT */
#include "db/promises.h"

#include "db/fragments.h"

/* clang-format off */
static const char back_sql[] =
    "UPDATE webhook_deliveries n SET next_retry_at = " SQL_TIME_OF_TURN("n")
    " WHERE n.id = ANY ($1::uuid[]) AND " SQL_CHECKED("n.status = 'pending'")
    " AND n.next_retry_at = 'infinity' AND " SQL_CHECKED("n.ordering_key IS NOT NULL");

static const char unknown_sql[] =
    "DELETE FROM webhook_promotions WHERE owner = $1 AND id <> ALL ($2::int8[])";

static const char orphaned_sql[] =
    "DELETE FROM webhook_promotions p WHERE p.owner IS NOT NULL AND NOT EXISTS (SELECT FROM webhook_workers w"
    " WHERE w.owner = p.owner AND w.lease_expires_at > clock_timestamp())";
/* clang-format on */

bool promises_send_back(struct db_link *link, struct array *ids, db_link_answered *on_answer,
                        void *request_owner)
{
    const struct db_statement statement = {back_sql, 1, {array_end(ids)}};

    return db_link_send_often(link, &statement, 1, on_answer, request_owner);
}

bool promises_send_unknown(struct db_link *link, const char *owner, struct array *known,
                           db_link_answered *on_answer, void *request_owner)
{
    const struct db_statement statement = {unknown_sql, 2, {owner, array_end(known)}};

    return db_link_send_often(link, &statement, 1, on_answer, request_owner);
}

bool promises_send_orphaned(struct db_link *link, db_link_answered *on_answer, void *request_owner)
{
    const struct db_statement statement = {.sql = orphaned_sql};

    return db_link_send_often(link, &statement, 1, on_answer, request_owner);
}
