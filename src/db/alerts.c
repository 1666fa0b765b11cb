/* SPDX-License-Identifier: MIT */
#include "db/alerts.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "db/blocked_keys.h"
#include "db/fragments.h"
#include "db/row.h"
#include "db/row_security.h"

#define DEAD_MAX     "10000" /* dead letters, the newest by creation: ALERT_DEAD_LETTERS_MAX */
#define LATE_MAX     "500"   /* of each lane, rows that are late */
#define NOTES_MAX    "10000"
#define EXAMPLES_MAX "5"
#define URL_SHOWN    "500" /* characters of a URL in a message */

/* SQL reads better by its clauses. */
/* clang-format off */

/* For this transaction: a slow look must not keep deliveries waiting behind it. */
static const char sql_limit[] =
    "SELECT set_config('statement_timeout', '" TEXT_OF(ALERTS_LOOK_MS) "', true)";

/* Whose fault a dead letter is. What an operator has given up is nobody's. */
#define SQL_IS_OURS                                                                                \
    "last_error ~ '^not sent: .*(no signing secret|secrets can|signing\\.|payload has"             \
    "|client_certificate|webhook_endpoints|network\\.(proxy|source|ca_file|crl))|(the|resolve) proxy'"

#define SQL_IS_ALERT(type) type " LIKE '" ALERT_TYPE_PREFIX "%'"

/* The endpoints with the most of what stands in source (webhook_url, customer_id). */
#define SQL_EXAMPLES(source)                                                                       \
    "(SELECT COALESCE(jsonb_agg(jsonb_build_object('url', left(webhook_url, " URL_SHOWN "),"        \
    " 'customer_id', customer_id, 'count', number) ORDER BY number DESC, webhook_url), '[]') FROM"  \
    " (SELECT webhook_url, customer_id, count(*) AS number FROM " source " GROUP BY 1, 2"          \
    " ORDER BY 3 DESC, 1 LIMIT " EXAMPLES_MAX ") x)"

#define SQL_DEAD(cause, condition)                                                                 \
    "SELECT '" cause "', LEAST(count(*), " DEAD_MAX "), (SELECT count(*) > " DEAD_MAX " FROM dead),"                    \
    " NULL::bigint, jsonb_build_object('endpoints', "                                              \
    SQL_EXAMPLES("(SELECT * FROM recent WHERE " condition ") r") ")"                               \
    " FROM recent WHERE $1::float8 > 0 AND " condition

#define SQL_LATE(cause, condition, parameter)                                                      \
    "SELECT '" cause "', count(*), (SELECT bool_or(seen >= " LATE_MAX ") FROM lanes), "            \
    SQL_MS_SINCE("min(next_retry_at)") ", jsonb_build_object('endpoints', "                        \
    SQL_EXAMPLES("(SELECT * FROM late WHERE " condition                                            \
                 " AND next_retry_at <= now() - make_interval(secs => " parameter ")) l") ")"      \
    " FROM late WHERE " parameter " > 0 AND " condition                                            \
    " AND next_retry_at <= now() - make_interval(secs => " parameter ")"

#define SQL_NOTED(kind)                                                                            \
    "SELECT '" kind "', count(*), false, NULL::bigint, NULL::jsonb FROM (SELECT FROM"              \
    " webhook_alert_notes WHERE $7::boolean AND kind = '" kind "' AND endpoint_id NOT IN"          \
    " (SELECT endpoint_id FROM webhook_alert_endpoint) LIMIT 1) n"

/*
 * One row for each cause: its name, how many, whether counting ended there, since when in ms, and
 * JSON. $1: the window of dead letters in seconds, $2 and $3: after how many seconds a due row is
 * late, of an endpoint that answers and of one that fails; $4 to $7: keys, lanes, audit, endpoints.
 * Late rows are found by the index of each lane, and there are none where all is well.
 */
static const char sql_look[] =
    "WITH dead AS MATERIALIZED (SELECT webhook_url, customer_id, event_type,"
    " COALESCE(last_error, '') AS last_error, " SQL_FAILED_AT " AS failed_at"
    " FROM webhook_deliveries WHERE $1::float8 > 0 AND status = 'failed'"
    " ORDER BY created_at DESC, id DESC LIMIT 1 + " DEAD_MAX "),"
    " recent AS MATERIALIZED (SELECT webhook_url, customer_id, " SQL_IS_OURS " AS is_ours FROM dead"
    " WHERE failed_at > now() - make_interval(secs => $1::float8)"
    " AND NOT " SQL_IS_ALERT("event_type") " AND last_error NOT LIKE 'given up by the role%'),"
    " stale AS MATERIALIZED (SELECT l.lane, r.* FROM webhook_lanes l CROSS JOIN LATERAL"
    " (SELECT webhook_url, customer_id, event_type, next_retry_at FROM webhook_deliveries"
    " WHERE $2::float8 + $3::float8 > 0 AND status = 'pending' AND " SQL_LANE("webhook_url") " = l.lane"
    " AND next_retry_at <= now() - make_interval(secs => CASE WHEN $2 > 0 AND ($3 = 0 OR $2 < $3)"
    " THEN $2 ELSE $3 END) ORDER BY next_retry_at, id LIMIT " LATE_MAX ") r),"
    " lanes AS (SELECT count(*) AS seen FROM stale GROUP BY lane),"
    " late AS MATERIALIZED (SELECT s.webhook_url, s.customer_id, s.next_retry_at,"
    " COALESCE(e.is_failing, false) AS is_failing FROM stale s LEFT JOIN LATERAL"
    " (SELECT failing_since IS NOT NULL AS is_failing, paused_at IS NOT NULL AS is_paused"
    " FROM webhook_endpoints e WHERE e.customer_id = s.customer_id AND e.url = s.webhook_url"
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("s.webhook_url") " LIMIT 1) e ON true"
    " WHERE NOT " SQL_IS_ALERT("s.event_type") " AND e.is_paused IS NOT TRUE),"
    SQL_BLOCKED_KEYS("$4::boolean") ","
    " unowned AS (SELECT lane FROM webhook_lanes WHERE $5::boolean"
    " AND (owner IS NULL OR (lease_expires_at > now()) IS NOT TRUE)),"
    " audited AS (SELECT * FROM webhook_alert_notes WHERE $6::boolean AND kind LIKE 'audit%'"
    " ORDER BY id DESC LIMIT 1) "
    SQL_DEAD("dead_letters", "is_ours")
    " UNION ALL " SQL_DEAD("dead_letters.receiver", "NOT is_ours")
    " UNION ALL " SQL_LATE("oldest_due", "NOT is_failing", "$2::float8")
    " UNION ALL " SQL_LATE("oldest_due.receiver", "is_failing", "$3::float8")
    " UNION ALL SELECT 'key_blocked', LEAST(count(*), " BLOCKED_KEYS_MAX "), " SQL_BLOCKED_MORE ", NULL,"
    " jsonb_build_object('delivery_id', min(head::text), 'endpoints',"
    " (SELECT COALESCE(jsonb_agg(DISTINCT left(url, " URL_SHOWN ")), '[]') FROM (SELECT url FROM blocked"
    " LIMIT " EXAMPLES_MAX ") u)) FROM blocked"
    " UNION ALL SELECT 'lane_unowned', count(*), false, NULL, jsonb_build_object('lanes',"
    " COALESCE(jsonb_agg(lane ORDER BY lane), '[]')) FROM unowned"
    " UNION ALL SELECT 'audit', count(*), false, max(" SQL_MS_SINCE("noted_at") "),"
    " jsonb_build_object('audit', max(detail)) FROM audited WHERE kind = 'audit_failed'"
    " UNION ALL " SQL_NOTED("endpoint_disabled") " UNION ALL " SQL_NOTED("endpoint_recovered");

enum { FOUND_CAUSE, FOUND_COUNT, FOUND_MORE, FOUND_AGE, FOUND_DETAIL };

#define SQL_HAVE_SECRET                                                                            \
    " EXISTS (SELECT FROM webhook_secrets WHERE customer_id = NULLIF($1, '')::uuid"                \
    " AND (url = '' OR url = $2) AND (not_after IS NULL OR not_after > now()))"
static const char sql_have_secret[] = "SELECT" SQL_HAVE_SECRET;

/* What was told. A row without a cause: $1 customer and $2 URL, whether a secret is there for them,
 * and what their endpoint is. */
static const char sql_states[] =
    "SELECT cause, resolved_at IS NULL, told_at IS NOT NULL, " SQL_MS_SINCE("told_at") ", "
    SQL_MS_SINCE("resolved_at") ", pause_ms, version, NULL::boolean, NULL::boolean, NULL::boolean"
    " FROM webhook_alerts"
    " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
    SQL_HAVE_SECRET ","
    " e.disabled_at IS NOT NULL, e.paused_at IS NOT NULL FROM (VALUES (0)) v LEFT JOIN"
    " webhook_endpoints e ON e.customer_id = NULLIF($1, '')::uuid AND e.url = $2"
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("$2::text");

enum { STATE_CAUSE, STATE_OPEN, STATE_IS_TOLD, STATE_TOLD, STATE_ENDED, STATE_PAUSE, STATE_VERSION,
       STATE_SECRET, STATE_DISABLED, STATE_PAUSED };

/*
 * $1 cause, $2 fault, $3 what is done, $4 pause, $5 whether it is a message, $6 summary, $7 detail,
 * $8 version, $9 age in ms, $10 customer, $11 URL, $12 type, $13 kind of the notes (NULL: none).
 * Notes are counted and deleted by the statement that tells of them.
 */
#define SQL_BEGINS "$3 IN ('raised', 'occurred')"

static const char sql_change[] =
    "WITH gone AS (DELETE FROM webhook_alert_notes WHERE id IN (SELECT id FROM webhook_alert_notes"
    " WHERE kind = $13 AND COALESCE((SELECT version FROM webhook_alerts WHERE cause = $13), 0) = $8::bigint"
    " ORDER BY id LIMIT " NOTES_MAX ") RETURNING *),"
    " noted AS MATERIALIZED (SELECT * FROM gone WHERE endpoint_id NOT IN"
    " (SELECT endpoint_id FROM webhook_alert_endpoint)),"
    " told AS (SELECT COALESCE($6::text, format('%s endpoint%s %s: %s', count(DISTINCT endpoint_id),"
    " CASE WHEN count(DISTINCT endpoint_id) = 1 THEN ' was' ELSE 's were' END,"
    " CASE $13 WHEN 'endpoint_disabled' THEN 'disabled' ELSE 'enabled again' END,"
    " (SELECT string_agg(left(url, 100), ', ' ORDER BY id) FROM (SELECT url, min(id) AS id FROM noted"
    " GROUP BY url ORDER BY 2 LIMIT 3) f)) || CASE WHEN count(DISTINCT endpoint_id) > 3"
    " THEN ', …' ELSE '' END) AS summary,"
    " CASE WHEN $13::text IS NULL THEN COALESCE($7::jsonb, '{}') ELSE jsonb_build_object("
    "'count', count(DISTINCT endpoint_id), 'endpoints', (SELECT jsonb_agg(f) FROM (SELECT endpoint_id,"
    " customer_id, left(url, " URL_SHOWN ") AS url, detail AS reason, " SQL_UTC("noted_at") " AS at"
    " FROM noted ORDER BY id LIMIT " EXAMPLES_MAX ") f)) END AS detail FROM noted),"
    " changed AS (INSERT INTO webhook_alerts AS a (cause, fault, raised_at, told_at, resolved_at, pause_ms,"
    " summary, detail) SELECT $1::varchar, $2::varchar, now() - $9::bigint * interval '1 millisecond',"
    " CASE WHEN $5::boolean THEN now() END, CASE WHEN $3::text = 'occurred' THEN now() END, $4::bigint,"
    " summary, detail FROM told WHERE $13::text IS NULL OR EXISTS (SELECT FROM noted)"
    " ON CONFLICT (cause) DO UPDATE SET fault = EXCLUDED.fault, pause_ms = EXCLUDED.pause_ms,"
    " id = CASE WHEN " SQL_BEGINS " THEN gen_random_uuid() ELSE a.id END,"
    " raised_at = CASE WHEN " SQL_BEGINS " THEN EXCLUDED.raised_at ELSE a.raised_at END,"
    " told_at = CASE WHEN $5 THEN now() WHEN $3 = 'raised' THEN NULL ELSE a.told_at END,"
    " resolved_at = CASE WHEN $3 IN ('resolved', 'occurred') THEN now()"
    " WHEN $3 = 'raised' THEN NULL ELSE a.resolved_at END,"
    " summary = EXCLUDED.summary, detail = EXCLUDED.detail, version = a.version + 1"
    " WHERE a.version = $8::bigint RETURNING a.*)"
    " SELECT summary, CASE WHEN $5 AND $11::text <> '' THEN webhook_alert_publish(id, $10::uuid, $11,"
    " $12, jsonb_build_object('alert_id', id, 'cause', split_part(cause, '.', 1), 'state',"
    " CASE $3 WHEN 'told' THEN 'raised' ELSE $3 END,"
    " 'fault', fault, 'summary', summary, 'since', " SQL_UTC("raised_at") ") || detail) END FROM changed";

/* The last one is enough. */
static const char sql_note_audit[] =
    "WITH gone AS (DELETE FROM webhook_alert_notes WHERE kind LIKE 'audit%')"
    " INSERT INTO webhook_alert_notes (kind, detail) VALUES ($1, $2)";

const char alerts_open_sql[] =
    "SELECT cause, fault, summary, " SQL_UTC("raised_at") ", " SQL_MS_SINCE("raised_at") ", "
    SQL_MS_SINCE("told_at") " FROM webhook_alerts WHERE resolved_at IS NULL ORDER BY raised_at, cause";

/* clang-format on */

static const char *text_of_bool(bool value)
{
    return value ? "true" : "false";
}

bool alerts_send_look(struct db_link *link, const struct alerts_question *question,
                      db_link_answered *on_answer, void *owner)
{
    char window[32], late[32], late_receiver[32];
    const struct db_statement statements[] = {
        {sql_limit, 0, {NULL}},
        {sql_look,
         7,
         {window, late, late_receiver, text_of_bool(question->blocked_keys),
          text_of_bool(question->lanes), text_of_bool(question->audit),
          text_of_bool(question->endpoints)}},
        {sql_states, 2, {question->customer, question->url}}};

    snprintf(window, sizeof(window), "%.3f", (double)question->window_ms / 1000);
    snprintf(late, sizeof(late), "%.3f", (double)question->oldest_due_ms / 1000);
    snprintf(late_receiver, sizeof(late_receiver), "%.3f",
             (double)question->oldest_due_receiver_ms / 1000);
    return db_link_send(link, statements, 3, on_answer, owner);
}

static void read_found(const PGresult *result, int row, struct alerts_look *look)
{
    enum alert_cause cause = alert_cause_of(row_text(result, row, FOUND_CAUSE));
    struct alerts_found *found = &look->found[cause];

    found->is_there = row_integer(result, row, FOUND_COUNT, 0) > 0;
    found->is_partial = row_is_true(result, row, FOUND_MORE);
    found->finding.count = row_integer(result, row, FOUND_COUNT, 0);
    found->finding.is_more = found->is_partial;
    found->finding.age_ms = row_integer(result, row, FOUND_AGE, 0);
    found->detail = row_text(result, row, FOUND_DETAIL);
}

/* One of a version that knows more is left alone. */
static void read_state(const PGresult *result, int row, struct alerts_look *look)
{
    const char *name = row_text(result, row, STATE_CAUSE);
    enum alert_cause cause = name != NULL ? alert_cause_of(name) : ALERT_CAUSES;

    if (name == NULL) {
        look->has_secret = row_is_true(result, row, STATE_SECRET);
        look->is_disabled = row_is_true(result, row, STATE_DISABLED);
        look->is_paused = row_is_true(result, row, STATE_PAUSED);
    } else if (cause != ALERT_CAUSES) {
        look->versions[cause] = row_integer(result, row, STATE_VERSION, 0);
        look->states[cause] = (struct alert_state){
            .is_known = true,
            .is_open = row_is_true(result, row, STATE_OPEN),
            .is_told = row_is_true(result, row, STATE_IS_TOLD),
            .told_ms = row_integer(result, row, STATE_TOLD, 0),
            .ended_ms = row_integer(result, row, STATE_ENDED, 0),
            .pause_ms = row_integer(result, row, STATE_PAUSE, 0),
        };
    }
}

struct alerts_look alerts_read_look(const struct db_answer *answer)
{
    struct alerts_look look = {
        .results = {db_answer_take(answer, 1), db_answer_take(answer, 2)},
    };

    for (int i = 0; i < PQntuples(look.results[0]); i++)
        read_found(look.results[0], i, &look);
    for (int i = 0; i < PQntuples(look.results[1]); i++)
        read_state(look.results[1], i, &look);
    return look;
}

void alerts_look_free(struct alerts_look *look)
{
    PQclear(look->results[0]);
    PQclear(look->results[1]);
    *look = (struct alerts_look){0};
}

static const char *act_name(enum alert_act act)
{
    switch (act) {
    case ALERT_RAISE:
        return "raised";
    case ALERT_TELL:
        return "told";
    case ALERT_REMIND:
        return "reminder";
    case ALERT_RESOLVE:
        return "resolved";
    case ALERT_OCCUR:
        return "occurred";
    case ALERT_LEAVE:
        break;
    }
    bug("nothing is to be done: %d", (int)act);
}

/* A note that is hidden would be told of once more, and an alert be raised a second time. */
static const char sql_hold_change[] =
    ROW_SECURITY_HOLD("webhook_alerts, webhook_alert_notes, webhook_alert_endpoint");

/* The statements of alerts_send_change(). */
enum { CHANGE_HOLD, CHANGE_GUARD, CHANGE_ITSELF };

bool alerts_send_change(struct db_link *link, const char *schema,
                        const struct alerts_change *change, db_link_answered *on_answer,
                        void *owner)
{
    const struct alert_kind *kind = alert_kind(change->cause);
    bool is_over = change->decision.act == ALERT_RESOLVE;
    bool is_noted =
        change->cause == ALERT_ENDPOINT_DISABLED || change->cause == ALERT_ENDPOINT_RECOVERED;
    char pause[24], version[24], age[24], type[64];
    const struct db_statement statements[] = {
        [CHANGE_HOLD] = {sql_hold_change, 0, {NULL}},
        [CHANGE_GUARD] = row_security_look(schema),
        [CHANGE_ITSELF] = {
            sql_change,
            13,
            {kind->name, kind->is_receivers ? "receiver" : "ours", act_name(change->decision.act),
             pause, text_of_bool(change->decision.is_message), change->summary, change->detail,
             version, age, change->customer[0] != '\0' ? change->customer : NULL, change->url, type,
             is_noted ? kind->name : NULL}}};

    snprintf(pause, sizeof(pause), "%lld", (long long)change->decision.pause_ms);
    snprintf(version, sizeof(version), "%lld", (long long)change->version);
    snprintf(age, sizeof(age), "%lld", (long long)change->age_ms);
    snprintf(type, sizeof(type), ALERT_TYPE_PREFIX "%s%s", kind->type, is_over ? ".resolved" : "");
    return db_link_send(link, statements, ARRAY_LENGTH(statements), on_answer, owner);
}

const char *alerts_changed(const struct db_answer *answer)
{
    const PGresult *result = answer->results[CHANGE_ITSELF];

    return PQntuples(result) > 0 ? row_text(result, 0, 0) : NULL;
}

bool alerts_have_secret(struct db_session *session, const char *customer, const char *url,
                        bool *ret_have, struct error *error)
{
    const char *values[] = {customer, url};
    PGresult *result = db_session_read(session, sql_have_secret, 2, values, error);

    if (result == NULL)
        return false;
    *ret_have = row_is_true(result, 0, 0);
    PQclear(result);
    return true;
}

bool alerts_note_audit(struct db_session *session, bool is_clean, const char *detail,
                       struct error *error)
{
    const char *values[] = {is_clean ? "audit_passed" : "audit_failed", detail};
    PGresult *result;

    if (!db_session_begin(session, error))
        return false;
    result = db_session_query(session, sql_note_audit, 2, values, error);
    PQclear(result);
    if (result != NULL && db_session_commit(session, error))
        return true;
    db_session_rollback(session);
    return false;
}

struct alert_record alert_record_at(const PGresult *result, int row)
{
    return (struct alert_record){
        .cause = row_text(result, row, 0),
        .fault = row_text(result, row, 1),
        .summary = row_text(result, row, 2),
        .raised_at = row_text(result, row, 3),
        .open_ms = row_integer(result, row, 4, 0),
        .told_ms = row_integer(result, row, 5, -1),
    };
}
