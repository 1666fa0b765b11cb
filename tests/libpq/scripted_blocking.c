/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "unit.h"

static PGresult *exec_fault(PGconn *connection, const struct pq_fault *fault)
{
    PGresult *result;

    switch (fault->kind) {
    case PQ_REFUSES_ENDS:
        connection->is_bad = true;
        return server_new_error(fault->sqlstate);
    case PQ_ENDS:
        connection->is_bad = true;
        return server_new_own_error();
    case PQ_NOTICE:
        result = server_new_error("01000");
        connection->on_notice(connection->notice_argument, result);
        PQclear(result);
        return NULL;
    case PQ_REFUSES:
        return server_new_error(fault->sqlstate);
    default:
        return NULL;
    }
}

/* An eager server has done it, though nothing is heard of that. */
static void execute_unheard(const struct pq_statement *given)
{
    struct transaction transaction = {.count = 0};

    if (script.server.is_eager)
        PQclear(server_execute(given, &transaction));
}

/* What the server says with its answer, for PQtransactionStatus(). */
static void note_status(PGconn *connection, const char *sql, const PGresult *result)
{
    bool is_end = strncmp(sql, "COMMIT", 6) == 0 || strncmp(sql, "ROLLBACK", 8) == 0;
    bool is_error = PQresultStatus(result) == PGRES_FATAL_ERROR;

    if (connection->stays_open)
        return;
    if (is_error && connection->status == PQTRANS_INTRANS)
        connection->status = PQTRANS_INERROR;
    else if (!is_error && is_end)
        connection->status = PQTRANS_IDLE;
    else if (!is_error && strncmp(sql, "BEGIN", 5) == 0)
        connection->status = PQTRANS_INTRANS;
}

static PGresult *exec(PGconn *connection, enum pq_fault_kind kind, const struct pq_statement *given)
{
    const struct pq_fault *fault;
    struct transaction transaction = {.count = 0};
    PGresult *result = NULL;

    if (kind == PQ_FAILS || kind == PQ_OWN_ERROR)
        execute_unheard(given);
    if (script_is_failure(kind) || connection->is_bad)
        return NULL;
    if (kind == PQ_OWN_ERROR)
        return server_new_own_error();
    if (kind == PQ_STRANGE)
        return pq_result_new(PGRES_COPY_OUT);
    fault = script_strike_sent();
    if (fault != NULL) {
        if (fault->kind == PQ_ENDS || fault->kind == PQ_REFUSES_ENDS)
            execute_unheard(given);
        result = exec_fault(connection, fault);
    }
    if (result == NULL)
        result = server_execute(given, &transaction);
    note_status(connection, given->sql, result);
    return result;
}

PGresult *PQexec(PGconn *connection, const char *sql)
{
    struct pq_statement statement = {.sql = sql};
    char text[100];

    snprintf(text, sizeof(text), "%.90s", sql);
    return exec(connection, script_enter(connection, PQ_EXEC, text), &statement);
}

PGresult *PQexecParams(PGconn *connection, const char *sql, int count, const Oid *types,
                       const char *const *values, const int *lengths, const int *formats,
                       int format)
{
    struct pq_statement statement;
    char text[100];
    PGresult *result;

    assert_true(types == NULL && lengths == NULL && formats == NULL && format == 0);
    statement_text(text, sizeof(text), sql, count, values);
    statement_copy(&statement, sql, count, values);
    result = exec(connection, script_enter(connection, PQ_EXEC_PARAMS, text), &statement);
    statement_free(&statement);
    return result;
}

char *PQescapeIdentifier(PGconn *connection, const char *text, size_t length)
{
    if (script_is_failure(script_enter(connection, PQ_ESCAPE_IDENTIFIER, text)) ||
        connection->is_bad)
        return NULL;
    script.notifies_alive++;
    return memory_format("\"%.*s\"", (int)length, text);
}

/* What commands alone call, with statements that are outside of any transaction. */
PQconninfoOption *PQconninfo(PGconn *connection)
{
    (void)connection;
    fail_msg("PQconninfo() is not scripted");
    return NULL;
}

int PQsendQuery(PGconn *connection, const char *sql)
{
    (void)connection;
    fail_msg("PQsendQuery() is not scripted: %s", sql);
    return 0;
}
