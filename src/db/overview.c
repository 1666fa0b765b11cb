/* SPDX-License-Identifier: MIT */
#include "db/overview.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "db/array.h"
#include "db/blocked_keys.h"
#include "db/fragments.h"
#include "db/row.h"

/*
 * A row whose heap page must be read can cost a random read of the disk, and pending rows in the
 * order of their index are anywhere: 1.5 million of them on a slow disk that had cached nothing
 * gave 5,400 a second. Rows in the order of their creation, or in an index-only scan, are cheap.
 */
#define CHEAP_MAX      100000
#define COSTLY_MAX     10000
#define ENDPOINT_MAX   1000  /* pending rows of one endpoint */
#define SAMPLE_LIMIT   50    /* pending rows of each lane in which endpoints are looked for */
#define FAILURES_MAX   50000 /* failed attempts of the hour in which endpoints are looked for */
#define ATTEMPTS_QUICK 2000  /* the last attempts, when those took too long */

/* Of an endpoint that fails: characters, of which each may be four bytes or need a backslash. */
#define URL_MAX           8192
#define ERROR_MAX         1000
#define FAILING_ARRAY_MAX ((size_t)OVERVIEW_FAILING_MAX * (4 * URL_MAX + 16))

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_LIMIT(max) " LIMIT 1 + " TEXT_OF(max)

/* The planner knows too little of partial indexes with an expression: it must not read it all. */
static const char sql_settings[] =
    "SET LOCAL statement_timeout = " TEXT_OF(OVERVIEW_TIMEOUT_MS)
    "; SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
    "; SET LOCAL jit = off";

/* BRIN has no other scan; for all else a bitmap would first find every row, then count some. */
static const char sql_settings_no_bitmap[] = "SET LOCAL enable_bitmapscan = off";

static const char sql_now[] =
    "SELECT " SQL_UTC("now()") ", current_database(), (SELECT reltuples::bigint FROM pg_class"
    " WHERE oid = to_regclass('webhook_deliveries_lane'))";

#define SQL_PENDING_BY_LANE(columns, condition)                                                    \
    "FROM webhook_lanes l CROSS JOIN LATERAL (SELECT " columns " FROM webhook_deliveries"          \
    " WHERE status = 'pending' AND " SQL_LANE("webhook_url") " = l.lane AND " condition            \
    " ORDER BY next_retry_at, id" SQL_LIMIT(COSTLY_MAX) ") r" SQL_LIMIT(COSTLY_MAX)

static const char sql_due[] =
    "SELECT count(*) FROM (SELECT " SQL_PENDING_BY_LANE("", "next_retry_at <= now()") ") d";

static const char sql_later[] =
    "SELECT count(*), count(*) FILTER (WHERE attempts > 0)"
    " FROM (SELECT attempts " SQL_PENDING_BY_LANE("attempts", "next_retry_at > now()") ") p";

#define SQL_CREATED(window)                                                                        \
    "SELECT count(*), count(*) FILTER (WHERE status = 'delivered'),"                               \
    " count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'failed')"       \
    " FROM (SELECT status FROM webhook_deliveries WHERE created_at > now() - interval " window     \
    SQL_LIMIT(CHEAP_MAX) ") c"

/* Read apart: the minute stays exact when the hour is too much. */
static const char sql_last_minute[] = SQL_CREATED("'1 minute'");
static const char sql_last_hour[] = SQL_CREATED("'1 hour'");

static const char sql_dead[] =
    "SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE status = 'failed'"
    SQL_LIMIT(CHEAP_MAX) ") d";

static const char sql_dead_recent[] =
    "SELECT count(*) FILTER (WHERE failed_at > now() - interval '1 minute'),"
    " count(*) FILTER (WHERE failed_at > now() - interval '1 hour'),"
    " count(*) FILTER (WHERE failed_at > now() - interval '1 hour'"
    " AND last_error LIKE '%no signing secret%'), count(*),"
    " min(created_at) > now() - interval '7 days'"
    " FROM (SELECT " SQL_FAILED_AT " AS failed_at, created_at, last_error FROM webhook_deliveries"
    " WHERE status = 'failed' ORDER BY created_at DESC, id DESC" SQL_LIMIT(COSTLY_MAX) ") d";

#define SQL_IS_FAILURE "(response_status IS NULL OR response_status NOT BETWEEN 200 AND 299)"

#define SQL_FAILED_WITHIN(window)                                                                  \
    "started_at > now() - interval " window " AND " SQL_IS_FAILURE
#define SQL_FAILURES(window)                                                                       \
    "SELECT count(*) FROM (SELECT FROM webhook_attempts WHERE " SQL_FAILED_WITHIN(window)          \
    SQL_LIMIT(CHEAP_MAX) ") a"

/* Read apart, as what was created: the limit is reached in the order of time. */
static const char sql_failures_minute[] = SQL_FAILURES("'1 minute'");
static const char sql_failures_hour[] = SQL_FAILURES("'1 hour'");

/*
 * Which endpoints fail, by the attempts that source yields: the ones with the most failures, and how
 * many there are. Each delivery is looked for once, however often it was tried.
 */
#define SQL_FAILING(source)                                                                        \
    "WITH tries AS MATERIALIZED (" source "), by_delivery AS (SELECT delivery_id, count(*) AS number," \
    " max(id) AS id FROM tries GROUP BY 1), failing AS (SELECT d.webhook_url, sum(b.number) AS number," \
    " max(b.id) AS id FROM by_delivery b JOIN webhook_deliveries d ON d.id = b.delivery_id" \
    " WHERE length(d.webhook_url) <= " TEXT_OF(URL_MAX) " GROUP BY 1)" \
    " SELECT f.webhook_url, f.number::bigint,"                                                     \
    " left(COALESCE(t.error, 'HTTP ' || t.response_status), " TEXT_OF(ERROR_MAX) "),"              \
    " count(*) OVER (), (SELECT count(*) FROM tries)"                                              \
    " FROM failing f JOIN tries t USING (id) ORDER BY f.number DESC, f.webhook_url"                \
    " LIMIT " TEXT_OF(OVERVIEW_FAILING_MAX)

static const char sql_failing[] = SQL_FAILING(
    "SELECT * FROM webhook_attempts WHERE " SQL_FAILED_WITHIN("'1 hour'") SQL_LIMIT(FAILURES_MAX));

/* Of more than that, the last ones: those tell what fails now. $1: how many attempts are looked at. */
static const char sql_failing_last[] = SQL_FAILING(
    "SELECT * FROM (SELECT * FROM webhook_attempts ORDER BY id DESC LIMIT $1::bigint) a"
    " WHERE " SQL_FAILED_WITHIN("'1 hour'"));

/*
 * $1 … $3: the endpoints that fail, how often, and the last error. Busy ones are looked for in the
 * first pending rows of each lane, and without an attempt log the table of endpoints tells who does
 * nothing but fail; then each is counted by the endpoint's index.
 */
static const char sql_endpoints[] =
    "WITH sample AS MATERIALIZED (SELECT r.webhook_url, count(*) AS number"
    " FROM webhook_lanes l CROSS JOIN LATERAL (SELECT webhook_url FROM webhook_deliveries"
    " WHERE status = 'pending' AND " SQL_LANE("webhook_url") " = l.lane"
    " ORDER BY next_retry_at, id LIMIT " TEXT_OF(SAMPLE_LIMIT) ") r GROUP BY 1"
    " ORDER BY 2 DESC LIMIT " TEXT_OF(OVERVIEW_BUSY_MAX) "),"
    " failures AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])"
    " AS f (webhook_url, number, error)),"
    " dead AS (SELECT url AS webhook_url FROM webhook_endpoints"
    " WHERE failing_since IS NOT NULL AND disabled_at IS NULL"
    " ORDER BY failing_since DESC LIMIT " TEXT_OF(OVERVIEW_BUSY_MAX) "),"
    " candidates AS (SELECT webhook_url FROM sample UNION SELECT webhook_url FROM failures"
    " UNION SELECT webhook_url FROM dead)"
    " SELECT c.webhook_url, p.due, p.retrying, p.number, COALESCE(f.number, 0),"
    " COALESCE(f.error, p.error), EXISTS (SELECT FROM webhook_endpoints e"
    " WHERE e.disabled_at IS NOT NULL AND e.url = c.webhook_url), p.oldest"
    " FROM candidates c LEFT JOIN failures f USING (webhook_url)"
    " LEFT JOIN sample s USING (webhook_url) CROSS JOIN LATERAL"
    " (SELECT count(*) AS number, count(*) FILTER (WHERE next_retry_at <= now()) AS due,"
    " count(*) FILTER (WHERE next_retry_at > now() AND attempts > 0) AS retrying,"
    " max(last_error) FILTER (WHERE attempts > 0) AS error,"
    " (array_agg(id::text ORDER BY next_retry_at, id))[1] AS oldest"
    " FROM (SELECT id, next_retry_at, attempts, last_error FROM webhook_deliveries"
    " WHERE status = 'pending'"
    " AND " SQL_ENDPOINT_HASH("webhook_url") " = " SQL_ENDPOINT_HASH("c.webhook_url")
    " ORDER BY next_retry_at, id" SQL_LIMIT(ENDPOINT_MAX) ") r) p"
    " WHERE p.due + p.retrying + COALESCE(f.number, 0) > 0"
    " ORDER BY p.due + p.retrying DESC, s.number DESC NULLS LAST, 5 DESC, 1";

static const char sql_disabled[] =
    "SELECT count(*) FILTER (WHERE disabled_at IS NOT NULL), count(*) FILTER (WHERE paused_at"
    " IS NOT NULL), " SQL_UTC("min(paused_at)") " FROM webhook_endpoints"
    " WHERE disabled_at IS NOT NULL OR paused_at IS NOT NULL";

static const char sql_blocked[] =
    "WITH " SQL_BLOCKED_KEYS("true")
    " SELECT LEAST(count(*), " BLOCKED_KEYS_MAX "), min(head::text), " SQL_BLOCKED_MORE " FROM blocked";

/* clang-format on */

/* It took too long; or a table, column or function is not there, or may not be read in full: the schema is
 * older than this program, or a requirement is not met, which "status" says. */
static bool is_tolerable(const char *sqlstate)
{
    static const char *const states[] = {"57014", "42P01", "42703", "42883", "42501"};

    for (size_t i = 0; i < ARRAY_LENGTH(states); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

/*
 * A statement in a transaction of its own. *ret_result is NULL when it took too long. Every result
 * is kept until the overview is freed.
 */
static bool read_part_with(struct db_session *session, struct overview *overview, const char *sql,
                           int count, const char *const *values, PGresult **ret_result,
                           struct error *error)
{
    bool is_by_brin = sql == sql_last_minute || sql == sql_last_hour ||
                      sql == sql_failures_minute || sql == sql_failures_hour || sql == sql_failing;
    bool ok;

    if (overview->results_count == OVERVIEW_PARTS_MAX)
        bug("more than %d parts of an overview", OVERVIEW_PARTS_MAX);

    *ret_result = NULL;
    if (!db_session_begin_reading(session, error))
        return false;
    ok = db_session_execute(session, sql_settings, error) &&
         (is_by_brin || db_session_execute(session, sql_settings_no_bitmap, error));
    if (ok)
        *ret_result = db_session_query(session, sql, count, values, error);
    db_session_rollback(session);
    if (*ret_result == NULL)
        return is_tolerable(db_session_sqlstate(session));
    overview->results[overview->results_count++] = *ret_result;
    return true;
}

static bool read_part(struct db_session *session, struct overview *overview, const char *sql,
                      PGresult **ret_result, struct error *error)
{
    return read_part_with(session, overview, sql, 0, NULL, ret_result, error);
}

static struct overview_count count_at(const PGresult *result, int row, int column, bool is_more)
{
    if (result == NULL)
        return (struct overview_count){-1, false};
    return (struct overview_count){row_integer(result, row, column, 0), is_more};
}

/* A count that is its own limit. */
static struct overview_count limited_count(const PGresult *result, int column, int64_t limit)
{
    struct overview_count count = count_at(result, 0, column, false);

    if (count.number > limit)
        count = (struct overview_count){limit, true};
    return count;
}

static bool read_workers(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, workers_sql, &result, error))
        return false;
    o->has_workers = result != NULL;
    if (result == NULL)
        return true;
    o->worker_count = (size_t)PQntuples(result);
    o->workers = memory_new(o->worker_count + 1, sizeof(*o->workers));
    for (int i = 0; i < PQntuples(result); i++)
        o->workers[i] = worker_record_at(result, i);
    return true;
}

/* A lane's oldest row is its owner's as well. */
static void note_due(struct overview *o, const struct lane_record *lane)
{
    o->due_free_lanes += lane->is_free;
    o->late_lanes += !lane->is_free && lane->due_ms > OVERVIEW_LATE_MS;
    if (lane->due_ms > o->oldest_due_ms)
        o->oldest_due_ms = lane->due_ms;
    for (size_t i = 0; lane->owner != NULL && i < o->worker_count; i++)
        if (strcmp(o->workers[i].owner, lane->owner) == 0 &&
            lane->due_ms > o->workers[i].oldest_due_ms)
            o->workers[i].oldest_due_ms = lane->due_ms;
}

static bool read_lanes(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, workers_lanes_sql, &result, error))
        return false;
    o->free_lanes = -1;
    o->due_free_lanes = -1;
    o->oldest_due_ms = -1;
    if (result == NULL)
        return true;
    o->free_lanes = 0;
    o->due_free_lanes = 0;
    o->lane_count = (size_t)PQntuples(result);
    o->lanes = memory_new(o->lane_count + 1, sizeof(*o->lanes));
    for (int i = 0; i < PQntuples(result); i++) {
        o->lanes[i] = lane_record_at(result, i);
        o->free_lanes += o->lanes[i].is_free;
        if (o->lanes[i].due_ms >= 0)
            note_due(o, &o->lanes[i]);
    }
    return true;
}

static bool read_pending(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, sql_due, &result, error))
        return false;
    o->due = limited_count(result, 0, COSTLY_MAX);
    if (!read_part(session, o, sql_later, &result, error))
        return false;
    o->retrying = count_at(result, 0, 1, limited_count(result, 0, COSTLY_MAX).is_more);
    o->later = limited_count(result, 0, COSTLY_MAX);
    if (result != NULL)
        o->later.number -=
            o->retrying.number < o->later.number ? o->retrying.number : o->later.number;
    return true;
}

static bool read_created(struct db_session *session, struct overview *o, const char *sql,
                         struct overview_created *created, struct error *error)
{
    PGresult *result;
    bool is_more;

    if (!read_part(session, o, sql, &result, error))
        return false;
    created->total = limited_count(result, 0, CHEAP_MAX);
    is_more = created->total.is_more;
    created->delivered = count_at(result, 0, 1, is_more);
    created->pending = count_at(result, 0, 2, is_more);
    created->failed = count_at(result, 0, 3, is_more);
    return true;
}

static bool read_dead(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;
    bool is_more;

    if (!read_part(session, o, sql_dead, &result, error))
        return false;
    o->dead = limited_count(result, 0, CHEAP_MAX);
    if (!read_part(session, o, sql_dead_recent, &result, error))
        return false;
    /* Of what was created a week before the others, hardly any has failed just now. */
    is_more =
        result != NULL && row_integer(result, 0, 3, 0) > COSTLY_MAX && row_is_true(result, 0, 4);
    o->dead_last_hour = count_at(result, 0, 1, is_more);
    o->dead_last_minute = count_at(result, 0, 0, is_more);
    o->dead_without_secret = count_at(result, 0, 2, is_more);
    return true;
}

static bool read_failures(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, sql_failures_minute, &result, error))
        return false;
    o->failures_last_minute = limited_count(result, 0, CHEAP_MAX);
    if (!read_part(session, o, sql_failures_hour, &result, error))
        return false;
    o->failures_last_hour = limited_count(result, 0, CHEAP_MAX);
    return true;
}

/* When counting ended among the due rows, nothing is known of the later ones. */
static struct overview_count endpoint_count_at(const PGresult *result, int row, int column,
                                               bool is_more)
{
    struct overview_count count = count_at(result, row, column, is_more);

    if (is_more && count.number == 0)
        return (struct overview_count){-1, false};
    if (count.number > ENDPOINT_MAX)
        count.number = ENDPOINT_MAX;
    return count;
}

/* The endpoints that fail, those with the most failures first; NULL: it is not known. */
static bool read_failing(struct db_session *session, struct overview *o, PGresult **ret_result,
                         bool *ret_is_more, struct error *error)
{
    const char *limit = TEXT_OF(FAILURES_MAX);

    if (!read_part(session, o, sql_failing, ret_result, error))
        return false;
    if (*ret_result == NULL)
        limit = TEXT_OF(ATTEMPTS_QUICK);
    else if (PQntuples(*ret_result) == 0 || row_integer(*ret_result, 0, 4, 0) <= FAILURES_MAX) {
        *ret_is_more = false;
        return true;
    }
    *ret_is_more = true;
    return read_part_with(session, o, sql_failing_last, 1, &limit, ret_result, error);
}

static const char *fill_array(struct array *array, const PGresult *result, int column)
{
    array_init(array, FAILING_ARRAY_MAX);
    array_begin(array);
    for (int i = 0; result != NULL && i < PQntuples(result); i++)
        array_add_text(array, row_text(result, i, column));
    return array_end(array);
}

static bool read_candidates(struct db_session *session, struct overview *o, const PGresult *failing,
                            PGresult **ret_result, struct error *error)
{
    struct array arrays[3];
    const char *values[3];
    bool ok;

    for (int i = 0; i < 3; i++)
        values[i] = fill_array(&arrays[i], failing, i);
    ok = read_part_with(session, o, sql_endpoints, 3, values, ret_result, error);
    for (int i = 0; i < 3; i++)
        array_free(&arrays[i]);
    return ok;
}

static void fill_endpoints(struct overview *o, const PGresult *result, bool is_more_failing)
{
    o->endpoint_count = result != NULL ? (size_t)PQntuples(result) : 0;
    o->endpoints = memory_new(o->endpoint_count + 1, sizeof(*o->endpoints));
    for (size_t i = 0; i < o->endpoint_count; i++) {
        int row = (int)i;
        bool is_more = row_integer(result, row, 3, 0) > ENDPOINT_MAX;

        o->endpoints[i] = (struct overview_endpoint){
            .url = row_text(result, row, 0),
            .due = endpoint_count_at(result, row, 1, is_more),
            .retrying = endpoint_count_at(result, row, 2, is_more),
            .failures = count_at(result, row, 4, is_more_failing),
            .last_error = row_text(result, row, 5),
            .is_disabled = row_is_true(result, row, 6),
            .oldest_delivery = row_text(result, row, 7),
        };
    }
}

static bool read_endpoints(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *failing, *result;
    bool is_more;

    if (!read_failing(session, o, &failing, &is_more, error))
        return false;
    o->failing_endpoints = (struct overview_count){-1, false};
    if (failing != NULL && PQntuples(failing) > 0)
        o->failing_endpoints = count_at(failing, 0, 3, is_more);
    else if (failing != NULL)
        o->failing_endpoints = (struct overview_count){0, is_more};
    if (!read_candidates(session, o, failing, &result, error))
        return false;
    fill_endpoints(o, result, is_more);
    if (!read_part(session, o, sql_disabled, &result, error))
        return false;
    o->disabled_endpoints = count_at(result, 0, 0, false).number;
    o->paused_endpoints = count_at(result, 0, 1, false).number;
    o->paused_since = result != NULL ? row_text(result, 0, 2) : NULL;
    if (!read_part(session, o, sql_blocked, &result, error))
        return false;
    o->blocked_keys = count_at(result, 0, 0, result != NULL && row_is_true(result, 0, 2));
    o->blocked_head = result != NULL ? row_text(result, 0, 1) : NULL;
    return true;
}

static bool read_replays(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, replays_open_sql, &result, error))
        return false;
    o->replay_count = result != NULL ? (size_t)PQntuples(result) : 0;
    o->replays = memory_new(o->replay_count + 1, sizeof(*o->replays));
    for (size_t i = 0; i < o->replay_count; i++)
        o->replays[i] = replays_at(result, (int)i);
    return true;
}

static bool read_alerts(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, alerts_open_sql, &result, error))
        return false;
    o->has_alerts = result != NULL;
    o->alert_count = result != NULL ? (size_t)PQntuples(result) : 0;
    o->alerts = memory_new(o->alert_count + 1, sizeof(*o->alerts));
    for (size_t i = 0; i < o->alert_count; i++)
        o->alerts[i] = alert_record_at(result, (int)i);
    return true;
}

static bool read_now(struct db_session *session, struct overview *o, struct error *error)
{
    PGresult *result;

    if (!read_part(session, o, sql_now, &result, error))
        return false;
    o->now = result != NULL ? row_text(result, 0, 0) : "?";
    o->database = result != NULL ? row_text(result, 0, 1) : "?";
    o->pending_estimate = result != NULL ? row_integer(result, 0, 2, -1) : -1;
    return true;
}

bool overview_read(struct db_session *session, struct overview *ret_overview, struct error *error)
{
    struct overview *o = ret_overview;

    *o = (struct overview){0};
    return read_now(session, o, error) && read_workers(session, o, error) &&
           read_lanes(session, o, error) && read_pending(session, o, error) &&
           read_created(session, o, sql_last_minute, &o->last_minute, error) &&
           read_created(session, o, sql_last_hour, &o->last_hour, error) &&
           read_dead(session, o, error) && read_failures(session, o, error) &&
           read_endpoints(session, o, error) && read_replays(session, o, error) &&
           read_alerts(session, o, error);
}

void overview_free(struct overview *overview)
{
    for (size_t i = 0; i < overview->results_count; i++)
        PQclear(overview->results[i]);
    free(overview->workers);
    free(overview->lanes);
    free(overview->endpoints);
    free(overview->replays);
    free(overview->alerts);
    *overview = (struct overview){0};
}
