/* SPDX-License-Identifier: MIT */
#include "db/lanes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/fragments.h"

#define NUMBER_SIZE  32
#define NUMBERS_SIZE 256

/* SQL reads better by its clauses. */
/* clang-format off */

/* Rows of workers that died are kept for a while: "postrider status" shows them. */
#define REMOVE_DEAD                                                                                \
    "removed AS (DELETE FROM webhook_workers WHERE owner IN (SELECT owner FROM webhook_workers"    \
    " WHERE lease_expires_at < clock_timestamp() - interval '10 minutes' AND owner <> $1"          \
    " LIMIT 100 FOR UPDATE SKIP LOCKED))"

/* started_at is by the database's clock, like everything that is compared between workers. */
static const char worker_sql[] =
    "WITH " REMOVE_DEAD
    " INSERT INTO webhook_workers AS w (owner, host, pid, version, turn, started_at, seen_at,"
    " lease_expires_at, is_leaving, lanes, in_flight, waiting, unwritten, delivered, retried,"
    " failed, rate, problems, attempt_log, busy, defaults, timeout)"
    " SELECT $1, $2, n[1], $3, n[2], t - n[3] * interval '1 millisecond', t,"
    " t + n[4] * interval '1 millisecond', n[5] = 1, n[6], n[7], n[8], n[9], n[10], n[11], n[12],"
    " $5::float8, $6::jsonb, $7, $8::jsonb, $9::jsonb, n[13] * interval '1 millisecond' FROM (SELECT $4::int8[] AS n, clock_timestamp() AS t) given"
    " ON CONFLICT (owner) DO UPDATE SET turn = excluded.turn, seen_at = excluded.seen_at,"
    " lease_expires_at = excluded.lease_expires_at, is_leaving = excluded.is_leaving,"
    " lanes = excluded.lanes, in_flight = excluded.in_flight, waiting = excluded.waiting,"
    " unwritten = excluded.unwritten, delivered = excluded.delivered, retried = excluded.retried,"
    " failed = excluded.failed, rate = excluded.rate, problems = excluded.problems,"
    " busy = excluded.busy, defaults = excluded.defaults, timeout = excluded.timeout,"
    " attempt_log = excluded.attempt_log, attempt_log_since = CASE"
    " WHEN w.attempt_log IS NOT DISTINCT FROM excluded.attempt_log THEN w.attempt_log_since"
    " ELSE greatest(w.started_at, now() - interval '1 hour') END"
    " WHERE w.turn < excluded.turn";

#define IS_IN(set)  "(((" set ")::int8 >> lane) & 1) = 1"
#define IS_FREE                                                                                    \
    "(owner IS NULL OR lease_expires_at IS NULL OR lease_expires_at < clock_timestamp())"

/* $4 keep, $5 take, $6 release. A snapshot after worker_sql's: the turn is $2 if it is not late. */
static const char lanes_sql[] =
    "WITH locked AS MATERIALIZED (SELECT lane, " IS_IN("$6") " AS is_released FROM webhook_lanes"
    " WHERE ((owner = $1 AND (" IS_IN("$4::int8 | $5::int8 | $6::int8") "))"
    " OR (" IS_FREE " AND " IS_IN("$5") "))"
    " AND EXISTS (SELECT FROM webhook_workers w WHERE w.owner = $1 AND w.turn = $2::int8)"
    " ORDER BY lane FOR UPDATE OF webhook_lanes SKIP LOCKED),"
    " done AS (UPDATE webhook_lanes l SET owner = CASE WHEN NOT is_released THEN $1 END,"
    " epoch = l.epoch + CASE WHEN l.owner = $1 THEN 0 ELSE 1 END,"
    " lease_expires_at = CASE WHEN NOT is_released THEN"
    " clock_timestamp() + $3::int8 * interval '1 millisecond' END"
    " FROM locked WHERE l.lane = locked.lane RETURNING l.lane, is_released)"
    " SELECT COALESCE(bit_or(1::int8 << lane) FILTER (WHERE NOT is_released), 0) FROM done";

/* Workers by the time of their start; the answer has one row. */
static const char view_sql[] =
    "SELECT l.mine, l.free, w.live, w.rank FROM"
    " (SELECT COALESCE(bit_or(1::int8 << lane) FILTER (WHERE owner = $1), 0) AS mine,"
    " COALESCE(bit_or(1::int8 << lane) FILTER (WHERE " IS_FREE "), 0) AS free"
    " FROM webhook_lanes WHERE lane BETWEEN 0 AND " SQL_LAST_LANE ") l,"
    " (SELECT count(*) AS live, COALESCE(max(position) FILTER (WHERE owner = $1) - 1, -1) AS rank"
    " FROM (SELECT owner, row_number() OVER (ORDER BY started_at, owner) AS position"
    " FROM webhook_workers WHERE NOT is_leaving AND lease_expires_at > clock_timestamp()) r) w";

static const char farewell_sql[] =
    "WITH gone AS (DELETE FROM webhook_workers WHERE owner = $1)"
    " UPDATE webhook_lanes SET owner = NULL, lease_expires_at = NULL WHERE owner = $1";

/* clang-format on */

static void format_numbers(const struct lanes_worker *worker,
                           const struct lane_leases_request *request, int64_t lease_ms, char *out)
{
    snprintf(out, NUMBERS_SIZE,
             "{%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%d,%" PRId64 ",%" PRId64 ",%" PRId64
             ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 "}",
             worker->pid, request->turn, worker->uptime_ms, lease_ms, worker->is_leaving ? 1 : 0,
             worker->lanes, worker->in_flight, worker->waiting, worker->unwritten,
             worker->delivered, worker->retried, worker->failed, worker->timeout_ms);
}

static const char *format_number(int64_t number, char *out)
{
    snprintf(out, NUMBER_SIZE, "%" PRId64, number);
    return out;
}

static bool send_renewal(struct db_link *link, const struct lanes_worker *worker,
                         const struct lane_leases_request *request, int64_t lease_ms,
                         db_link_answered *on_answer, void *request_owner)
{
    char numbers[NUMBERS_SIZE], rate[NUMBER_SIZE], turn[NUMBER_SIZE], lease[NUMBER_SIZE];
    char keep[NUMBER_SIZE], take[NUMBER_SIZE], release[NUMBER_SIZE];
    /* In this order: the worker's row takes the turn, by which the next statement sees that it is
     * not late, and the picture is to show what both have done. */
    const struct db_statement statements[] = {
        {worker_sql,
         9,
         {worker->owner, worker->host, worker->version, numbers, rate, worker->problems,
          worker->attempt_log, worker->busy, worker->defaults}},
        {lanes_sql,
         6,
         {worker->owner, format_number(request->turn, turn), format_number(lease_ms, lease),
          format_number((int64_t)request->keep, keep), format_number((int64_t)request->take, take),
          format_number((int64_t)request->release, release)}},
        {view_sql, 1, {worker->owner}},
    };

    format_numbers(worker, request, lease_ms, numbers);
    snprintf(rate, sizeof(rate), "%.3f", worker->rate);
    return db_link_send_often(link, statements, 3, on_answer, request_owner);
}

bool lanes_send(struct db_link *link, const struct lanes_worker *worker,
                const struct lane_leases_request *request, int64_t lease_ms,
                db_link_answered *on_answer, void *request_owner)
{
    const struct db_statement view = {view_sql, 1, {worker->owner}};

    if (request->ask == LANE_LEASES_RENEW)
        return send_renewal(link, worker, request, lease_ms, on_answer, request_owner);
    return db_link_send_often(link, &view, 1, on_answer, request_owner);
}

static int64_t number_at(const PGresult *result, int column)
{
    return PQntuples(result) == 1 ? strtoll(PQgetvalue(result, 0, column), NULL, 10) : 0;
}

uint64_t lanes_renewed(const struct db_answer *answer, const struct lane_leases_request *request)
{
    return request->ask == LANE_LEASES_RENEW ? (uint64_t)number_at(answer->results[1], 0) : 0;
}

struct lane_shares_view lanes_view(const struct db_answer *answer)
{
    const PGresult *result = answer->results[answer->count - 1];

    return (struct lane_shares_view){
        .mine = (uint64_t)number_at(result, 0),
        .free = (uint64_t)number_at(result, 1),
        .live = (int)number_at(result, 2),
        .rank = (int)number_at(result, 3),
    };
}

bool lanes_send_farewell(struct db_link *link, const char *owner, db_link_answered *on_answer,
                         void *request_owner)
{
    struct db_statement statement = {farewell_sql, 1, {owner}};

    return db_link_send(link, &statement, 1, on_answer, request_owner);
}
