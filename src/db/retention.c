/* SPDX-License-Identifier: MIT */
#include "db/retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "db/disabling_notes.h"
#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

/*
 * created_at first: its BRIN index is what keeps this off the recent part of the table (bitmap
 * scans are what BRIN gives), and off the rows of before an adoption, which nobody has agreed to
 * lose. A row that was delivered or has failed recently stays, however old it is. The worker's
 * clock comes in whole seconds, so it counts a second more. The trigger webhook_deliveries_removed
 * leaves out what says that it is retention, and webhook_deliveries_kept refuses it what is of
 * before.
 */
static const char settings_sql[] = "SELECT set_config('enable_bitmapscan', 'on', true), "
                                   "set_config('postrider.removal', 'retention', true)";

/* What is hidden may be what something is kept for: a delivery for its event and for its endpoint,
 * a table that was adopted for its rows. */
static const char hold_deliveries_sql[] =
    ROW_SECURITY_HOLD("webhook_deliveries, webhook_attempts, postrider_adoptions, webhook_adopted");
static const char hold_events_sql[] = ROW_SECURITY_HOLD("webhook_events, webhook_deliveries");
static const char hold_endpoints_sql[] = ROW_SECURITY_HOLD("webhook_endpoints, webhook_deliveries");

static const char deliveries_sql[] =
    "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries d "
    "WHERE $2::float8 > 0 AND status = $1 "
    "AND created_at < least(now(), to_timestamp($4::float8 + 1)) - make_interval(secs => "
    "$2::float8) "
    "AND created_at >= (SELECT coalesce(max(adopted_at) + interval '1 microsecond', '-infinity') "
    "FROM postrider_adoptions WHERE retention_agreed_at IS NULL) "
    "AND " SQL_FINISHED_AT
    " < least(now(), to_timestamp($4::float8 + 1)) - make_interval(secs => $2::float8) "
    "AND NOT EXISTS (SELECT FROM webhook_adopted o, postrider_adoptions a "
    "WHERE o.delivery_id = d.id AND a.retention_agreed_at IS NULL) "
    "LIMIT $3::int FOR UPDATE SKIP LOCKED) AND status = $1";

static const char attempts_sql[] =
    "DELETE FROM webhook_attempts WHERE id IN (SELECT id FROM webhook_attempts "
    "WHERE $1::float8 > 0 "
    "AND started_at < least(now(), to_timestamp($3::float8 + 1)) - make_interval(secs => "
    "$1::float8) "
    "LIMIT $2::int)";

/* The statements of a batch, which begin alike. */
enum { RESULT_HOLD, RESULT_GUARD, RESULT_BATCH };
enum { RESULT_SETTINGS = RESULT_BATCH, RESULT_DELIVERED, RESULT_FAILED, RESULT_ATTEMPTS };
enum { RESULT_EVENTS = RESULT_SETTINGS + 1 };

/*
 * LIMIT 1: a look into the index for each row of the batch, whatever the planner would rather do. A
 * delivery of another customer at the same URL counts too: looking for one's own could mean to
 * read all of the others. SKIP LOCKED: who holds the lock is about to take the row over, or notes
 * that it is needed. The answer has a row for each that was looked at.
 */
static const char endpoints_sql[] =
    "WITH old AS MATERIALIZED (SELECT id, url FROM webhook_endpoints "
    "WHERE noted_at < now() - make_interval(days => $1::int) ORDER BY noted_at LIMIT $2::int "
    "FOR UPDATE SKIP LOCKED), "
    "seen AS MATERIALIZED (SELECT id, (SELECT true FROM webhook_deliveries d "
    "WHERE d.status = 'pending' "
    "AND hashtextextended(d.webhook_url, 0) = hashtextextended(old.url, 0) LIMIT 1) IS TRUE "
    "AS is_needed FROM old), "
    "kept AS (UPDATE webhook_endpoints e SET noted_at = now() FROM seen "
    "WHERE e.id = seen.id AND seen.is_needed), "
    "gone AS (DELETE FROM webhook_endpoints e USING seen "
    "WHERE e.id = seen.id AND NOT seen.is_needed) "
    "SELECT is_needed FROM seen";

bool retention_send(struct db_link *link, const char *schema, int64_t delivered_ms,
                    int64_t failed_ms, int64_t clock_s, db_link_answered *on_answer, void *owner)
{
    char delivered[32], failed[32], rows[16], clock[32];
    const char *longer = delivered_ms > failed_ms ? delivered : failed;
    bool keeps_attempts = delivered_ms == 0 || failed_ms == 0;
    const struct db_statement statements[] = {
        [RESULT_HOLD] = {hold_deliveries_sql, 0, {NULL}},
        [RESULT_GUARD] = row_security_look(schema),
        [RESULT_SETTINGS] = {settings_sql, 0, {NULL}},
        [RESULT_DELIVERED] = {deliveries_sql, 4, {"delivered", delivered, rows, clock}},
        [RESULT_FAILED] = {deliveries_sql, 4, {"failed", failed, rows, clock}},
        [RESULT_ATTEMPTS] = {attempts_sql, 3, {keeps_attempts ? "0" : longer, rows, clock}},
    };

    snprintf(delivered, sizeof(delivered), "%lld.%03d", (long long)(delivered_ms / 1000),
             (int)(delivered_ms % 1000));
    snprintf(failed, sizeof(failed), "%lld.%03d", (long long)(failed_ms / 1000),
             (int)(failed_ms % 1000));
    snprintf(clock, sizeof(clock), "%lld", (long long)clock_s);
    snprintf(rows, sizeof(rows), "%d", RETENTION_BATCH_ROWS);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

static const char events_sql[] =
    "WITH seen AS MATERIALIZED (SELECT id, created_at FROM webhook_events "
    "WHERE (created_at, id) > ($4::timestamptz, $5::uuid) "
    "AND created_at < least(now(), to_timestamp($3::float8 + 1)) - make_interval(secs => "
    "$1::float8) ORDER BY created_at, id LIMIT $2::int), "
    "unneeded AS (SELECT id FROM seen WHERE NOT EXISTS (SELECT FROM webhook_deliveries d "
    "WHERE d.event_id = seen.id AND d.endpoint_id IS NOT NULL)) "
    "SELECT webhook_events_retire(ARRAY(SELECT id FROM unneeded)), (SELECT count(*) FROM seen), "
    "last.created_at, last.id FROM (SELECT) AS one LEFT JOIN (SELECT created_at, id FROM seen "
    "ORDER BY created_at DESC, id DESC LIMIT 1) AS last ON true";

enum { EVENTS_GONE, EVENTS_SEEN, EVENTS_CREATED_AT, EVENTS_ID };

static void format_seconds(int64_t duration_ms, char text[32])
{
    snprintf(text, 32, "%lld.%03d", (long long)(duration_ms / 1000), (int)(duration_ms % 1000));
}

bool retention_send_events(struct db_link *link, const char *schema, int64_t events_ms,
                           int64_t clock_s, const struct retention_place *place,
                           db_link_answered *on_answer, void *owner)
{
    bool is_first = place->id[0] == '\0';
    char age[32], rows[16], clock[32];
    const struct db_statement statements[] = {
        [RESULT_HOLD] = {hold_events_sql, 0, {NULL}},
        [RESULT_GUARD] = row_security_look(schema),
        [RESULT_SETTINGS] = {settings_sql, 0, {NULL}},
        [RESULT_EVENTS] = {events_sql,
                           5,
                           {age, rows, clock, is_first ? "-infinity" : place->created_at,
                            is_first ? "00000000-0000-0000-0000-000000000000" : place->id}},
    };

    format_seconds(events_ms, age);
    snprintf(clock, sizeof(clock), "%lld", (long long)clock_s);
    snprintf(rows, sizeof(rows), "%d", RETENTION_BATCH_ROWS);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool retention_count_events(const struct db_answer *answer, struct retention_counts *counts,
                            struct retention_place *place)
{
    const PGresult *result = answer->results[RESULT_EVENTS];

    counts->events += row_integer(result, 0, EVENTS_GONE, 0);
    *place = (struct retention_place){"", ""};
    if (row_integer(result, 0, EVENTS_SEEN, 0) < RETENTION_BATCH_ROWS)
        return false;
    snprintf(place->created_at, sizeof(place->created_at), "%s",
             row_text(result, 0, EVENTS_CREATED_AT));
    snprintf(place->id, sizeof(place->id), "%s", row_text(result, 0, EVENTS_ID));
    return true;
}

bool retention_send_endpoints(struct db_link *link, const char *schema, db_link_answered *on_answer,
                              void *owner)
{
    char days[16], rows[16];
    const struct db_statement statements[] = {
        [RESULT_HOLD] = {hold_endpoints_sql, 0, {NULL}},
        [RESULT_GUARD] = row_security_look(schema),
        [RESULT_BATCH] = {endpoints_sql, 2, {days, rows}},
    };

    snprintf(days, sizeof(days), "%d", ENDPOINT_ROW_KEEP_DAYS);
    snprintf(rows, sizeof(rows), "%d", RETENTION_BATCH_ROWS);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

static int64_t rows_of(PGresult *result)
{
    return strtol(PQcmdTuples(result), NULL, 10);
}

void retention_count_deliveries(const struct db_answer *answer, struct retention_counts *counts)
{
    counts->delivered += rows_of(answer->results[RESULT_DELIVERED]);
    counts->failed += rows_of(answer->results[RESULT_FAILED]);
    counts->attempts += rows_of(answer->results[RESULT_ATTEMPTS]);
}

void retention_count_endpoints(const struct db_answer *answer, struct retention_counts *counts)
{
    const PGresult *result = answer->results[RESULT_BATCH];

    for (int row = 0; row < PQntuples(result); row++)
        counts->endpoints += !row_is_true(result, row, 0);
}

bool retention_has_more(const struct db_answer *answer)
{
    for (int i = 0; i < answer->count; i++)
        if (rows_of(answer->results[i]) >= RETENTION_BATCH_ROWS)
            return true;
    return false;
}
