/* SPDX-License-Identifier: MIT */
#include "db/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "db/row.h"
#include "db/row_security.h"
#include "db/settings.h"

#define SQLSTATE_READ_ONLY    "25006"
#define SQLSTATE_CLASS_DENIED "42"
#define SETTINGS_MAX          3 /* the level, the settings, and the guard of row security */

struct pipeline_request {
    STAILQ_ENTRY(pipeline_request) entry;
    db_link_answered *on_answer;
    void *owner;
    int settings;    /* statements that set them, before those that were asked for */
    bool is_watched; /* behind them the guard of row security was sent once more */
    int expected;    /* statements, all of these included */
    int received;    /* results of them */
    int failed;      /* those that were refused or skipped: they come last */
    bool is_refused;
    bool is_hidden; /* row security was in the way */
    bool is_over;   /* its sync has come; whether its transaction has ended is not known yet */
    PGresult *results[SETTINGS_MAX + DB_STATEMENTS_MAX + 1];
    char message[MESSAGE_SIZE];
    char sqlstate[6];
};

/*
 * For a transaction that would begin with another level, by a setting of the role. Not SET LOCAL,
 * of which the server warns in its log where no BEGIN was sent; this one ends with the transaction
 * too.
 */
static const char level_sql[] = "SET transaction_isolation = 'read committed'";

void pipeline_init(struct pipeline *pipeline, const char *schema)
{
    *pipeline = (struct pipeline){.schema = schema};
    STAILQ_INIT(&pipeline->requests);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline->connection != NULL || pipeline->outstanding > 0)
        bug("a pipeline is freed with %zu requests outstanding", pipeline->outstanding);
    free(pipeline->settings_sql);
}

void pipeline_open(struct pipeline *pipeline, PGconn *connection)
{
    pipeline->connection = connection;
}

void pipeline_close(struct pipeline *pipeline)
{
    pipeline->connection = NULL;
    pipeline->has_settings = false;
    pipeline->needs_level = false;
    pipeline->allows_policies = false;
    pipeline->was_denied = false;
    pipeline->is_read_only = false;
    prepared_reset(&pipeline->prepared);
}

size_t pipeline_outstanding(const struct pipeline *pipeline)
{
    return pipeline->outstanding;
}

const char *pipeline_reason(const struct pipeline *pipeline)
{
    return pipeline->reason;
}

void pipeline_refuse_hidden(struct pipeline *pipeline)
{
    pipeline->refuses_hidden = true;
}

void pipeline_allow_policies(struct pipeline *pipeline, bool is_allowed)
{
    pipeline->allows_policies = pipeline->refuses_hidden && is_allowed;
}

bool pipeline_take_denial(struct pipeline *pipeline)
{
    bool was_denied = pipeline->was_denied;

    pipeline->was_denied = false;
    return was_denied;
}

/* --- what is sent --- */

static bool send_statement(struct pipeline *pipeline, const char *sql, int count,
                           const char *const *values)
{
    PGconn *connection = pipeline->connection;
    const char *name = prepared_name(&pipeline->prepared, sql);

    if (name != NULL)
        return PQsendQueryPrepared(connection, name, count, values, NULL, NULL, 0) == 1;
    return PQsendQueryParams(connection, sql, count, NULL, values, NULL, NULL, 0) == 1;
}

/*
 * First in every transaction, or once for the session of a direct link: that saves a third of what
 * the database does for a small read.
 */
static bool send_settings(struct pipeline *pipeline, bool is_local)
{
    const char *const values[] = {pipeline->schema, is_local ? "t" : "f",
                                  pipeline->refuses_hidden ? "off" : "on"};
    int version = PQserverVersion(pipeline->connection);

    if (pipeline->settings_sql == NULL || version != pipeline->settings_version) {
        free(pipeline->settings_sql);
        pipeline->settings_sql = settings_for_link(version);
        pipeline->settings_version = version;
    }
    return (!pipeline->needs_level || send_statement(pipeline, level_sql, 0, NULL)) &&
           send_statement(pipeline, pipeline->settings_sql, SETTINGS_PARAMETERS, values);
}

/* Before the statements of a request and behind them: db/row_security.h. */
static bool send_guard(struct pipeline *pipeline)
{
    const char *const reading[] = {pipeline->schema, ROW_SECURITY_READING};

    return !pipeline->allows_policies ||
           send_statement(pipeline, row_security_guard(), ROW_SECURITY_PARAMETERS, reading);
}

/* What goes before the statements of a request: as many of them as request->settings says. */
static bool send_all_settings(struct pipeline *pipeline, bool is_local)
{
    return (pipeline->has_settings || send_settings(pipeline, is_local)) && send_guard(pipeline);
}

/* Ends what was sent since the last request: it is one, and its answers are awaited. */
static bool end_request(struct pipeline *pipeline, const struct pipeline_request *given)
{
    struct pipeline_request *request;

    if (PQpipelineSync(pipeline->connection) != 1)
        return false;
    request = memory_new(1, sizeof(*request));
    *request = *given;
    STAILQ_INSERT_TAIL(&pipeline->requests, request, entry);
    if (pipeline->awaited == NULL)
        pipeline->awaited = request;
    pipeline->outstanding++;
    return true;
}

bool pipeline_send(struct pipeline *pipeline, const struct db_statement *statements, int count,
                   db_link_answered *on_answer, void *request_owner)
{
    int settings =
        (pipeline->has_settings ? 0 : 1 + pipeline->needs_level) + pipeline->allows_policies;
    struct pipeline_request request = {.on_answer = on_answer,
                                       .owner = request_owner,
                                       .settings = settings,
                                       .is_watched = pipeline->allows_policies,
                                       .expected = settings + count + pipeline->allows_policies};
    bool is_sent;

    if (count > DB_STATEMENTS_MAX)
        bug("%d statements in one request", count);
    is_sent = send_all_settings(pipeline, count > 0);
    for (int i = 0; is_sent && i < count; i++)
        is_sent =
            send_statement(pipeline, statements[i].sql, statements[i].count, statements[i].values);
    return is_sent && send_guard(pipeline) && end_request(pipeline, &request);
}

static void on_settings_answered(void *owner, const struct db_answer *answer)
{
    struct pipeline *pipeline = owner;

    pipeline->has_settings = answer->result == DB_ANSWERED;
}

/* A request without statements: its settings are the session's. */
bool pipeline_send_settings(struct pipeline *pipeline)
{
    return pipeline_send(pipeline, NULL, 0, on_settings_answered, pipeline);
}

/* What is refused is not tried again: it goes on being sent in full. */
static void on_prepare_answered(void *owner, const struct db_answer *answer)
{
    struct prepared_statement *statement = owner;

    statement->is_ready = answer->result == DB_ANSWERED;
}

/* Behind its first use. False when the connection is lost; counts what was sent. */
static bool prepare(struct pipeline *pipeline, const char *sql, int parameters, int *sent)
{
    struct prepared_statement *entry = prepared_begin(&pipeline->prepared, sql);
    struct pipeline_request request = {
        .on_answer = on_prepare_answered, .owner = entry, .expected = 1};

    if (entry == NULL)
        return true;
    (*sent)++;
    return PQsendPrepare(pipeline->connection, entry->name, entry->sql, parameters, NULL) == 1 &&
           end_request(pipeline, &request);
}

/* Only where the session's settings are there: without them it is not ours alone. */
int pipeline_prepare(struct pipeline *pipeline, const struct db_statement *statements, int count)
{
    int sent = 0;
    bool is_good = true;

    if (!pipeline->has_settings)
        return 0;
    if (pipeline->allows_policies)
        is_good = prepare(pipeline, row_security_guard(), ROW_SECURITY_PARAMETERS, &sent);
    for (int i = 0; i < count && is_good; i++)
        is_good = prepare(pipeline, statements[i].sql, statements[i].count, &sent);
    return is_good ? sent : -1;
}

/* --- what comes back --- */

static void request_clear_results(struct pipeline_request *request)
{
    for (int i = 0; i < request->received; i++)
        PQclear(request->results[i]);
    request->received = 0;
}

PGresult *db_answer_take(const struct db_answer *answer, int number)
{
    PGresult *result = answer->kept[number];

    answer->kept[number] = NULL; /* PQclear() leaves it */
    return result;
}

/* Takes the request from the list before the callback, which may send the next one. */
static void request_finish(struct pipeline *pipeline, struct pipeline_request *request,
                           enum db_result result, const char *message)
{
    struct db_answer answer = {.result = result,
                               .message = message,
                               .sqlstate = request->sqlstate,
                               .is_hidden = result == DB_REFUSED && request->is_hidden};

    if (result == DB_ANSWERED) {
        answer.count = request->expected - request->settings - request->is_watched;
        answer.kept = &request->results[request->settings];
        for (int i = 0; i < answer.count; i++)
            answer.results[i] = answer.kept[i];
    }
    STAILQ_REMOVE_HEAD(&pipeline->requests, entry);
    pipeline->outstanding--;
    request->on_answer(request->owner, &answer);
    request_clear_results(request);
    free(request);
}

void pipeline_fail(struct pipeline *pipeline, const char *reason)
{
    size_t count = pipeline->outstanding;

    pipeline->awaited = NULL;
    /* Counted: a callback can't send while this is closed, but it must not be trusted to. */
    while (count-- > 0)
        request_finish(pipeline, STAILQ_FIRST(&pipeline->requests), DB_LOST, reason);
}

static void request_note_error(struct pipeline *pipeline, struct pipeline_request *request,
                               const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    request->is_refused = true;
    request->is_hidden = row_security_refused(result);
    message_copy(request->message, primary != NULL ? primary : PQresultErrorMessage(result));
    snprintf(request->sqlstate, sizeof(request->sqlstate), "%s", state != NULL ? state : "");
    prepared_note_refusal(&pipeline->prepared, request->sqlstate);
    pipeline->is_read_only |= strcmp(request->sqlstate, SQLSTATE_READ_ONLY) == 0;
    pipeline->was_denied |= strncmp(request->sqlstate, SQLSTATE_CLASS_DENIED, 2) == 0;
}

static enum pipeline_verdict uncertain(struct pipeline *pipeline, const char *reason)
{
    message_copy(pipeline->reason, reason);
    return PIPELINE_UNCERTAIN;
}

/* What came is not what was asked for, so nobody knows what has happened: all of it is lost. */
static enum pipeline_verdict out_of_step(struct pipeline *pipeline)
{
    return uncertain(pipeline, "the server's answers do not fit what it was asked");
}

static bool request_has_all(const struct pipeline_request *request)
{
    return request->received + request->failed == request->expected;
}

/*
 * What is read on a standby may be older than what was written, and newer than what the primary
 * shows: a commit that waits for the standby is seen there first. libpq's target_session_attrs
 * leaves standbys out when it connects, but a pooler may answer for a server that it had before,
 * and go on with another one that has come in its place: so each transaction says where it ran.
 */
static bool answered_by_standby(const struct pipeline_request *request)
{
    for (int i = 0; i < request->settings && i < request->received; i++)
        if (PQntuples(request->results[i]) == 1)
            return row_is_true(request->results[i], 0, SETTINGS_IS_STANDBY);
    return false;
}

/* Row security was on for it, and the look behind it finds a policy in the way. */
static bool may_be_hidden(const struct pipeline_request *request)
{
    return request->is_watched && !request->is_refused &&
           row_security_is_on(request->results[request->settings - 1]) &&
           !PQgetisnull(request->results[request->expected - 1], 0, ROW_SECURITY_HIDING);
}

/* It has only read, so nothing has happened that would have to be undone. */
static void note_hidden(struct pipeline *pipeline, struct pipeline_request *request)
{
    if (!may_be_hidden(request))
        return;
    request->is_refused = true;
    request->is_hidden = true;
    pipeline->was_denied = true;
    message_copy(request->message, "a policy of row security may have hidden rows");
    memcpy(request->sqlstate, ROW_SECURITY_SQLSTATE, sizeof(request->sqlstate));
}

/* Seen with the first answer of a connection, which is not one that it matters for. */
static void note_level(struct pipeline *pipeline, const struct pipeline_request *request)
{
    const PGresult *first = request->results[0];

    if (!pipeline->has_settings && request->settings > 0 && request->received > 0 &&
        PQntuples(first) == 1)
        pipeline->needs_level = !row_is_true(first, 0, SETTINGS_IS_COMMITTED_READ);
}

/*
 * Its callback may send the next request, which is not over. When a callback makes the link close
 * the connection, those that are over have been committed or refused all the same.
 */
static void finish_those_over(struct pipeline *pipeline)
{
    struct pipeline_request *request;

    while ((request = STAILQ_FIRST(&pipeline->requests)) != NULL && request->is_over)
        request_finish(pipeline, request, request->is_refused ? DB_REFUSED : DB_ANSWERED,
                       request->message);
}

/*
 * A sync ends a transaction by the protocol, but not on every other side: pgpool in raw mode begins
 * one of its own before the first write and never ends it. What the server says of that, libpq
 * tells only when nothing more is awaited (PQtransactionStatus() is PQTRANS_ACTIVE before), so the
 * requests that are over wait for those behind them. Each owner has one out at a time, so they end.
 */
static enum pipeline_verdict take_sync(struct pipeline *pipeline, struct pipeline_request *request)
{
    if (!request_has_all(request))
        return out_of_step(pipeline);
    if (answered_by_standby(request))
        return PIPELINE_STANDBY;
    note_level(pipeline, request);
    note_hidden(pipeline, request);
    request->is_over = true;
    pipeline->awaited = STAILQ_NEXT(request, entry);
    if (pipeline->awaited != NULL)
        return PIPELINE_GOES_ON;
    if (PQtransactionStatus(pipeline->connection) == PQTRANS_IDLE) {
        finish_those_over(pipeline);
        return PIPELINE_GOES_ON;
    }
    return PQstatus(pipeline->connection) == CONNECTION_BAD ? PIPELINE_LOST
                                                            : PIPELINE_OPEN_TRANSACTION;
}

/*
 * A refusal has an SQLSTATE: it is the server's. An error without one is libpq's own (no memory for
 * the result, garbage instead of it), and the server may well have done what it was asked. The
 * refusal of the commit itself comes when all statements have their results.
 */
static enum pipeline_verdict take_error(struct pipeline *pipeline, struct pipeline_request *request,
                                        const PGresult *result)
{
    if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL)
        return uncertain(pipeline, PQresultErrorMessage(result));
    if (request->is_refused)
        return out_of_step(pipeline);
    request->failed += !request_has_all(request);
    request_note_error(pipeline, request, result);
    return PIPELINE_GOES_ON;
}

/* One result of the request that is awaited; it takes ownership. */
static enum pipeline_verdict request_take(struct pipeline *pipeline,
                                          struct pipeline_request *request, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool is_success = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    enum pipeline_verdict verdict = PIPELINE_GOES_ON;

    if (is_success && !request->is_refused && !request_has_all(request)) {
        request->results[request->received++] = result;
        return PIPELINE_GOES_ON;
    }
    if (status == PGRES_PIPELINE_SYNC)
        verdict = take_sync(pipeline, request);
    else if (status == PGRES_FATAL_ERROR)
        verdict = take_error(pipeline, request, result);
    else if (status == PGRES_PIPELINE_ABORTED && request->is_refused && !request_has_all(request))
        request->failed++;
    else
        verdict = out_of_step(pipeline);
    PQclear(result);
    return verdict;
}

/* NULL ends the results of one statement. A second one in a row says that libpq waits for nothing
 * any more, and it would say so for ever. */
enum pipeline_verdict pipeline_collect(struct pipeline *pipeline)
{
    enum pipeline_verdict verdict = PIPELINE_GOES_ON;
    bool was_null = false;

    while (verdict == PIPELINE_GOES_ON && pipeline->connection != NULL &&
           pipeline->awaited != NULL && PQisBusy(pipeline->connection) == 0) {
        PGresult *result = PQgetResult(pipeline->connection);

        if (result != NULL)
            verdict = request_take(pipeline, pipeline->awaited, result);
        else if (was_null)
            verdict = out_of_step(pipeline);
        was_null = result == NULL;
    }
    return verdict;
}

/* Garbage closes the socket, which says nothing from then on. */
enum pipeline_verdict pipeline_conclude(const struct pipeline *pipeline)
{
    if (PQstatus(pipeline->connection) == CONNECTION_BAD)
        return PIPELINE_LOST;
    return pipeline->is_read_only ? PIPELINE_READ_ONLY : PIPELINE_GOES_ON;
}
