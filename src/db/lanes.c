#include "db/lanes.h"

#include <stdio.h>
#include <stdlib.h>

/* Locked in the order of lanes, so that two workers that start together can't deadlock. */
static const char lease_sql[] =
    "UPDATE webhook_lanes l SET owner = $1, "
    "epoch = l.epoch + CASE WHEN l.owner = $1 THEN 0 ELSE 1 END, "
    "lease_expires_at = clock_timestamp() + make_interval(secs => $2::float8) "
    "FROM (SELECT lane FROM webhook_lanes WHERE owner IS NULL OR owner = $1 "
    "OR lease_expires_at IS NULL OR lease_expires_at < clock_timestamp() "
    "ORDER BY lane FOR UPDATE) free WHERE l.lane = free.lane RETURNING l.lane";

static const char release_sql[] =
    "UPDATE webhook_lanes SET owner = NULL, lease_expires_at = NULL WHERE owner = $1";

bool lanes_send_lease(struct db_link *link, const char *owner, int64_t lease_ms,
                      db_link_answered *on_answer, void *request_owner)
{
    char seconds[32];
    struct db_statement statement = {lease_sql, 2, {owner, seconds}};

    snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(lease_ms / 1000),
             (int)(lease_ms % 1000));
    return db_link_send(link, &statement, 1, on_answer, request_owner);
}

bool lanes_send_release(struct db_link *link, const char *owner, db_link_answered *on_answer,
                        void *request_owner)
{
    struct db_statement statement = {release_sql, 1, {owner}};

    return db_link_send(link, &statement, 1, on_answer, request_owner);
}

int lanes_lane_at(const PGresult *result, int row)
{
    return (int)strtol(PQgetvalue(result, row, 0), NULL, 10);
}
