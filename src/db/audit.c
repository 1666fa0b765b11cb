/* SPDX-License-Identifier: MIT */
#include "db/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "db/adoption.h"
#include "db/fragments.h"
#include "db/row.h"

/* SQL reads better by its clauses. */
/* clang-format off */

static const char sql_sheet[] =
    "SELECT * FROM (SELECT customer_id, webhook_url, count(*) AS inserted,"
    " count(*) FILTER (WHERE fate = 'delivered') AS delivered,"
    " count(*) FILTER (WHERE fate = 'failed') AS dead,"
    " count(*) FILTER (WHERE fate = 'pending') AS pending,"
    " count(*) FILTER (WHERE fate = 'discarded') AS discarded,"
    " count(*) FILTER (WHERE fate = 'deleted') AS deleted,"
    " count(*) FILTER (WHERE is_erased) AS erased FROM (SELECT customer_id, webhook_url,"
    " status::text AS fate, erased_at IS NOT NULL AS is_erased FROM webhook_deliveries WHERE created_at >= $1 UNION ALL"
    " SELECT customer_id, webhook_url, CASE WHEN is_discard THEN 'discarded' ELSE 'deleted' END, false"
    " FROM webhook_removals WHERE created_at >= $1) d GROUP BY 1, 2) s"
    " ORDER BY pending + dead DESC, discarded + deleted DESC, inserted DESC, 1, 2";

/*
 * The next_retry_at of a row that is finished is when it was due: rows of one endpoint are sent in
 * that order, but for those of ordering keys. What a worker has promised is on its way. The oldest
 * one's id comes by the index of endpoints: an aggregate would sort them all.
 */
static const char sql_waiting[] =
    "WITH w AS MATERIALIZED (SELECT customer_id, webhook_url, next_retry_at = 'infinity'"
    " AS is_parked, count(*) AS number, min(next_retry_at) AS oldest FROM webhook_deliveries"
    " WHERE status = 'pending' AND (next_retry_at = 'infinity' AND ordering_key IS NULL"
    " OR next_retry_at < now() - $1::float8 * interval '1 millisecond') GROUP BY 1, 2, 3),"
    " k AS MATERIALIZED (SELECT s.customer_id, s.webhook_url, s.number, h.head, h.is_blocked FROM ("
    "SELECT endpoint_id, ordering_key, customer_id, webhook_url, count(*) AS number"
    " FROM webhook_deliveries WHERE status = 'pending' AND ordering_key IS NOT NULL"
    " GROUP BY 1, 2, 3, 4 HAVING min(next_retry_at) = 'infinity') s"
    " CROSS JOIN LATERAL webhook_ordering_head(s.endpoint_id, s.ordering_key) h"
    " WHERE h.head IS NOT NULL AND NOT EXISTS (SELECT FROM (SELECT unnest(p.delivery_ids) AS id"
    " FROM webhook_promotions p JOIN webhook_workers o ON o.owner = p.owner AND o.lease_expires_at > now()) p"
    " WHERE p.id = h.head)),"
    " a AS MATERIALIZED (SELECT customer_id, webhook_url, max(last_attempt_at) AS last_at,"
    " max(next_retry_at) FILTER (WHERE status <> 'pending' AND attempts > 0 AND ordering_key IS NULL) AS last_due"
    " FROM webhook_deliveries WHERE EXISTS (SELECT FROM w)"
    " AND last_attempt_at > now() - interval '1 day' GROUP BY 1, 2)"
    " SELECT w.customer_id, w.webhook_url, w.number, w.is_parked, false AS is_ordered, f.id, "
    SQL_MS_SINCE("w.oldest") ", " SQL_MS_SINCE("a.last_at") ", e.rate_limit, "
    SQL_UTC("e.failing_since") ", a.last_due > w.oldest + $1::float8 * interval '1 millisecond'"
    " FROM w CROSS JOIN LATERAL (SELECT id FROM webhook_deliveries d WHERE d.status = 'pending'"
    " AND " SQL_ENDPOINT_HASH("d.webhook_url") " = " SQL_ENDPOINT_HASH("w.webhook_url")
    " AND d.next_retry_at = w.oldest AND d.customer_id = w.customer_id"
    " AND d.webhook_url = w.webhook_url ORDER BY d.next_retry_at, d.id LIMIT 1) f"
    " LEFT JOIN a ON a.customer_id = w.customer_id AND a.webhook_url = w.webhook_url"
    " LEFT JOIN webhook_endpoints e ON e.customer_id = w.customer_id"
    " AND " SQL_ENDPOINT_HASH("e.url") " = " SQL_ENDPOINT_HASH("w.webhook_url")
    " AND e.url = w.webhook_url UNION ALL"
    " SELECT customer_id, webhook_url, sum(number), false, true, (min(head::text))::uuid, NULL, NULL,"
    " NULL, NULL, false FROM k GROUP BY customer_id, webhook_url, is_blocked"
    " ORDER BY 4, 5, 3 DESC, 1, 2";

/*
 * Somebody may give up what was delivered, or put it back to pending and give it up then: the answer
 * is of before. Then the trigger webhook_deliveries_given_up has said who, or no attempt counts.
 */
#define SQL_NOT_BY_HAND                                                                            \
    "attempts > 0 AND erased_at IS NULL"                                                           \
    " AND starts_with(last_error, 'given up by the role ') IS NOT TRUE"

/* An erasure empties last_error, and with it who gave a row up. array_to_string() leaves NULLs out. A minute, a second: the producer's and the worker's clocks. */
#define SQL_WRONG                                                                                  \
    "array_to_string(ARRAY["                                                                       \
    " CASE WHEN attempts < 0 THEN 'attempts is ' || attempts END,"                                 \
    " CASE WHEN attempts > 0 AND last_attempt_at IS NULL"                                          \
    " THEN attempts || ' attempts without a last_attempt_at' END,"                                 \
    " CASE WHEN last_attempt_at > now() + interval '1 minute'"                                     \
    " THEN 'the last attempt is in the future' END,"                                               \
    " CASE WHEN created_at > now() + interval '1 minute' THEN 'created in the future' END,"        \
    " CASE WHEN last_attempt_at < created_at - interval '1 second'"                                \
    " THEN 'attempted before it was created' END,"                                                 \
    " CASE WHEN status = 'delivered' AND attempts < 1 THEN 'delivered without an attempt' END,"    \
    " CASE WHEN status = 'delivered' AND (response_status BETWEEN 200 AND 299) IS NOT TRUE"        \
    " THEN 'delivered, and the last answer was ' || COALESCE(response_status::text, 'none') END,"  \
    " CASE WHEN status = 'delivered' AND last_error IS NOT NULL"                                   \
    " THEN 'delivered with an error: ' || left(last_error, 80) END,"                               \
    " CASE WHEN status = 'failed' AND response_status BETWEEN 200 AND 299 AND " SQL_NOT_BY_HAND    \
    " THEN 'failed, and the last answer was ' || response_status END,"                             \
    " CASE WHEN status = 'failed' AND last_error IS NULL AND erased_at IS NULL"                    \
    " THEN 'failed without a last_error' END], '; ')"

/*
 * What was left so before the table was adopted was written by rules that nobody here knows.
 *
 * An attempt and its outcome are written together. So the log has no attempt after the row's last
 * one; and the last one of a row that is not delivered is in it, since it failed, unless it began
 * when a worker may have logged none.
 */
#define SQL_UNLOGGED                                                                               \
    "(SELECT since, until FROM webhook_unlogged UNION ALL SELECT attempt_log_since,"               \
    " CASE WHEN lease_expires_at > now() THEN 'infinity' ELSE lease_expires_at END"                \
    " FROM webhook_workers WHERE attempt_log IS NULL OR attempt_log = 'none')"

static const char sql_contradictions[] =
    "WITH c AS (SELECT id, what FROM (SELECT id, " SQL_WRONG " AS what FROM webhook_deliveries"
    " WHERE created_at >= $1 OR status = 'pending') w WHERE what <> ''"
    " UNION ALL SELECT d.id, 'the attempt log has attempt ' || max(a.attempt) || ' of '"
    " || max(" SQL_UTC("a.started_at") ") || ', after the last one of the row'"
    " FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id"
    " WHERE a.started_at > d.last_attempt_at + interval '1 second'"
    " AND (d.created_at >= $1 OR d.status = 'pending') GROUP BY d.id"
    " UNION ALL SELECT d.id, 'attempt ' || d.attempts || ' is not in the attempt log'"
    " FROM webhook_deliveries d WHERE $2 AND d.status IN ('pending', 'failed') AND d.attempts > 0"
    " AND (d.created_at >= $1 OR d.status = 'pending') AND d.last_attempt_at >"
    " (SELECT started_at FROM webhook_attempts ORDER BY id LIMIT 1)"
    " AND NOT EXISTS (SELECT FROM webhook_attempts a"
    " WHERE a.delivery_id = d.id AND a.attempt = d.attempts)"
    " AND NOT EXISTS (SELECT FROM " SQL_UNLOGGED " u"
    " WHERE d.last_attempt_at BETWEEN u.since AND u.until))"
    " SELECT d.id, d.customer_id, d.webhook_url, d.status, s.what, count(*) OVER ()"
    " FROM (SELECT id, string_agg(what, '; ') AS what FROM c GROUP BY id) s"
    " JOIN webhook_deliveries d ON d.id = s.id WHERE NOT coalesce(" SQL_UNTOUCHED ", false) ORDER BY d.created_at, d.id LIMIT $3::bigint";

static const char sql_ledger[] =
    "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('webhook_deliveries')"
    " AND tgname = 'webhook_deliveries_removed' AND tgenabled IN ('O', 'A'))";

/* clang-format on */

/* No time limit of the role's: who asks for an audit waits for it. */
static PGresult *read_once(struct db_session *session, const char *sql, int count,
                           const char *const *values, struct error *error)
{
    PGresult *result = NULL;

    if (!db_session_begin_reading(session, error))
        return NULL;
    if (db_session_execute(session, "SET LOCAL statement_timeout = 0", error))
        result = db_session_query(session, sql, count, values, error);
    db_session_rollback(session);
    return result;
}

static void read_line(const PGresult *result, int row, struct audit_line *line)
{
    *line = (struct audit_line){
        .customer_id = row_text(result, row, 0),
        .url = row_text(result, row, 1),
        .inserted = row_integer(result, row, 2, 0),
        .delivered = row_integer(result, row, 3, 0),
        .dead = row_integer(result, row, 4, 0),
        .pending = row_integer(result, row, 5, 0),
        .discarded = row_integer(result, row, 6, 0),
        .deleted = row_integer(result, row, 7, 0),
        .erased = row_integer(result, row, 8, 0),
    };
}

static void add_line(struct audit_line *total, const struct audit_line *line)
{
    total->inserted += line->inserted;
    total->delivered += line->delivered;
    total->dead += line->dead;
    total->pending += line->pending;
    total->discarded += line->discarded;
    total->deleted += line->deleted;
    total->erased += line->erased;
}

bool audit_sheet_read(struct db_session *session, const char *since, struct audit_sheet *ret_sheet,
                      struct error *error)
{
    PGresult *result = read_once(session, sql_sheet, 1, &since, error);

    *ret_sheet = (struct audit_sheet){0};
    if (result == NULL)
        return false;
    ret_sheet->result = result;
    ret_sheet->count = (size_t)PQntuples(result);
    ret_sheet->lines = memory_new(ret_sheet->count + 1, sizeof(*ret_sheet->lines));
    for (size_t i = 0; i < ret_sheet->count; i++) {
        read_line(result, (int)i, &ret_sheet->lines[i]);
        add_line(&ret_sheet->total, &ret_sheet->lines[i]);
    }
    return true;
}

void audit_sheet_free(struct audit_sheet *sheet)
{
    PQclear(sheet->result);
    free(sheet->lines);
    *sheet = (struct audit_sheet){0};
}

static void read_waiting(const PGresult *result, int row, struct audit_waiting *waiting)
{
    *waiting = (struct audit_waiting){
        .customer_id = row_text(result, row, 0),
        .url = row_text(result, row, 1),
        .deliveries = row_integer(result, row, 2, 0),
        .is_parked = row_is_true(result, row, 3),
        .is_ordered = row_is_true(result, row, 4),
        .oldest_id = row_text(result, row, 5),
        .due_ms_ago = row_integer(result, row, 6, 0),
        .attempt_ms_ago = row_integer(result, row, 7, -1),
        .rate_limit = row_number(result, row, 8, -1),
        .failing_since = row_text(result, row, 9),
        .is_overtaken = row_is_true(result, row, 10),
    };
}

bool audit_waiting_read(struct db_session *session, int64_t grace_ms,
                        struct audit_waiting_list *ret_list, struct error *error)
{
    char grace[32];
    const char *values[] = {grace};
    PGresult *result;

    *ret_list = (struct audit_waiting_list){0};
    snprintf(grace, sizeof(grace), "%lld", (long long)grace_ms);
    result = read_once(session, sql_waiting, 1, values, error);
    if (result == NULL)
        return false;
    ret_list->result = result;
    ret_list->count = (size_t)PQntuples(result);
    ret_list->rows = memory_new(ret_list->count + 1, sizeof(*ret_list->rows));
    for (size_t i = 0; i < ret_list->count; i++)
        read_waiting(result, (int)i, &ret_list->rows[i]);
    return true;
}

void audit_waiting_free(struct audit_waiting_list *list)
{
    PQclear(list->result);
    free(list->rows);
    *list = (struct audit_waiting_list){0};
}

bool audit_contradictions_read(struct db_session *session, const char *since, bool is_logged,
                               int64_t limit, struct audit_contradictions *ret_contradictions,
                               struct error *error)
{
    char limit_text[32];
    const char *values[] = {since, is_logged ? "true" : "false", limit_text};
    struct audit_contradictions *c = ret_contradictions;
    PGresult *result;

    *c = (struct audit_contradictions){0};
    snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    result = read_once(session, sql_contradictions, 3, values, error);
    if (result == NULL)
        return false;
    *c = (struct audit_contradictions){.result = result, .count = (size_t)PQntuples(result)};
    c->rows = memory_new(c->count + 1, sizeof(*c->rows));
    for (int i = 0; i < PQntuples(result); i++) {
        c->rows[i] = (struct audit_contradiction){row_text(result, i, 0), row_text(result, i, 1),
                                                  row_text(result, i, 2), row_text(result, i, 3),
                                                  row_text(result, i, 4)};
        c->total = row_integer(result, i, 5, 0);
    }
    return true;
}

void audit_contradictions_free(struct audit_contradictions *contradictions)
{
    PQclear(contradictions->result);
    free(contradictions->rows);
    *contradictions = (struct audit_contradictions){0};
}

bool audit_ledger_is_on(struct db_session *session, bool *ret_is_on, struct error *error)
{
    PGresult *result = read_once(session, sql_ledger, 0, NULL, error);

    if (result == NULL)
        return false;
    *ret_is_on = row_is_true(result, 0, 0);
    PQclear(result);
    return true;
}
