/* SPDX-License-Identifier: MIT */
#include "db/session.h"

#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "db/advice.h"
#include "db/row_security.h"
#include "db/settings.h"

#define SQLSTATE_LENGTH 5
#define RETRIES_MAX     5
#define MESSAGE_MAX     (sizeof(((struct error *)0)->message))

struct db_session {
    PGconn *connection;
    char *schema;   /* "" = the connection's search_path */
    char *settings; /* db/settings.h; NULL: not made yet */
    bool in_transaction;
    const char
        *watched; /* commands: policies are in force, or may come; NULL: the server refuses */
    char sqlstate[SQLSTATE_LENGTH + 1];
    bool is_hidden; /* with sqlstate: a policy was in the way */
    char *warning;  /* the last one since db_session_begin(), or NULL */
};

/* libpq's messages end with a newline and may have several lines; an error is one. */
static void session_append_line(struct buffer *out, const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    for (size_t i = 0; i < length && out->length < out->maximum; i++) {
        if (!isspace((unsigned char)text[i]))
            buffer_append(out, text + i, 1);
        else if (i > 0 && !isspace((unsigned char)text[i - 1]))
            buffer_append(out, " ", 1);
    }
}

/* libpq has no words for a connection whose end has come right behind a good answer. */
static const char *session_reason(const struct db_session *session, const PGresult *result)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *text = primary != NULL ? primary : PQerrorMessage(session->connection);

    if (*text != '\0')
        return text;
    return PQstatus(session->connection) == CONNECTION_OK ? "the answer does not fit the statement"
                                                          : "the connection to the server was lost";
}

/* The server's message, detail and SQLSTATE; its hint as ours. */
static void session_set_result_error(struct db_session *session, const PGresult *result,
                                     struct error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    struct buffer line;

    session->sqlstate[0] = '\0';
    session->is_hidden = row_security_refused(result);
    if (state != NULL && strlen(state) == SQLSTATE_LENGTH)
        memcpy(session->sqlstate, state, SQLSTATE_LENGTH + 1);
    buffer_init(&line, MESSAGE_MAX);
    session_append_line(&line, session_reason(session, result));
    if (detail != NULL) {
        buffer_append_string(&line, "; ");
        session_append_line(&line, detail);
    }
    if (session->sqlstate[0] != '\0')
        buffer_append_format(&line, " (SQLSTATE %s)", session->sqlstate);
    error_set(error, "%s", buffer_string(&line));
    if (hint != NULL) {
        buffer_clear(&line);
        session_append_line(&line, hint);
        error_hint(error, "%s", buffer_string(&line));
    } else if (db_advice(session->sqlstate) != NULL) {
        error_hint(error, "%s", db_advice(session->sqlstate));
    }
    buffer_free(&line);
}

/* Kept, since GRANT says "no privileges were granted" only as a warning; the rest is chatter. */
static void on_session_notice(void *context, const PGresult *result)
{
    struct db_session *session = context;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (state == NULL || message == NULL || strncmp(state, "01", 2) != 0)
        return;
    free(session->warning);
    session->warning = memory_copy_string(message);
}

/* Later keywords override earlier ones, so the URL overrides what stands before it. */
static PGconn *session_connect(const char *url)
{
    const char *timeout = getenv("PGCONNECT_TIMEOUT") == NULL ? "10" : NULL;
    const char *const keywords[] = {"fallback_application_name", "client_encoding",
                                    "connect_timeout", "dbname", NULL};
    const char *const values[] = {"postrider", "UTF8", timeout, url, NULL};

    return PQconnectdbParams(keywords, values, 1);
}

static struct db_session *session_make(PGconn *connection, const char *schema, struct error *error)
{
    struct db_session *session = memory_new(1, sizeof(*session));

    session->schema = memory_copy_string(schema);
    session->connection = connection;
    if (PQstatus(session->connection) != CONNECTION_OK) {
        struct buffer line;

        buffer_init(&line, MESSAGE_MAX);
        session_append_line(&line, PQerrorMessage(session->connection));
        error_set(error, "cannot connect to the database: %s", buffer_string(&line));
        buffer_free(&line);
        db_session_close(session);
        return NULL;
    }
    PQsetNoticeReceiver(session->connection, on_session_notice, session);
    return session;
}

struct db_session *db_session_open(const char *url, const char *schema, struct error *error)
{
    return session_make(session_connect(url), schema, error);
}

#define KEYWORDS_MAX 128

/* With what the first one was opened with, defaults and password included. */
static PGconn *session_connect_as(PGconn *connection)
{
    PQconninfoOption *options = PQconninfo(connection);
    const char *keywords[KEYWORDS_MAX + 1] = {NULL};
    const char *values[KEYWORDS_MAX + 1] = {NULL};
    PGconn *another;
    int count = 0;

    if (options == NULL)
        bug("no memory for the options of a connection");
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || count == KEYWORDS_MAX)
            continue;
        keywords[count] = option->keyword;
        values[count++] = option->val;
    }
    another = PQconnectdbParams(keywords, values, 0);
    PQconninfoFree(options);
    return another;
}

struct db_session *db_session_open_another(const struct db_session *session, struct error *error)
{
    return session_make(session_connect_as(session->connection), session->schema, error);
}

void db_session_close(struct db_session *session)
{
    if (session == NULL)
        return;
    PQfinish(session->connection);
    free(session->schema);
    free(session->settings);
    free(session->warning);
    free(session);
}

/* Runs what has no result rows by the simple protocol, which takes several statements. */
static bool session_run(struct db_session *session, const char *sql, struct error *error)
{
    PGresult *result = PQexec(session->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (!ok)
        session_set_result_error(session, result, error);
    PQclear(result);
    return ok;
}

/* pg_temp last: else a temporary table could stand in for one of ours. */
static char *session_begin_sql(struct db_session *session)
{
    char *quoted;
    char *sql;

    if (session->settings == NULL)
        session->settings = settings_for_session(PQserverVersion(session->connection));
    if (session->schema[0] == '\0')
        return memory_format("BEGIN ISOLATION LEVEL READ COMMITTED%s", session->settings);
    quoted = PQescapeIdentifier(session->connection, session->schema, strlen(session->schema));
    if (quoted == NULL)
        return NULL;
    sql = memory_format(
        "BEGIN ISOLATION LEVEL READ COMMITTED%s; SET LOCAL search_path TO %s, pg_temp",
        session->settings, quoted);
    PQfreemem(quoted);
    return sql;
}

/*
 * A pooler in front of the server can answer as the protocol wants and do something else: begin no
 * transaction, so that each statement is committed by itself, or end none.
 */
static bool session_check(struct db_session *session, PGTransactionStatusType expected,
                          struct error *error)
{
    PGTransactionStatusType status = PQtransactionStatus(session->connection);

    if (status == expected)
        return true;
    if (status == PQTRANS_UNKNOWN) { /* the connection is gone */
        session_set_result_error(session, NULL, error);
        return false;
    }
    error_set(error, "the server, or a pooler in front of it, does not begin and end transactions "
                     "where it is asked to");
    return error_hint(error, "let database.url lead to PostgreSQL itself, or to a pooler that "
                             "keeps transactions whole (PgBouncer: pool_mode = transaction)");
}

static PGresult *session_ask(struct db_session *session, const char *sql, int count,
                             const char *const *values, struct error *error)
{
    PGresult *result = PQexecParams(session->connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        session_set_result_error(session, result, error);
    else if (session_check(session, PQTRANS_INTRANS, error))
        return result;
    PQclear(result);
    return NULL;
}

static PGresult *session_ask_guard(struct db_session *session, const char *commands,
                                   struct error *error)
{
    const char *values[] = {session->schema, commands};

    return session_ask(session, row_security_guard(), ROW_SECURITY_PARAMETERS, values, error);
}

static bool session_guard(struct db_session *session, const char *commands, struct error *error)
{
    PGresult *result = session_ask_guard(session, commands, error);

    if (result == NULL)
        return false;
    session->watched = row_security_is_on(result) ? commands : NULL;
    PQclear(result);
    return true;
}

/* Whether a policy has hidden something from the statement before: db/row_security.h. */
static bool session_is_whole(struct db_session *session, struct error *error)
{
    PGresult *result;
    bool is_whole;

    if (session->watched == NULL)
        return true;
    result = session_ask_guard(session, session->watched, error);
    is_whole = result != NULL && PQgetisnull(result, 0, ROW_SECURITY_HIDING);
    if (result != NULL && !is_whole) {
        memcpy(session->sqlstate, ROW_SECURITY_SQLSTATE, sizeof(session->sqlstate));
        session->is_hidden = true;
        error_set(error, "a policy of row security that has just been made may hide rows (%s)",
                  PQgetvalue(result, 0, ROW_SECURITY_HIDING));
    }
    PQclear(result);
    return is_whole;
}

bool db_session_guard(struct db_session *session, struct error *error)
{
    return session_guard(session, ROW_SECURITY_WRITING, error);
}

bool db_session_begin_unguarded(struct db_session *session, struct error *error)
{
    char *sql;

    if (session->in_transaction)
        bug("a transaction inside a transaction");
    free(session->warning);
    session->warning = NULL;
    sql = session_begin_sql(session);
    session->watched = NULL;
    if (sql == NULL)
        return error_set(error, "the schema's name \"%s\" is not valid UTF-8", session->schema);
    session->in_transaction = true;
    if (!session_check(session, PQTRANS_IDLE, error) || !session_run(session, sql, error) ||
        !session_check(session, PQTRANS_INTRANS, error))
        db_session_rollback(session);
    free(sql);
    return session->in_transaction;
}

static bool session_begin_guarded(struct db_session *session, const char *commands,
                                  struct error *error)
{
    if (db_session_begin_unguarded(session, error) && !session_guard(session, commands, error))
        db_session_rollback(session);
    return session->in_transaction;
}

bool db_session_begin(struct db_session *session, struct error *error)
{
    return session_begin_guarded(session, ROW_SECURITY_WRITING, error);
}

bool db_session_begin_reading(struct db_session *session, struct error *error)
{
    return session_begin_guarded(session, ROW_SECURITY_READING, error);
}

/* A server that is lost while it commits may have done so. */
static void session_note_commit_failed(struct db_session *session, const PGresult *result,
                                       struct error *error)
{
    session_set_result_error(session, result, error);
    if (session->sqlstate[0] != '\0' && PQstatus(session->connection) == CONNECTION_OK)
        return;
    error_prefix(error, "it is not known whether the change was made");
    error_hint(error, "look whether it was, before you make it again");
}

bool db_session_commit(struct db_session *session, struct error *error)
{
    PGresult *result;
    bool ok;

    if (!session->in_transaction)
        bug("a commit outside a transaction");
    session->in_transaction = false;
    result = PQexec(session->connection, "COMMIT");
    ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        session_note_commit_failed(session, result, error);
    else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) /* the answer to a failed transaction */
        ok = error_set(error, "the transaction was rolled back");
    else if (!session_check(session, PQTRANS_IDLE, error)) /* nor is it known: it may still end */
        ok = error_prefix(error, "it is not known whether the change was made");
    PQclear(result);
    return ok;
}

void db_session_rollback(struct db_session *session)
{
    if (!session->in_transaction)
        return;
    session->in_transaction = false;
    PQclear(PQexec(session->connection, "ROLLBACK"));
}

PGresult *db_session_query(struct db_session *session, const char *sql, int count,
                           const char *const *values, struct error *error)
{
    PGresult *result;

    if (!session->in_transaction)
        bug("a statement outside a transaction");
    result = session_ask(session, sql, count, values, error);
    if (result != NULL && session_is_whole(session, error))
        return result;
    PQclear(result);
    return NULL;
}

static bool is_worth_retrying(const struct db_session *session)
{
    const char *state = db_session_sqlstate(session);

    return strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0;
}

PGresult *db_session_change(struct db_session *session, const char *first, const char *sql,
                            int count, const char *const *values, struct error *error)
{
    for (int retry = 0;; retry++) {
        PGresult *result = NULL;

        if (!db_session_begin(session, error))
            return NULL;
        if (first == NULL || db_session_execute(session, first, error))
            result = db_session_query(session, sql, count, values, error);
        if (result != NULL && db_session_commit(session, error))
            return result;
        PQclear(result);
        db_session_rollback(session);
        if (retry == RETRIES_MAX || !is_worth_retrying(session))
            return NULL;
    }
}

PGresult *db_session_read(struct db_session *session, const char *sql, int count,
                          const char *const *values, struct error *error)
{
    PGresult *result;

    if (!db_session_begin_reading(session, error))
        return NULL;
    result = db_session_query(session, sql, count, values, error);
    db_session_rollback(session);
    return result;
}

bool db_session_execute(struct db_session *session, const char *sql, struct error *error)
{
    if (!session->in_transaction)
        bug("a statement outside a transaction");
    return session_run(session, sql, error) && session_check(session, PQTRANS_INTRANS, error);
}

bool db_session_send_alone(struct db_session *session, const char *sql, struct error *error)
{
    session->sqlstate[0] = '\0';
    if (session->in_transaction)
        bug("a statement that is to be alone inside a transaction");
    if (PQsendQuery(session->connection, sql) == 1)
        return true;
    session_set_result_error(session, NULL, error);
    return false;
}

/* What has arrived, and after wait_ms what has come by then. */
static bool session_is_busy(struct db_session *session, int wait_ms)
{
    struct pollfd socket = {.fd = PQsocket(session->connection), .events = POLLIN};

    if (PQconsumeInput(session->connection) == 1 && PQisBusy(session->connection) == 1) {
        (void)poll(&socket, 1, wait_ms); /* interrupted or not: it is asked again */
        return PQconsumeInput(session->connection) == 1 && PQisBusy(session->connection) == 1;
    }
    return false;
}

enum db_session_progress db_session_await(struct db_session *session, int wait_ms,
                                          struct error *error)
{
    enum db_session_progress progress = DB_SESSION_DONE;
    PGresult *result;

    while (session_is_busy(session, wait_ms))
        if (wait_ms >= 0)
            return DB_SESSION_RUNNING;
    while ((result = PQgetResult(session->connection)) != NULL) {
        ExecStatusType status = PQresultStatus(result);

        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            session_set_result_error(session, result, error);
            progress = DB_SESSION_FAILED;
        }
        PQclear(result);
    }
    return progress;
}

bool db_session_is_hidden(const struct db_session *session)
{
    return session->is_hidden && strcmp(session->sqlstate, ROW_SECURITY_SQLSTATE) == 0;
}

const char *db_session_sqlstate(const struct db_session *session)
{
    return session->sqlstate;
}

const char *db_session_schema(const struct db_session *session)
{
    return session->schema;
}

const char *db_session_warning(const struct db_session *session)
{
    return session->warning;
}

PGconn *db_session_connection(struct db_session *session)
{
    return session->connection;
}
