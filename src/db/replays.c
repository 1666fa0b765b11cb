/* SPDX-License-Identifier: MIT */
#include "db/replays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/ramp.h"
#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

#define LOOK_MIN 500

/* Who may be named in "skipped": URLs are long, and each batch writes all of them. */
#define SQL_SKIPPED_MAX "50"

/* SQL reads better by its clauses. */
/* clang-format off */

#define SQL_KNOWN "kind = ANY ('{replay,recover,discard}'::text[])"
/* Of tests and doctors, which are carried out otherwise, knows db/endpoint_checks.h. */
#define SQL_UNKNOWN "kind <> ALL ('{replay,recover,discard,test,doctor}'::text[])"
#define SQL_OPEN  "finished_at IS NULL AND stopped_at IS NULL"

#define SQL_REPLAY                                                                                 \
    "SELECT id, kind, customer_id, filter::text, requested_by, " SQL_UTC("requested_at") ", "      \
    SQL_UTC("started_at") ", " SQL_UTC("stopped_at") ", " SQL_UTC("finished_at")                   \
    ", error, position, skipped::text, rate, total, done, ramp_from, skipped_count, "              \
    SQL_MS_UNTIL("due_at") ", pass, NOT " SQL_UNKNOWN ", result::text FROM webhook_replays "

enum {
    AT_ID, AT_KIND, AT_CUSTOMER, AT_FILTER, AT_REQUESTED_BY, AT_REQUESTED, AT_STARTED, AT_STOPPED,
    AT_FINISHED, AT_ERROR, AT_POSITION, AT_SKIPPED, AT_RATE, AT_TOTAL, AT_DONE, AT_RAMP_FROM,
    AT_SKIPPED_COUNT, AT_DUE, AT_PASS, AT_IS_KNOWN, AT_RESULT
};

static const char sql_list[] =
    SQL_REPLAY "ORDER BY finished_at IS NOT NULL, requested_at DESC, id DESC LIMIT $1::bigint";
static const char sql_find[] = SQL_REPLAY "WHERE id = $1::uuid";

const char replays_open_sql[] =
    SQL_REPLAY "WHERE finished_at IS NULL ORDER BY requested_at, id LIMIT 20";

/* Whoever is due the longest, so that several take turns. */
static const char sql_due[] =
    SQL_REPLAY "WHERE " SQL_OPEN " AND " SQL_KNOWN " ORDER BY due_at, id LIMIT 1";

static const char sql_unknown[] =
    SQL_REPLAY "WHERE " SQL_OPEN " AND " SQL_UNKNOWN " ORDER BY due_at, id LIMIT 1";

/* $1 … $6: the filter's keys, $7: ids, $11: the kind. */
static const char sql_request[] =
    "INSERT INTO webhook_replays (kind, filter, rate, total, requested_by)"
    " SELECT $11::text, CASE WHEN given = '{}' THEN '{\"all\": true}' ELSE given END, $8::integer,"
    " $9::bigint, concat(session_user, ' with postrider ', $10::text)"
    " FROM jsonb_strip_nulls(jsonb_build_object('endpoint', $1::text, 'customer', $2::uuid,"
    " 'event_type', $3::text, 'since', $4::text, 'until', $5::text, 'error', $6::text,"
    " 'ids', $7::uuid[])) AS g (given) RETURNING id";

static const char sql_stop[] =
    "UPDATE webhook_replays SET stopped_at = now() WHERE id = $1::uuid AND " SQL_OPEN
    " RETURNING 1";

static const char sql_resume[] =
    "UPDATE webhook_replays SET stopped_at = NULL, ramp_from = done, due_at = clock_timestamp()"
    " WHERE id = $1::uuid AND finished_at IS NULL AND stopped_at IS NOT NULL"
    " AND kind <> ALL ('{test,doctor}'::text[]) RETURNING 1";

static const char sql_error[] =
    "UPDATE webhook_replays SET error = $2, finished_at = now()"
    " WHERE id = $1::uuid AND finished_at IS NULL";

static const char sql_removal[] =
    "DELETE FROM webhook_replays WHERE id IN (SELECT id FROM webhook_replays"
    " WHERE finished_at < now() - make_interval(days => $1::int) ORDER BY requested_at LIMIT 1000)";

static const char sql_have_worker[] =
    "SELECT EXISTS (SELECT FROM webhook_lanes WHERE lane = 0 AND lease_expires_at > now())";

/* What a customer for whom it is done may know of, and of its error: as webhook_customer_deliveries
 * shows it, or how many were replayed would tell. */
#define SQL_SHOWN                                                                                  \
    "(d.endpoint_id IS NULL OR (d.customer_id = (SELECT v.customer_id FROM webhook_events v"       \
    " WHERE v.id = d.event_id) AND (SELECT p.all_customers FROM webhook_endpoints p"               \
    " WHERE p.id = d.endpoint_id) IS NOT TRUE))"
#define SQL_ERROR_SHOWN                                                                            \
    "CASE WHEN r.customer_id IS NULL THEN d.last_error"                                            \
    " ELSE webhook_customer_error(d.last_error) END"

/*
 * The next batch: $1 id, $2 position and $3 pass as they were read, $4 how many rows to look at, $5
 * how many to replay, $6 the pause behind so many, $7 the pause before a further pass (NULL: there
 * is to be none). No row when the replay's row is locked or was changed. What the filter says is
 * the same as that of SQL_FILTER in db/dead_letters.c.
 */
#define SQL_CHOSEN                                                                                 \
    "(r.customer_id IS NULL OR (d.customer_id = r.customer_id AND " SQL_SHOWN "))"                 \
    " AND (r.endpoint IS NULL OR d.webhook_url = r.endpoint)"                                      \
    " AND (r.beginning IS NULL OR starts_with(d.webhook_url, r.beginning))"                        \
    " AND (r.customer IS NULL OR d.customer_id = r.customer)"                                      \
    " AND (r.event_type IS NULL OR d.event_type = r.event_type)"                                   \
    " AND (r.since IS NULL OR " SQL_FAILED_AT " >= r.since)"                                       \
    " AND (r.until IS NULL OR (d.created_at < r.until AND " SQL_FAILED_AT " < r.until))"           \
    " AND (r.error_part IS NULL OR strpos(lower(" SQL_ERROR_SHOWN "), r.error_part) > 0)"          \
    " AND " SQL_FAILED_AT " < r.requested_at AND (r.kind = 'discard' OR d.erased_at IS NULL)"

#define SQL_LOOKED_AT                                                                              \
    "SELECT d.id, d.created_at, d.webhook_url, d.customer_id, (" SQL_CHOSEN ") IS TRUE AS is_chosen"

#define SQL_BEHIND "(d.created_at, d.id) > (r.after_time, r.after_id)"

#define SQL_REPLAYED                                                                               \
    "UPDATE webhook_deliveries d SET status = 'pending', attempts = 0,"                            \
    " next_retry_at = clock_timestamp() FROM locked l"

/* The trigger webhook_deliveries_removed writes into the ledger what r has told it. */
#define SQL_DISCARDED "DELETE FROM webhook_deliveries d USING locked l"
#define SQL_TELLS_DISCARD                                                                          \
    " set_config('postrider.removal', 'discard', true),"                                           \
    " set_config('postrider.removal_replay', id::text, true),"

/* Asked again of what is locked: whoever held it may have sent it again, so that it has failed once more since. */
#define SQL_CHOSEN_STILL                                                                           \
    SQL_CHECKED("d.status = 'failed'")                                                             \
    " AND " SQL_FAILED_AT " < (SELECT requested_at FROM r)"                                        \
    " AND (d.erased_at IS NULL OR (SELECT kind = 'discard' FROM r))"

/* Nothing is sent to an endpoint by a discard, so how it fares is not asked. */
#define SQL_STEP(kinds, tells, changes, lock, missed)                                              \
    "WITH r AS MATERIALIZED (SELECT id, kind, customer_id, requested_at," tells                    \
    " COALESCE(split_part(position, ' ', 1)::timestamptz, '-infinity') AS after_time,"             \
    " COALESCE(split_part(position, ' ', 2), '00000000-0000-0000-0000-000000000000')::uuid"        \
    " AS after_id,"                                                                                \
    " CASE WHEN filter ->> 'endpoint' NOT LIKE '%*' THEN filter ->> 'endpoint' END AS endpoint,"   \
    " CASE WHEN filter ->> 'endpoint' LIKE '%*'"                                                   \
    " THEN left(filter ->> 'endpoint', -1) END AS beginning,"                                      \
    " (filter ->> 'customer')::uuid AS customer, filter ->> 'event_type' AS event_type,"           \
    " (filter ->> 'since')::timestamptz AS since, (filter ->> 'until')::timestamptz AS until,"     \
    " lower(filter ->> 'error') AS error_part, CASE WHEN filter ? 'ids' THEN"                      \
    " ARRAY(SELECT DISTINCT jsonb_array_elements_text(filter -> 'ids')::uuid) END AS ids,"         \
    " CASE WHEN position IS NULL THEN '{}' ELSE skipped END AS skipped,"                           \
    " CASE WHEN position IS NULL THEN 0 ELSE skipped_count END AS skipped_count,"                  \
    " CASE WHEN position IS NULL THEN 0 ELSE waiting_count END AS waiting_count"                   \
    " FROM webhook_replays WHERE id = $1::uuid AND position IS NOT DISTINCT FROM $2"               \
    " AND pass = $3::integer AND " SQL_OPEN " AND " kinds " FOR UPDATE SKIP LOCKED),"              \
    " seen AS MATERIALIZED (SELECT d.* FROM r CROSS JOIN LATERAL ("                                \
    "(" SQL_LOOKED_AT " FROM webhook_deliveries d WHERE r.ids IS NULL AND d.status = 'failed' AND " SQL_BEHIND \
    " ORDER BY d.created_at, d.id LIMIT $4::bigint) UNION ALL"                                     \
    " (" SQL_LOOKED_AT " FROM unnest(r.ids) AS u (given)"                                          \
    " JOIN webhook_deliveries d ON " SQL_HAS_ID("d.id", "u.given") " WHERE r.ids IS NOT NULL AND " SQL_CHECKED("d.status = 'failed'") \
    " AND " SQL_BEHIND ")) d),"                                                                    \
    " judged AS (SELECT s.*, e.is_disabled, e.is_failing, row_number() OVER"                       \
    " (PARTITION BY s.webhook_url, s.is_chosen ORDER BY s.created_at, s.id) AS place"              \
    " FROM seen s CROSS JOIN r LEFT JOIN LATERAL (SELECT disabled_at IS NOT NULL AS is_disabled,"               \
    " failing_since IS NOT NULL AS is_failing FROM webhook_endpoints e"                            \
    " WHERE e.customer_id = s.customer_id AND e.url = s.webhook_url"                               \
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("s.webhook_url") " LIMIT 1) e"      \
    " ON s.is_chosen AND r.kind <> 'discard'),"                                                    \
    " taken AS (SELECT j.*, j.is_chosen AND j.is_disabled IS NOT TRUE AND (j.is_failing IS NOT"    \
    " TRUE OR (j.place = 1 AND NOT r.skipped ? j.webhook_url)) AS is_taken FROM judged j, r),"     \
    " passed AS MATERIALIZED (SELECT * FROM (SELECT t.*, count(*) FILTER (WHERE is_taken) OVER"    \
    " (ORDER BY created_at, id) AS place_taken FROM taken t) t WHERE place_taken <= $5::bigint),"  \
    " locked AS MATERIALIZED (SELECT d.id FROM (SELECT id FROM passed WHERE is_taken) p"           \
    " JOIN webhook_deliveries d ON " SQL_HAS_ID("d.id", "p.id") " WHERE " SQL_CHOSEN_STILL         \
    " ORDER BY d.created_at, d.id FOR UPDATE OF d" lock "),"                                       \
    " changed AS (" changes " WHERE " SQL_HAS_ID("d.id", "l.id") " AND " SQL_CHECKED("d.status = 'failed'") \
    " RETURNING d.id),"                                                                            \
    " left_out AS MATERIALIZED (SELECT webhook_url, count(*) AS number,"                           \
    " count(*) FILTER (WHERE is_disabled IS NOT TRUE) AS waiting FROM passed"                      \
    " WHERE is_chosen AND (NOT is_taken" missed ") GROUP BY 1),"                                   \
    " named AS (SELECT webhook_url, sum(number)::bigint AS number FROM"                            \
    " (SELECT webhook_url, number FROM left_out UNION ALL"                                         \
    " SELECT s.key, s.value::bigint FROM r, jsonb_each_text(r.skipped) s) n GROUP BY 1"            \
    " ORDER BY 2 DESC, 1 LIMIT " SQL_SKIPPED_MAX "),"                                              \
    " sums AS MATERIALIZED (SELECT r.id, r.skipped_count + COALESCE((SELECT sum(number) FROM"      \
    " left_out), 0)::bigint AS skipped_count, r.waiting_count + COALESCE((SELECT sum(waiting)"     \
    " FROM left_out), 0)::bigint AS waiting_count,"                                                \
    " COALESCE((SELECT jsonb_object_agg(webhook_url, number) FROM named), '{}') AS skipped,"       \
    " (SELECT concat(" SQL_UTC_EXACT("created_at") ", ' ', id) FROM passed"                        \
    " ORDER BY created_at DESC, id DESC LIMIT 1) AS position,"                                     \
    " (SELECT count(*) FROM changed) AS changed,"                                                  \
    " (SELECT count(*) FROM passed) = (SELECT count(*) FROM seen) AND (r.ids IS NOT NULL"          \
    " OR (SELECT count(*) FROM seen) < $4::bigint) AS is_end FROM r),"                             \
    " ends AS MATERIALIZED (SELECT s.*, is_end AND (waiting_count = 0 OR $7::bigint IS NULL"       \
    " OR NOT EXISTS (SELECT FROM webhook_lanes WHERE lane = 0 AND lease_expires_at > now()))"      \
    " AS is_over FROM sums s)"                                                                     \
    " UPDATE webhook_replays w SET started_at = COALESCE(w.started_at, now()),"                    \
    " position = CASE WHEN NOT e.is_end OR e.is_over THEN COALESCE(e.position, w.position) END,"   \
    " pass = w.pass + CASE WHEN e.is_end AND NOT e.is_over THEN 1 ELSE 0 END,"                     \
    " done = w.done + e.changed, skipped = e.skipped, skipped_count = e.skipped_count,"            \
    " waiting_count = e.waiting_count, due_at = CASE"                                              \
    " WHEN e.is_end AND NOT e.is_over THEN clock_timestamp() + $7::bigint * interval '1 millisecond'"                \
    " ELSE GREATEST(w.due_at, clock_timestamp() - $6::bigint * interval '1 millisecond')"          \
    " + $6::bigint * LEAST(1, e.changed::float8 / $5::bigint) * interval '1 millisecond' END,"     \
    " finished_at = CASE WHEN e.is_over THEN clock_timestamp() END"                                \
    " FROM ends e WHERE w.id = e.id RETURNING w.done, w.skipped_count,"                            \
    " w.finished_at IS NOT NULL, " SQL_MS_UNTIL("w.due_at") ", w.kind, w.requested_by"

/* A worker waits for nobody: an operator's open transaction on a row must not hold up its outcomes.
 * What somebody else holds is looked at again in a further pass. */
#define SQL_WAITS_NOT " SKIP LOCKED", " OR id NOT IN (SELECT id FROM changed)"
#define SQL_WAITS     "", ""

#define SQL_REPLAY_STEP(waits)  SQL_REPLAY_STEP_(waits)
#define SQL_DISCARD_STEP(waits) SQL_DISCARD_STEP_(waits)
#define SQL_REPLAY_STEP_(lock, missed)                                                             \
    SQL_STEP("kind <> 'discard' AND " SQL_KNOWN, "", SQL_REPLAYED, lock, missed)
#define SQL_DISCARD_STEP_(lock, missed)                                                            \
    SQL_STEP("kind = 'discard'", SQL_TELLS_DISCARD, SQL_DISCARDED, lock, missed)

static const char sql_replay_link[] = SQL_REPLAY_STEP(SQL_WAITS_NOT);
static const char sql_replay_session[] = SQL_REPLAY_STEP(SQL_WAITS);
static const char sql_discard_link[] = SQL_DISCARD_STEP(SQL_WAITS_NOT);
static const char sql_discard_session[] = SQL_DISCARD_STEP(SQL_WAITS);

enum { STEP_DONE, STEP_SKIPPED, STEP_IS_FINISHED, STEP_DUE, STEP_KIND, STEP_REQUESTED_BY };

/* clang-format on */

#define STEP_VALUES 7

/* The values of SQL_STEP, and where they stand. */
struct step {
    char pass[16], look[24], rows[24], wait[24], pause[24];
    const char *values[STEP_VALUES];
};

static bool is_discard(const char *kind)
{
    return strcmp(kind, "discard") == 0;
}

static struct ramp_batch batch_of(bool is_discard, int64_t done, int64_t rate)
{
    return ramp_next(is_discard ? RAMP_IS_OVER : done, rate);
}

static void fill_step(struct step *step, const char *id, const char *position, int pass,
                      struct ramp_batch batch)
{
    int64_t pause_ms = ramp_pass_pause_ms(pass);
    int64_t look = batch.rows * 10;

    if (look < LOOK_MIN)
        look = LOOK_MIN;
    if (look > REPLAYS_LOOK_MAX)
        look = REPLAYS_LOOK_MAX;
    snprintf(step->pass, sizeof(step->pass), "%d", pass);
    snprintf(step->look, sizeof(step->look), "%lld", (long long)look);
    snprintf(step->rows, sizeof(step->rows), "%lld", (long long)batch.rows);
    snprintf(step->wait, sizeof(step->wait), "%lld", (long long)batch.wait_ms);
    snprintf(step->pause, sizeof(step->pause), "%lld", (long long)pause_ms);
    step->values[0] = id;
    step->values[1] = position;
    step->values[2] = step->pass;
    step->values[3] = step->look;
    step->values[4] = step->rows;
    step->values[5] = step->wait;
    step->values[6] = pause_ms == RAMP_NO_PASS ? NULL : step->pause;
}

struct replay replays_at(const PGresult *result, int row)
{
    return (struct replay){
        .id = row_text(result, row, AT_ID),
        .kind = row_text(result, row, AT_KIND),
        .customer_id = row_text(result, row, AT_CUSTOMER),
        .filter = row_text(result, row, AT_FILTER),
        .requested_by = row_text(result, row, AT_REQUESTED_BY),
        .requested_at = row_text(result, row, AT_REQUESTED),
        .started_at = row_text(result, row, AT_STARTED),
        .stopped_at = row_text(result, row, AT_STOPPED),
        .finished_at = row_text(result, row, AT_FINISHED),
        .error = row_text(result, row, AT_ERROR),
        .position = row_text(result, row, AT_POSITION),
        .skipped = row_text(result, row, AT_SKIPPED),
        .rate = row_integer(result, row, AT_RATE, 0),
        .total = row_integer(result, row, AT_TOTAL, -1),
        .done = row_integer(result, row, AT_DONE, 0),
        .ramp_from = row_integer(result, row, AT_RAMP_FROM, 0),
        .skipped_count = row_integer(result, row, AT_SKIPPED_COUNT, 0),
        .due_ms = row_integer(result, row, AT_DUE, 0),
        .pass = (int)row_integer(result, row, AT_PASS, 1),
        .is_known = row_is_true(result, row, AT_IS_KNOWN),
        .result = row_text(result, row, AT_RESULT),
    };
}

static bool read_list(struct db_session *session, const char *sql, const char *value,
                      struct replay_list *ret_list, struct error *error)
{
    PGresult *result = db_session_read(session, sql, 1, &value, error);

    *ret_list = (struct replay_list){0};
    if (result == NULL)
        return false;
    *ret_list = (struct replay_list){result, (size_t)PQntuples(result), NULL};
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        ret_list->rows[i] = replays_at(result, (int)i);
    return true;
}

bool replays_list(struct db_session *session, int64_t limit, struct replay_list *ret_list,
                  struct error *error)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)limit);
    return read_list(session, sql_list, text, ret_list, error);
}

bool replays_find(struct db_session *session, const char *id, struct replay_list *ret_list,
                  struct error *error)
{
    return read_list(session, sql_find, id, ret_list, error);
}

void replays_list_free(struct replay_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct replay_list){0};
}

bool replays_have_worker(struct db_session *session, bool *ret_have_worker, struct error *error)
{
    PGresult *result = db_session_read(session, sql_have_worker, 0, NULL, error);

    if (result == NULL)
        return false;
    *ret_have_worker = row_is_true(result, 0, 0);
    PQclear(result);
    return true;
}

bool replays_request(struct db_session *session, const struct replay_request *request,
                     char ret_id[REPLAY_ID_SIZE], struct error *error)
{
    const struct dead_letter_filter *f = request->filter;
    char rate[24], total[24];
    const char *values[] = {f->endpoint,   f->customer,
                            f->event_type, f->since,
                            f->until,      f->error,
                            f->ids,        request->rate > 0 ? rate : NULL,
                            total,         request->requested_with,
                            request->kind};
    PGresult *result;

    snprintf(rate, sizeof(rate), "%lld", (long long)request->rate);
    snprintf(total, sizeof(total), "%lld", (long long)request->total);
    result =
        db_session_change(session, NULL, sql_request, (int)ARRAY_LENGTH(values), values, error);
    if (result == NULL)
        return false;
    snprintf(ret_id, REPLAY_ID_SIZE, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

static bool change_one(struct db_session *session, const char *sql, const char *id,
                       bool *ret_is_changed, struct error *error)
{
    PGresult *result = db_session_change(session, NULL, sql, 1, &id, error);

    if (result == NULL)
        return false;
    *ret_is_changed = PQntuples(result) > 0;
    PQclear(result);
    return true;
}

bool replays_stop(struct db_session *session, const char *id, bool *ret_is_changed,
                  struct error *error)
{
    return change_one(session, sql_stop, id, ret_is_changed, error);
}

bool replays_resume(struct db_session *session, const char *id, bool *ret_is_changed,
                    struct error *error)
{
    return change_one(session, sql_resume, id, ret_is_changed, error);
}

/* A value that the server can't read: a time on the 31st of June. */
static bool is_bad_filter(const char *sqlstate)
{
    return strncmp(sqlstate, "22", 2) == 0;
}

bool replays_step(struct db_session *session, const struct replay *replay, int64_t *ret_done,
                  struct error *error)
{
    bool discards = is_discard(replay->kind);
    struct step step;
    PGresult *result;
    bool ok;

    fill_step(&step, replay->id, replay->position, replay->pass,
              batch_of(discards, replay->done - replay->ramp_from, replay->rate));
    result = db_session_change(session, NULL, discards ? sql_discard_session : sql_replay_session,
                               STEP_VALUES, step.values, error);
    ok = result != NULL;
    if (ok && PQntuples(result) > 0)
        *ret_done = row_integer(result, 0, STEP_DONE, 0);
    PQclear(result);
    if (!ok && is_bad_filter(db_session_sqlstate(session))) {
        const char *values[] = {replay->id, error->message};

        result = db_session_change(session, NULL, sql_error, 2, values, error);
        ok = result != NULL;
        PQclear(result);
    }
    return ok;
}

/* --- the worker's --- */

/* The statements of replays_send_due(). */
enum { DUE_GUARD, DUE_KNOWN, DUE_UNKNOWN };

bool replays_send_due(struct db_link *link, const char *schema, db_link_answered *on_answer,
                      void *owner)
{
    const struct db_statement statements[] = {
        [DUE_GUARD] = row_security_look(schema),
        [DUE_KNOWN] = {sql_due, 0, {NULL}},
        [DUE_UNKNOWN] = {sql_unknown, 0, {NULL}},
    };

    return db_link_send_often(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool replays_due_turn(const struct db_answer *answer, struct replay_turn *ret_turn)
{
    const PGresult *result = answer->results[DUE_KNOWN];
    struct replay replay;

    if (PQntuples(result) == 0)
        return false;
    replay = replays_at(result, 0);
    *ret_turn = (struct replay_turn){
        .pass = replay.pass,
        .done = replay.done,
        .ramp_from = replay.ramp_from,
        .rate = replay.rate,
        .due_ms = replay.due_ms,
        .is_begin = replay.started_at == NULL,
        .is_discard = is_discard(replay.kind),
    };
    snprintf(ret_turn->id, sizeof(ret_turn->id), "%s", replay.id);
    snprintf(ret_turn->position, sizeof(ret_turn->position), "%s",
             replay.position != NULL ? replay.position : "");
    return true;
}

static const char *unknown(const struct db_answer *answer, int column)
{
    const PGresult *result = answer->results[DUE_UNKNOWN];

    return PQntuples(result) > 0 ? row_text(result, 0, column) : NULL;
}

const char *replays_unknown_id(const struct db_answer *answer)
{
    return unknown(answer, AT_ID);
}

const char *replays_unknown_kind(const struct db_answer *answer)
{
    return unknown(answer, AT_KIND);
}

/* What is hidden from a step seems to be done. The other statements only find nothing to do yet. */
static const char sql_hold_step[] = ROW_SECURITY_HOLD(
    "webhook_replays, webhook_deliveries, webhook_endpoints, webhook_events, webhook_lanes");

/* The statements of replays_send_step(). */
enum { STEP_HOLD, STEP_GUARD, STEP_ITSELF };

bool replays_send_step(struct db_link *link, const char *schema, const struct replay_turn *turn,
                       db_link_answered *on_answer, void *owner)
{
    struct step step;
    struct db_statement statements[] = {
        [STEP_HOLD] = {sql_hold_step, 0, {NULL}},
        [STEP_GUARD] = row_security_look(schema),
        [STEP_ITSELF] = {turn->is_discard ? sql_discard_link : sql_replay_link,
                         STEP_VALUES,
                         {NULL}},
    };

    fill_step(&step, turn->id, turn->position[0] != '\0' ? turn->position : NULL, turn->pass,
              batch_of(turn->is_discard, turn->done - turn->ramp_from, turn->rate));
    memcpy(statements[STEP_ITSELF].values, step.values, sizeof(step.values));
    return db_link_send_often(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

struct replay_progress replays_progress(const struct db_answer *answer)
{
    const PGresult *result = answer->results[STEP_ITSELF];

    if (PQntuples(result) == 0)
        return (struct replay_progress){0};
    return (struct replay_progress){
        .is_done = true,
        .is_finished = row_is_true(result, 0, STEP_IS_FINISHED),
        .done = row_integer(result, 0, STEP_DONE, 0),
        .skipped_count = row_integer(result, 0, STEP_SKIPPED, 0),
        .due_ms = row_integer(result, 0, STEP_DUE, 0),
        .kind = row_text(result, 0, STEP_KIND),
        .requested_by = row_text(result, 0, STEP_REQUESTED_BY),
    };
}

bool replays_is_bad_filter(const struct db_answer *answer)
{
    return answer->result == DB_REFUSED && is_bad_filter(answer->sqlstate);
}

bool replays_send_error(struct db_link *link, const char *schema, const char *id,
                        const char *message, db_link_answered *on_answer, void *owner)
{
    const struct db_statement statements[] = {row_security_look(schema),
                                              {sql_error, 2, {id, message}}};

    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

bool replays_send_removal(struct db_link *link, const char *schema, db_link_answered *on_answer,
                          void *owner)
{
    char days[16];
    const struct db_statement statements[] = {row_security_look(schema), {sql_removal, 1, {days}}};

    snprintf(days, sizeof(days), "%d", REPLAYS_KEEP_DAYS);
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}
