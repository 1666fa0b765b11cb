#include "db/link_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/row.h"
#include "db/row_security.h"
#include "db/settings.h"

#define SQLSTATE_READ_ONLY    "25006"
#define SQLSTATE_CLASS_DENIED "42"

/*
 * For a transaction that would begin with another level, by a setting of the role. Not SET LOCAL,
 * of which the server warns in its log where no BEGIN was sent; this one ends with the transaction
 * too.
 */
static const char level_sql[] = "SET transaction_isolation = 'read committed'";

size_t db_link_outstanding(const struct db_link *link)
{
    return link->outstanding;
}

static bool send_statement(struct db_link *link, const char *sql, int count,
                           const char *const *values)
{
    const char *name = prepared_name(&link->prepared, sql);

    if (name != NULL)
        return PQsendQueryPrepared(link->connection, name, count, values, NULL, NULL, 0) == 1;
    return PQsendQueryParams(link->connection, sql, count, NULL, values, NULL, NULL, 0) == 1;
}

/*
 * First in every transaction, or once for the session of a direct link: that saves a third of what
 * the database does for a small read.
 */
static bool send_settings(struct db_link *link, bool is_local)
{
    const char *const values[] = {link->schema, is_local ? "t" : "f",
                                  link->refuses_hidden ? "off" : "on"};

    int version = PQserverVersion(link->connection);

    if (link->settings_sql == NULL || version != link->settings_version) {
        free(link->settings_sql);
        link->settings_sql = settings_for_link(version);
        link->settings_version = version;
    }
    return (!link->needs_level || send_statement(link, level_sql, 0, NULL)) &&
           send_statement(link, link->settings_sql, SETTINGS_PARAMETERS, values);
}

/* What goes before the statements of a request: as many of them as request->settings says. */
static bool send_all_settings(struct db_link *link, bool is_local)
{
    const char *const reading[] = {link->schema, ROW_SECURITY_READING};

    return (link->has_settings || send_settings(link, is_local)) &&
           (!link->allows_policies ||
            send_statement(link, row_security_guard(), ROW_SECURITY_PARAMETERS, reading));
}

/* Ends what was sent since the last request: it is one, and its answers are awaited. */
static bool end_request(struct db_link *link, const struct request *given)
{
    struct request *request;

    if (PQpipelineSync(link->connection) != 1) {
        link_lost(link);
        return false;
    }
    request = memory_new(1, sizeof(*request));
    *request = *given;
    STAILQ_INSERT_TAIL(&link->requests, request, entry);
    if (link->awaited == NULL)
        link->awaited = request;
    link->outstanding++;
    link_flush(link);
    return true;
}

bool link_send_request(struct db_link *link, const struct db_statement *statements, int count,
                       db_link_answered *on_answer, void *request_owner)
{
    int settings = (link->has_settings ? 0 : 1 + link->needs_level) + link->allows_policies;
    struct request request = {.on_answer = on_answer,
                              .owner = request_owner,
                              .settings = settings,
                              .expected = count + settings};
    bool is_sent;

    if (count > DB_STATEMENTS_MAX)
        bug("%d statements in one request", count);
    is_sent = send_all_settings(link, count > 0);
    for (int i = 0; is_sent && i < count; i++)
        is_sent =
            send_statement(link, statements[i].sql, statements[i].count, statements[i].values);
    if (!is_sent) {
        link_lost(link);
        return false;
    }
    return end_request(link, &request);
}

bool db_link_send(struct db_link *link, const struct db_statement *statements, int count,
                  db_link_answered *on_answer, void *request_owner)
{
    return link->state == LINK_UP &&
           link_send_request(link, statements, count, on_answer, request_owner);
}

/* What is refused is not tried again: it goes on being sent in full. */
static void on_prepare_answered(void *owner, const struct db_answer *answer)
{
    struct prepared_statement *statement = owner;

    statement->is_ready = answer->result == DB_ANSWERED;
}

/* Behind its first use, as a request of its own. A link that is lost meanwhile says so itself. */
static void prepare(struct db_link *link, const char *sql, int count)
{
    struct prepared_statement *entry = prepared_begin(&link->prepared, sql);
    struct request request = {.on_answer = on_prepare_answered, .owner = entry, .expected = 1};

    if (entry == NULL)
        return;
    if (PQsendPrepare(link->connection, entry->name, entry->sql, count, NULL) != 1)
        link_lost(link);
    else
        (void)end_request(link, &request);
}

bool db_link_send_often(struct db_link *link, const struct db_statement *statements, int count,
                        db_link_answered *on_answer, void *request_owner)
{
    if (!db_link_send(link, statements, count, on_answer, request_owner))
        return false;
    if (link->state == LINK_UP && link->has_settings && link->allows_policies)
        prepare(link, row_security_guard(), ROW_SECURITY_PARAMETERS);
    for (int i = 0; i < count && link->state == LINK_UP && link->has_settings; i++)
        prepare(link, statements[i].sql, statements[i].count);
    return true;
}

static void request_clear_results(struct request *request)
{
    for (int i = 0; i < request->received; i++)
        PQclear(request->results[i]);
    request->received = 0;
}

/* Takes the request from the list before the callback, which may send the next one. */
static void request_finish(struct db_link *link, struct request *request, enum db_result result,
                           const char *message)
{
    struct db_answer answer = {.result = result, .message = message, .sqlstate = request->sqlstate};

    if (result == DB_ANSWERED) {
        answer.count = request->expected - request->settings;
        for (int i = 0; i < answer.count; i++)
            answer.results[i] = request->results[i + request->settings];
    }
    STAILQ_REMOVE_HEAD(&link->requests, entry);
    link->outstanding--;
    request->on_answer(request->owner, &answer);
    request_clear_results(request);
    free(request);
}

static void request_note_error(struct db_link *link, struct request *request,
                               const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    request->is_refused = true;
    link_copy_message(request->message, primary != NULL ? primary : PQresultErrorMessage(result));
    snprintf(request->sqlstate, sizeof(request->sqlstate), "%s", state != NULL ? state : "");
    prepared_note_refusal(&link->prepared, request->sqlstate);
    link->is_read_only |= strcmp(request->sqlstate, SQLSTATE_READ_ONLY) == 0;
    link->was_denied |= strncmp(request->sqlstate, SQLSTATE_CLASS_DENIED, 2) == 0;
}

/* What came is not what was asked for, so nobody knows what has happened: all of it is lost. */
static void note_out_of_step(struct db_link *link)
{
    db_link_reset(link, "the server's answers do not fit what it was asked");
}

static bool request_has_all(const struct request *request)
{
    return request->received + request->failed == request->expected;
}

/*
 * What is read on a standby may be older than what was written, and newer than what the primary
 * shows: a commit that waits for the standby is seen there first. libpq's target_session_attrs
 * leaves standbys out when it connects, but a pooler may answer for a server that it had before,
 * and go on with another one that has come in its place: so each transaction says where it ran.
 */
static bool answered_by_standby(const struct request *request)
{
    for (int i = 0; i < request->settings && i < request->received; i++)
        if (PQntuples(request->results[i]) == 1)
            return row_is_true(request->results[i], 0, SETTINGS_IS_STANDBY);
    return false;
}

/* Seen with the first answer of a connection, which is not one that it matters for. */
static void note_level(struct db_link *link, const struct request *request)
{
    const PGresult *first = request->results[0];

    if (!link->has_settings && request->settings > 0 && request->received > 0 &&
        PQntuples(first) == 1)
        link->needs_level = !row_is_true(first, 0, SETTINGS_IS_COMMITTED_READ);
}

/* Its callback may send the next request, which is not over. */
static void finish_those_over(struct db_link *link)
{
    struct request *request;

    while ((request = STAILQ_FIRST(&link->requests)) != NULL && request->is_over)
        request_finish(link, request, request->is_refused ? DB_REFUSED : DB_ANSWERED,
                       request->message);
}

/*
 * A sync ends a transaction by the protocol, but not on every other side: pgpool in raw mode begins
 * one of its own before the first write and never ends it. What the server says of that, libpq
 * tells only when nothing more is awaited (PQtransactionStatus() is PQTRANS_ACTIVE before), so the
 * requests that are over wait for those behind them. Each owner has one out at a time, so they end.
 */
static void take_sync(struct db_link *link, struct request *request)
{
    if (!request_has_all(request)) {
        note_out_of_step(link);
        return;
    }
    if (answered_by_standby(request)) {
        link_leave_standby(link);
        return;
    }
    note_level(link, request);
    request->is_over = true;
    link->awaited = STAILQ_NEXT(request, entry);
    if (link->awaited != NULL)
        return;
    if (PQtransactionStatus(link->connection) == PQTRANS_IDLE)
        finish_those_over(link);
    else if (PQstatus(link->connection) == CONNECTION_BAD)
        link_lost(link);
    else
        link_leave_open_transaction(link);
}

/*
 * A refusal has an SQLSTATE: it is the server's. An error without one is libpq's own (no memory for
 * the result, garbage instead of it), and the server may well have done what it was asked. The
 * refusal of the commit itself comes when all statements have their results.
 */
static void take_error(struct db_link *link, struct request *request, const PGresult *result)
{
    if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL) {
        db_link_reset(link, PQresultErrorMessage(result));
    } else if (request->is_refused) {
        note_out_of_step(link);
    } else {
        request->failed += !request_has_all(request);
        request_note_error(link, request, result);
    }
}

/* One result that belongs to the first request of the list; it takes ownership. */
static void request_take(struct db_link *link, struct request *request, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool is_success = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

    if (is_success && !request->is_refused && !request_has_all(request)) {
        request->results[request->received++] = result;
        return;
    }
    if (status == PGRES_PIPELINE_SYNC)
        take_sync(link, request);
    else if (status == PGRES_FATAL_ERROR)
        take_error(link, request, result);
    else if (status == PGRES_PIPELINE_ABORTED && request->is_refused && !request_has_all(request))
        request->failed++;
    else
        note_out_of_step(link);
    PQclear(result);
}

/* NULL ends the results of one statement. A second one in a row says that libpq waits for nothing
 * any more, and it would say so for ever. */
static void collect_results(struct db_link *link)
{
    bool was_null = false;

    link->has_input = false;
    while (link_is_connected(link) && link->awaited != NULL && PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);

        if (result != NULL)
            request_take(link, link->awaited, result);
        else if (was_null)
            note_out_of_step(link);
        was_null = result == NULL;
    }
}

/* Comes after the answers that came with it, so that a read does not hide what it did not see. */
static void collect_notifications(struct db_link *link)
{
    PGnotify *notification;
    bool has_any = false;

    while (link_is_connected(link) && (notification = PQnotifies(link->connection)) != NULL) {
        PQfreemem(notification);
        has_any = true;
    }
    if (has_any && link->events.on_notified != NULL)
        link->events.on_notified(link->events.owner);
}

void link_fail_requests(struct db_link *link)
{
    size_t count = link->outstanding;

    link->awaited = NULL;
    /* Counted: a callback can't send while the link is down, but it must not be trusted to. */
    while (count-- > 0)
        request_finish(link, STAILQ_FIRST(&link->requests), DB_LOST, link->reason);
}

void db_link_collect(struct db_link *link)
{
    if (link->has_input && link_is_connected(link)) {
        collect_results(link);
        collect_notifications(link);
        /* Garbage closes the socket, which says nothing from then on. */
        if (link_is_connected(link) && PQstatus(link->connection) == CONNECTION_BAD)
            link_lost(link);
        else if (link_is_connected(link) && link->is_read_only)
            link_leave_read_only(link, "the server is read-only");
    }
    if (link->tell_up) {
        link->tell_up = false;
        link->events.on_up(link->events.owner);
    }
    if (link->tell_down) {
        link->tell_down = false;
        link_fail_requests(link);
        link->events.on_down(link->events.owner, link->reason);
    }
}
