/* SPDX-License-Identifier: MIT */
#include "db/removals.h"

#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */
static const char sql_removal[] =
    "SELECT " SQL_UTC("d.removed_at") ", " SQL_MS_SINCE("d.removed_at") ", d.removed_by,"
    " d.is_discard, d.status, d.attempts, r.requested_by FROM webhook_removals d"
    " LEFT JOIN webhook_replays r ON r.id = d.replay_id"
    " WHERE d.delivery_id = $1 ORDER BY d.id DESC LIMIT 1";
/* clang-format on */

bool removal_read(struct db_session *session, const char *delivery_id, struct removal *ret_removal,
                  bool *ret_found, struct error *error)
{
    PGresult *result;

    *ret_removal = (struct removal){0};
    result = db_session_read(session, sql_removal, 1, &delivery_id, error);
    if (result == NULL)
        return false;
    ret_removal->result = result;
    *ret_found = PQntuples(result) == 1;
    if (*ret_found)
        *ret_removal = (struct removal){
            .result = result,
            .removed_at = row_text(result, 0, 0),
            .removed_ms_ago = row_integer(result, 0, 1, 0),
            .removed_by = row_text(result, 0, 2),
            .is_discard = row_is_true(result, 0, 3),
            .status = row_text(result, 0, 4),
            .attempts = row_integer(result, 0, 5, 0),
            .requested_by = row_text(result, 0, 6),
        };
    return true;
}

void removal_free(struct removal *removal)
{
    PQclear(removal->result);
    *removal = (struct removal){0};
}
