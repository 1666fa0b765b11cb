/* SPDX-License-Identifier: MIT */
#include "db/event_trace.h"

#include "db/event_columns.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

/*
 * UNION without ALL drops what was found before, so a circle ends; up has a path for that, since it
 * also counts its steps. A LIMIT ends a recursion, whose rows are made as they are asked for: each
 * part is read once, and as far as it is shown.
 */
static const char sql_trace[] =
    "WITH RECURSIVE up (id, causation_id, correlation_id, path) AS ("
    "SELECT id, causation_id, correlation_id, ARRAY[id] FROM webhook_events WHERE id = $1"
    " UNION ALL SELECT c.id, c.causation_id, c.correlation_id, up.path || c.id"
    " FROM up JOIN webhook_events c ON c.id = up.causation_id"
    " WHERE c.id <> ALL (up.path) AND cardinality(up.path) < 100),"
    " down (id) AS (SELECT id FROM webhook_events WHERE id = $1"
    " UNION SELECT c.id FROM down JOIN webhook_events c ON c.causation_id = down.id),"
    " together (id) AS (SELECT c.id FROM (SELECT correlation_id FROM webhook_events WHERE id = $1) o"
    " JOIN webhook_events c ON c.correlation_id = o.correlation_id LIMIT 501),"
    " around (id) AS (SELECT id FROM (SELECT id FROM up UNION SELECT id FROM together) s"
    " UNION SELECT c.id FROM around JOIN webhook_events c ON c.causation_id = around.id),"
    " picked AS (SELECT id, min(nearness) AS nearness FROM ("
    "SELECT id, 0 AS nearness FROM up"
    " UNION ALL (SELECT id, 1 FROM down LIMIT 501)"
    " UNION ALL SELECT id, 2 FROM together"
    " UNION ALL (SELECT id, 3 FROM around LIMIT 501)) p GROUP BY id"
    " ORDER BY nearness, id LIMIT 501)"
    " SELECT " SQL_EVENT_COLUMNS("NULL::bigint", "100")
    ", (SELECT count(*) FROM picked) > 500 FROM"
    " (SELECT id FROM picked ORDER BY nearness, id LIMIT 500) t JOIN webhook_events n USING (id)"
    SQL_EVENT_COUNTS("100") " ORDER BY n.created_at, n.id";

/* clang-format on */

#define IS_CUT_COLUMN 17

_Static_assert(EVENT_TRACE_MAX == 500 && EVENT_TRACE_UPWARDS == 100, "sql_trace says so");

bool event_trace_read(struct db_session *session, const char *id, struct event_list *ret_list,
                      bool *ret_is_cut, struct error *error)
{
    PGresult *result = db_session_read(session, sql_trace, 1, &id, error);

    if (result == NULL)
        return false;
    *ret_is_cut = PQntuples(result) > 0 && row_is_true(result, 0, IS_CUT_COLUMN);
    event_list_of(result, ret_list);
    return true;
}
