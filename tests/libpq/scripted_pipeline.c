/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "unit.h"

/* --- sending --- */

static struct command *command_add(PGconn *connection, enum command_kind kind, const char *sql,
                                   int count, const char *const *values)
{
    struct command *command = memory_new(1, sizeof(*command));
    struct transaction *transaction = connection->open;

    if (!connection->is_pipeline || !connection->is_nonblocking)
        fail_msg("sent outside the pipeline");
    if (transaction == NULL) {
        transaction = connection->open = memory_new(1, sizeof(*transaction));
        STAILQ_INSERT_TAIL(&connection->transactions, transaction, entry);
    }
    command->kind = kind;
    command->transaction = transaction;
    if (kind == COMMAND_SYNC) {
        connection->open = NULL;
    } else {
        assert_true(transaction->count < (int)ARRAY_LENGTH(transaction->statements));
        command->statement = transaction->count;
        transaction->is_prepare[transaction->count] = kind == COMMAND_PREPARE;
        statement_copy(&transaction->statements[transaction->count++], sql, count, values);
    }
    STAILQ_INSERT_TAIL(&connection->unsent, command, entry);
    connection->awaited++;
    return command;
}

int PQsendQueryParams(PGconn *connection, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats, int format)
{
    char text[100];

    assert_true(types == NULL && lengths == NULL && formats == NULL && format == 0);
    statement_text(text, sizeof(text), sql, count, values);
    if (script_is_failure(script_enter(connection, PQ_SEND_QUERY, text)) || connection->is_bad)
        return 0;
    command_add(connection, COMMAND_STATEMENT, sql, count, values);
    return 1;
}

int PQsendQueryPrepared(PGconn *connection, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format)
{
    const char *sql = server_find_prepared(connection, name);
    char text[100];

    assert_true(lengths == NULL && formats == NULL && format == 0);
    if (sql == NULL)
        fail_msg("%s was not prepared on this connection", name);
    statement_text(text, sizeof(text), name, count, values);
    if (script_is_failure(script_enter(connection, PQ_SEND_PREPARED, text)) || connection->is_bad)
        return 0;
    command_add(connection, COMMAND_STATEMENT, sql, count, values);
    return 1;
}

int PQsendPrepare(PGconn *connection, const char *name, const char *sql, int count,
                  const Oid *types)
{
    char text[100];
    struct command *command;

    (void)count;
    assert_null(types);
    snprintf(text, sizeof(text), "%s: %.60s", name, sql);
    if (script_is_failure(script_enter(connection, PQ_SEND_PREPARE, text)) || connection->is_bad)
        return 0;
    command = command_add(connection, COMMAND_PREPARE, sql, 0, NULL);
    snprintf(command->name, sizeof(command->name), "%s", name);
    return 1;
}

int PQpipelineSync(PGconn *connection)
{
    if (script_is_failure(script_enter(connection, PQ_SYNC, "")) || connection->is_bad)
        return 0;
    command_add(connection, COMMAND_SYNC, NULL, 0, NULL);
    return 1;
}

int PQflush(PGconn *connection)
{
    enum pq_fault_kind fault = script_enter(connection, PQ_FLUSH, "");

    if (script_is_failure(fault) || connection->is_bad)
        return -1;
    if (fault == PQ_BLOCKS)
        connection->blocked = BLOCKED_CALLS;
    if (connection->blocked > 0 && connection->blocked-- > 0)
        return 1;
    if (STAILQ_EMPTY(&connection->unsent))
        return 0;
    STAILQ_CONCAT(&connection->sent, &connection->unsent);
    if (script.server.is_eager)
        server_serve(connection);
    connection_make_readable(connection);
    return 0;
}

/* --- receiving --- */

/* True when the read goes on behind it. */
static bool receive(PGconn *connection, struct parcel *parcel)
{
    switch (parcel->kind) {
    case PARCEL_RESULT:
    case PARCEL_ERROR_OF_SYNC:
        STAILQ_INSERT_TAIL(&connection->received, parcel, entry);
        return true;
    case PARCEL_NOTICE:
        connection->on_notice(connection->notice_argument, parcel->result);
        break;
    case PARCEL_NOTIFY:
        connection->notifies++;
        break;
    case PARCEL_CUT:
        free(parcel);
        return false;
    }
    PQclear(parcel->result);
    free(parcel);
    return true;
}

int PQconsumeInput(PGconn *connection)
{
    bool is_first = true, goes_on = true;

    if (script_is_failure(script_enter(connection, PQ_CONSUME, "")) || connection->is_bad)
        return 0;
    connection_drain(connection);
    if (connection->is_hanging)
        return 1;
    server_serve(connection);
    while (goes_on && !STAILQ_EMPTY(&connection->wire)) {
        struct parcel *parcel = STAILQ_FIRST(&connection->wire);

        STAILQ_REMOVE_HEAD(&connection->wire, entry);
        goes_on = receive(connection, parcel);
        is_first = false;
    }
    if (connection->is_ended && is_first)
        connection->is_bad = true;
    else if (connection->is_ended || !STAILQ_EMPTY(&connection->wire))
        connection_make_readable(connection);
    return connection->is_bad ? 0 : 1;
}

int PQisBusy(PGconn *connection)
{
    script_enter(connection, PQ_IS_BUSY, "");
    if (connection->needs_null || connection->is_bad || connection->again != NULL)
        return 0;
    return connection->awaited > 0 && STAILQ_EMPTY(&connection->received);
}

/* It is closed, or out of step: libpq has nothing to wait for any more. */
static PGresult *bad_result(PGconn *connection, bool has_error)
{
    connection->needs_null = false;
    connection->has_desynced = false;
    if (!has_error || connection->awaited == 0)
        return NULL;
    return server_new_own_error();
}

static void note_ended(const struct transaction *transaction)
{
    for (int i = 0; i < transaction->count && script.server.on_answered != NULL; i++)
        if (!transaction->is_prepare[i])
            script.server.on_answered(script.server.owner, &transaction->statements[i],
                                      transaction->is_refused);
}

/* Like libpq's: what the server has said last is told when no answer is awaited. */
PGTransactionStatusType PQtransactionStatus(const PGconn *given)
{
    PGconn *connection = (PGconn *)given;
    enum pq_fault_kind fault = script_enter(connection, PQ_TRANSACTION_STATUS, "");
    struct transaction *transaction;

    connection->is_wordless |= script_is_failure(fault);
    if (connection->is_bad)
        return PQTRANS_UNKNOWN;
    if (connection->awaited > 0)
        return PQTRANS_ACTIVE;
    connection->stays_open |= fault == PQ_STAYS_OPEN || fault == PQ_STAYS_FAILED;
    if (fault == PQ_STAYS_OPEN || fault == PQ_STAYS_FAILED)
        connection->status = fault == PQ_STAYS_OPEN ? PQTRANS_INTRANS : PQTRANS_INERROR;
    STAILQ_FOREACH(transaction, &connection->transactions, entry) {
        if (transaction->is_given && connection->status == PQTRANS_IDLE)
            note_ended(transaction);
        transaction->is_given = false;
    }
    return connection->status;
}

static PGresult *take_received(PGconn *connection)
{
    struct parcel *parcel = STAILQ_FIRST(&connection->received);
    PGresult *result;

    if (parcel == NULL)
        fail_msg("PQgetResult() would block");
    STAILQ_REMOVE_HEAD(&connection->received, entry);
    if (parcel->kind != PARCEL_ERROR_OF_SYNC)
        connection->awaited--;
    connection->needs_null = !parcel->is_sync;
    parcel->transaction->is_given |= parcel->is_sync && !parcel->transaction->is_spoilt;
    result = parcel->result;
    free(parcel);
    return result;
}

static PGresult *instead(PGconn *connection, PGresult *replacement)
{
    STAILQ_FIRST(&connection->received)->transaction->is_spoilt = true;
    PQclear(take_received(connection));
    return replacement;
}

static PGresult *get_result(PGconn *connection, enum pq_fault_kind fault)
{
    PGresult *result;

    switch (fault) {
    case PQ_NULLS:
        return instead(connection, NULL);
    case PQ_OWN_ERROR:
        return instead(connection, server_new_own_error());
    case PQ_ABORTED:
        return instead(connection, pq_result_new(PGRES_PIPELINE_ABORTED));
    case PQ_STRANGE:
        return instead(connection, pq_result_new(PGRES_COPY_OUT));
    case PQ_SKIPS:
        instead(connection, NULL);
        connection->needs_null = false;
        return STAILQ_EMPTY(&connection->received) ? NULL : take_received(connection);
    case PQ_REPEATS:
        STAILQ_FIRST(&connection->received)->transaction->is_spoilt |=
            !STAILQ_FIRST(&connection->received)->is_sync;
        result = take_received(connection);
        connection->again = pq_result_copy(result);
        return result;
    default:
        return take_received(connection);
    }
}

/* A fault of a result strikes at the NULL behind it as well, and changes nothing there. */
PGresult *PQgetResult(PGconn *connection)
{
    enum pq_fault_kind fault = script_enter(connection, PQ_GET_RESULT, "");
    PGresult *again = connection->again;

    if (connection->is_bad)
        return bad_result(connection, fault == PQ_FAILS || connection->has_desynced);
    if (connection->needs_null) {
        connection->needs_null = false;
        return NULL;
    }
    if (again != NULL) {
        connection->again = NULL;
        connection->needs_null = PQresultStatus(again) != PGRES_PIPELINE_SYNC;
        return again;
    }
    if (connection->awaited == 0 || fault == PQ_NULL_FIRST)
        return NULL;
    return get_result(connection, fault);
}

PGnotify *PQnotifies(PGconn *connection)
{
    script_enter(connection, PQ_NOTIFIES, "");
    if (connection->notifies == 0)
        return NULL;
    connection->notifies--;
    script.notifies_alive++;
    return memory_new(1, sizeof(PGnotify));
}

/* Of what it is used for: notifications and quoted names. */
void PQfreemem(void *memory)
{
    if (memory != NULL)
        script.notifies_alive--;
    free(memory);
}
