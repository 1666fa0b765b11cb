/* SPDX-License-Identifier: MIT */
#include "db/endpoint_pending.h"

#include <stdio.h>

#include "db/fragments.h"
#include "db/row.h"

/* By the index of what is pending for a URL. */
static const char sql_count[] =
    "SELECT count(*) FILTER (WHERE c.is_its), count(*) FILTER (WHERE NOT c.is_its)"
    " FROM webhook_endpoints p CROSS JOIN LATERAL ("
    "SELECT d.endpoint_id IS NOT DISTINCT FROM p.id AS is_its FROM webhook_deliveries d"
    " WHERE d.status = 'pending'"
    " AND " SQL_ENDPOINT_HASH("d.webhook_url") " = " SQL_ENDPOINT_HASH(
        "p.url") " AND d.webhook_url = p.url AND d.customer_id = p.customer_id"
                 " LIMIT $2::bigint + 1) c WHERE p.id = $1::uuid";

bool endpoint_pending_count(struct db_session *session, const char *endpoint_id,
                            struct endpoint_pending *ret_pending, struct error *error)
{
    char limit[24];
    const char *values[] = {endpoint_id, limit};
    PGresult *result;

    snprintf(limit, sizeof(limit), "%d", ENDPOINT_PENDING_MAX);
    result = db_session_read(session, sql_count, 2, values, error);
    if (result == NULL)
        return false;
    *ret_pending = (struct endpoint_pending){
        .made_for_it = row_integer(result, 0, 0, 0),
        .others = row_integer(result, 0, 1, 0),
    };
    ret_pending->is_cut = ret_pending->made_for_it + ret_pending->others > ENDPOINT_PENDING_MAX;
    PQclear(result);
    return true;
}
