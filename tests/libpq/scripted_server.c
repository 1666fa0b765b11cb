/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "unit.h"

static void wire_add(PGconn *connection, enum parcel_kind kind, PGresult *result,
                     struct transaction *transaction, bool is_sync)
{
    struct parcel *parcel;

    if (connection->is_ended) {
        PQclear(result);
        return;
    }
    parcel = memory_new(1, sizeof(*parcel));
    parcel->kind = kind;
    parcel->result = result;
    parcel->transaction = transaction;
    parcel->is_sync = is_sync;
    STAILQ_INSERT_TAIL(&connection->wire, parcel, entry);
}

PGresult *server_new_error(const char *sqlstate)
{
    PGresult *result = pq_result_new(PGRES_FATAL_ERROR);

    pq_result_set_error(result, sqlstate, "the script refuses it");
    return result;
}

PGresult *server_new_own_error(void)
{
    PGresult *result = pq_result_new(PGRES_FATAL_ERROR);

    pq_result_set_error(result, "", PQ_REASON);
    return result;
}

PGresult *server_execute(const struct pq_statement *statement, struct transaction *transaction)
{
    PGresult *result = pq_result_new(PGRES_TUPLES_OK);
    const char *sqlstate;

    if (!transaction->has_begun && script.server.on_begin != NULL)
        script.server.on_begin(script.server.owner);
    transaction->has_begun = true;
    sqlstate = script.server.on_statement(script.server.owner, statement, result);

    if (sqlstate == NULL)
        return result;
    PQclear(result);
    transaction->is_refused = true;
    return server_new_error(sqlstate);
}

const char *server_find_prepared(const PGconn *connection, const char *name)
{
    for (int i = 0; i < connection->prepared_count; i++)
        if (strcmp(connection->prepared[i], name) == 0)
            return connection->prepared_sql[i];
    return NULL;
}

static PGresult *execute_prepare(PGconn *connection, const struct command *command)
{
    int at = connection->prepared_count++;

    assert_true(at < PREPARED_NAMES);
    snprintf(connection->prepared[at], sizeof(connection->prepared[at]), "%s", command->name);
    connection->prepared_sql[at] = command->transaction->statements[command->statement].sql;
    return pq_result_new(PGRES_COMMAND_OK);
}

static void commit(const struct transaction *transaction)
{
    for (int i = 0; i < transaction->count && script.server.on_commit != NULL; i++)
        if (!transaction->is_prepare[i])
            script.server.on_commit(script.server.owner, &transaction->statements[i]);
}

static void send_result(PGconn *connection, const struct command *command)
{
    struct transaction *transaction = command->transaction;
    PGresult *result;

    if (transaction->is_refused)
        result = pq_result_new(PGRES_PIPELINE_ABORTED);
    else if (command->kind == COMMAND_PREPARE)
        result = execute_prepare(connection, command);
    else
        result = server_execute(&transaction->statements[command->statement], transaction);
    wire_add(connection, PARCEL_RESULT, result, transaction, false);
}

static void send_sync(PGconn *connection, const struct command *command)
{
    if (!command->transaction->is_refused && connection->status == PQTRANS_IDLE)
        commit(command->transaction);
    wire_add(connection, PARCEL_RESULT, pq_result_new(PGRES_PIPELINE_SYNC), command->transaction,
             true);
}

static void refuse(PGconn *connection, const struct command *command, const char *sqlstate)
{
    struct transaction *transaction = command->transaction;
    bool is_sync = command->kind == COMMAND_SYNC;

    if (transaction->is_refused) /* it has failed already: only once */
        return;
    transaction->is_refused = true;
    wire_add(connection, is_sync ? PARCEL_ERROR_OF_SYNC : PARCEL_RESULT, server_new_error(sqlstate),
             transaction, false);
}

/* The script's fault at this place; true when that is all that is sent for the command. */
static bool strike_sent(PGconn *connection, const struct command *command)
{
    const struct pq_fault *fault = script_strike_sent();
    bool was_refused = command->transaction->is_refused;

    if (fault == NULL)
        return false;
    switch (fault->kind) {
    case PQ_REFUSES:
        refuse(connection, command, fault->sqlstate);
        return command->kind != COMMAND_SYNC && !was_refused;
    case PQ_REFUSES_ENDS:
        refuse(connection, command, fault->sqlstate);
        connection->is_ended = connection->is_deaf = true;
        return true;
    case PQ_KEEPS_OPEN:
        connection->status = PQTRANS_INTRANS;
        break;
    case PQ_ENDS:
        connection->is_ended = true;
        connection->is_deaf = !script.server.is_eager;
        break;
    case PQ_CUTS:
        wire_add(connection, PARCEL_CUT, NULL, NULL, false);
        break;
    case PQ_NOTICE:
        wire_add(connection, PARCEL_NOTICE, server_new_error("01000"), NULL, false);
        break;
    default:
        wire_add(connection, PARCEL_NOTIFY, NULL, NULL, false);
        break;
    }
    return false;
}

void server_serve(PGconn *connection)
{
    struct command *command;

    while ((command = STAILQ_FIRST(&connection->sent)) != NULL) {
        STAILQ_REMOVE_HEAD(&connection->sent, entry);
        if (!connection->is_deaf && !strike_sent(connection, command)) {
            if (command->kind == COMMAND_SYNC)
                send_sync(connection, command);
            else
                send_result(connection, command);
        }
        free(command);
    }
}
