/* SPDX-License-Identifier: MIT */
#include "db/feeds.h"

#include <stdio.h>

#include "db/row.h"

/* Not where the marks come from another installation: then "postrider migrate" is to be run. */
static const char mark_sql[] =
    "WITH gone AS (DELETE FROM webhook_feed_marks WHERE marked_at < now() - interval '400 days')"
    " INSERT INTO webhook_feed_marks"
    " SELECT clock_timestamp(), pg_snapshot_xmax(pg_current_snapshot())"
    " WHERE NOT EXISTS (SELECT FROM webhook_feed_marks"
    " WHERE transaction_id > pg_snapshot_xmax(pg_current_snapshot())"
    " OR date_trunc('hour', marked_at AT TIME ZONE 'UTC')"
    " = date_trunc('hour', clock_timestamp() AT TIME ZONE 'UTC')) ON CONFLICT DO NOTHING";

bool feeds_send_mark(struct db_link *link, db_link_answered *on_answer, void *owner)
{
    struct db_statement statement = {mark_sql, 0, {NULL}};

    return db_link_send_often(link, &statement, 1, on_answer, owner);
}

static const char are_foreign_sql[] =
    "SELECT EXISTS (SELECT FROM webhook_events"
    " WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot()))"
    " OR EXISTS (SELECT FROM webhook_feed_marks"
    " WHERE transaction_id > pg_snapshot_xmax(pg_current_snapshot()))";

/* 3 is the first that a transaction can have. */
static const char settle_sql[] =
    "WITH moved AS (UPDATE webhook_events SET transaction_id = '3'"
    " WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot()) RETURNING 1),"
    " unmarked AS (DELETE FROM webhook_feed_marks"
    " WHERE transaction_id > pg_snapshot_xmax(pg_current_snapshot())),"
    " changed AS (UPDATE webhook_feed_epoch SET epoch = gen_random_uuid(), since = now())"
    " SELECT count(*) FROM moved";

bool feeds_settle(struct db_session *session, const struct migrate_options *options,
                  struct error *error)
{
    PGresult *result = db_session_query(session, are_foreign_sql, 0, NULL, error);
    bool are_foreign;

    if (result == NULL)
        return false;
    are_foreign = row_is_true(result, 0, 0);
    PQclear(result);
    if (!are_foreign)
        return true;
    if (options->dry_run) {
        fprintf(options->out, "BEGIN;\n%s;\nCOMMIT;\n", settle_sql);
        return true;
    }
    result = db_session_query(session, settle_sql, 0, NULL, error);
    if (result == NULL)
        return false;
    fprintf(options->out,
            "%s events came from another installation: they stand before all others in feeds now, "
            "and cursors begin anew.\n",
            PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}
