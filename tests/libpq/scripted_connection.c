/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

static void open_sockets(PGconn *connection)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    connection->ours = pair[0];
    connection->theirs = pair[1];
    connection->is_readable = false;
}

static void close_sockets(PGconn *connection)
{
    if (connection->ours < 0)
        return;
    close(connection->ours);
    close(connection->theirs);
    connection->ours = connection->theirs = -1;
}

void connection_make_readable(PGconn *connection)
{
    if (connection->is_readable || connection->is_hanging || connection->ours < 0)
        return;
    connection->is_readable = true;
    assert_int_equal(write(connection->theirs, "!", 1), 1);
}

void connection_drain(PGconn *connection)
{
    char bytes[8];

    while (read(connection->ours, bytes, sizeof(bytes)) > 0)
        ;
    connection->is_readable = false;
}

void connection_break_off(PGconn *connection)
{
    if (!connection->is_bad)
        close_sockets(connection);
    connection->is_bad = true;
}

static PGconn *connection_new(void)
{
    PGconn *connection = memory_new(1, sizeof(*connection));

    open_sockets(connection);
    STAILQ_INIT(&connection->transactions);
    STAILQ_INIT(&connection->unsent);
    STAILQ_INIT(&connection->sent);
    STAILQ_INIT(&connection->wire);
    STAILQ_INIT(&connection->received);
    connection->awaited_poll = PGRES_POLLING_WRITING;
    LIST_INSERT_HEAD(&script.connections, connection, entry);
    return connection;
}

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand)
{
    PGconn *connection = connection_new();

    assert_non_null(keywords);
    assert_non_null(values);
    assert_int_equal(expand, 1);
    script_enter(connection, PQ_CONNECT_START, "");
    return connection;
}

PGconn *PQconnectdbParams(const char *const *keywords, const char *const *values, int expand)
{
    PGconn *connection = connection_new();

    assert_non_null(keywords);
    assert_non_null(values);
    assert_int_equal(expand, 1);
    connection->is_connected = true;
    if (script_enter(connection, PQ_CONNECT, "") == PQ_FAILS)
        connection->is_bad = true;
    return connection;
}

void pq_arrive(void)
{
    PGconn *connection;

    LIST_FOREACH(connection, &script.connections, entry)
    if (!connection->is_connected && connection->awaited_poll == PGRES_POLLING_READING)
        connection_make_readable(connection);
}

static void change_socket(PGconn *connection, bool keeps_number)
{
    int ours = connection->ours, theirs = connection->theirs;

    if (keeps_number)
        close_sockets(connection);
    open_sockets(connection);
    if (keeps_number)
        return;
    close(ours);
    close(theirs);
}

PostgresPollingStatusType PQconnectPoll(PGconn *connection)
{
    static const PostgresPollingStatusType course[] = {PGRES_POLLING_READING, PGRES_POLLING_WRITING,
                                                       PGRES_POLLING_READING, PGRES_POLLING_OK};
    enum pq_fault_kind fault = script_enter(connection, PQ_POLL, "");

    if (connection->awaited_poll == PGRES_POLLING_READING && !connection->is_readable)
        fail_msg("PQconnectPoll() before the socket can be read");
    connection_drain(connection);
    if (connection->is_bad)
        return PGRES_POLLING_FAILED;
    if (fault == PQ_MOVES || fault == PQ_REUSES)
        change_socket(connection, fault == PQ_REUSES);
    if (fault == PQ_BLOCKS)
        connection->blocked = BLOCKED_CALLS;
    if (connection->blocked > 0 && connection->blocked-- > 0)
        return connection->awaited_poll;
    connection->awaited_poll = course[connection->polls++];
    connection->is_connected = connection->awaited_poll == PGRES_POLLING_OK;
    return connection->awaited_poll;
}

ConnStatusType PQstatus(const PGconn *connection)
{
    if (connection == NULL)
        return CONNECTION_BAD;
    script_enter((PGconn *)connection, PQ_STATUS, "");
    if (connection->is_bad)
        return CONNECTION_BAD;
    return connection->is_connected ? CONNECTION_OK : CONNECTION_MADE;
}

char *PQerrorMessage(const PGconn *connection)
{
    static char reason[] = PQ_REASON;
    static char none[1];

    if (connection != NULL && connection->is_wordless)
        return none;
    return connection == NULL || connection->is_bad || connection->has_error ? reason : none;
}

int PQsocket(const PGconn *connection)
{
    script_enter((PGconn *)connection, PQ_SOCKET, "");
    return connection->is_bad ? -1 : connection->ours;
}

/* There is one server, so no list of hosts to choose from. */
PQconninfoOption *PQconninfoParse(const char *url, char **message)
{
    (void)url;
    (void)message;
    return NULL;
}

void PQconninfoFree(PQconninfoOption *options)
{
    assert_null(options);
}

int PQbackendPID(const PGconn *connection)
{
    return script_enter((PGconn *)connection, PQ_BACKEND_PID, "") == PQ_FAILS
               ? 0
               : script.server.backend_pid;
}

int PQserverVersion(const PGconn *connection)
{
    return connection->is_bad ? 0 : 150000;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *connection, PQnoticeReceiver receiver, void *argument)
{
    connection->on_notice = receiver;
    connection->notice_argument = argument;
    return NULL;
}

int PQsetnonblocking(PGconn *connection, int argument)
{
    assert_int_equal(argument, 1);
    if (script_is_failure(script_enter(connection, PQ_SET_NONBLOCKING, "")) || connection->is_bad)
        return -1;
    connection->is_nonblocking = true;
    return 0;
}

int PQenterPipelineMode(PGconn *connection)
{
    if (script_is_failure(script_enter(connection, PQ_ENTER_PIPELINE, "")) || connection->is_bad)
        return 0;
    connection->is_pipeline = true;
    return 1;
}

static void free_commands(struct command_list *list)
{
    struct command *command;

    while ((command = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, entry);
        free(command);
    }
}

static void free_parcels(struct parcel_list *list)
{
    struct parcel *parcel;

    while ((parcel = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, entry);
        PQclear(parcel->result);
        free(parcel);
    }
}

static void free_transactions(PGconn *connection)
{
    struct transaction *transaction;

    while ((transaction = STAILQ_FIRST(&connection->transactions)) != NULL) {
        STAILQ_REMOVE_HEAD(&connection->transactions, entry);
        for (int i = 0; i < transaction->count; i++)
            statement_free(&transaction->statements[i]);
        free(transaction);
    }
}

void PQfinish(PGconn *connection)
{
    if (connection == NULL)
        return;
    script_enter(connection, PQ_FINISH, "");
    free_commands(&connection->unsent);
    free_commands(&connection->sent);
    free_parcels(&connection->wire);
    free_parcels(&connection->received);
    free_transactions(connection);
    PQclear(connection->again);
    close_sockets(connection);
    LIST_REMOVE(connection, entry);
    free(connection);
}
