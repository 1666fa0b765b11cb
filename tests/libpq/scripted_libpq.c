#include "scripted_libpq.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

#define BLOCKED_CALLS  3
#define PREPARED_NAMES 32
#define CALLS_MAX      20000 /* more is a loop that never ends */

/* What was sent between two syncs. */
struct transaction {
    STAILQ_ENTRY(transaction) entry;
    struct pq_statement statements[16];
    bool is_prepare[16];
    int count;
    bool has_begun;  /* the server has seen its first statement */
    bool is_refused; /* by the server */
    bool is_spoilt;  /* the client was not given all of its results */
};

enum command_kind { COMMAND_STATEMENT, COMMAND_PREPARE, COMMAND_SYNC };

struct command {
    STAILQ_ENTRY(command) entry;
    enum command_kind kind;
    struct transaction *transaction;
    int statement;
    char name[32];
};

STAILQ_HEAD(command_list, command);

enum parcel_kind { PARCEL_RESULT, PARCEL_ERROR_OF_SYNC, PARCEL_NOTICE, PARCEL_NOTIFY, PARCEL_CUT };

/* What is on its way to the client, or with it and not taken yet. */
struct parcel {
    STAILQ_ENTRY(parcel) entry;
    enum parcel_kind kind;
    PGresult *result;
    struct transaction *transaction;
    bool is_sync;
};

STAILQ_HEAD(parcel_list, parcel);

struct pg_conn {
    LIST_ENTRY(pg_conn) entry;
    int ours, theirs;         /* sockets */
    bool is_readable;         /* something was written to theirs */
    bool is_bad, will_be_bad; /* CONNECTION_BAD now, from the next call */
    bool has_desynced;        /* it owes an error */
    bool has_error;           /* PQerrorMessage() has a reason */
    bool is_hanging;
    bool is_connected;
    bool is_nonblocking, is_pipeline;
    int polls;
    PostgresPollingStatusType awaited_poll;
    int blocked;
    PQnoticeReceiver on_notice;
    void *notice_argument;
    STAILQ_HEAD(, transaction) transactions;
    struct transaction *open; /* no sync was sent behind it */
    struct command_list unsent, sent;
    char prepared[PREPARED_NAMES][32];
    const char *prepared_sql[PREPARED_NAMES];
    int prepared_count;
    struct parcel_list wire, received;
    bool is_ended; /* the server sends nothing more */
    bool is_deaf;  /* ... and does nothing more */
    bool needs_null;
    int awaited; /* results and syncs that were asked for and not given to the client */
    PGresult *again;
    int notifies;
};

static struct {
    struct pq_server server;
    const struct pq_trace *honest;
    struct pq_fault faults[PQ_FAULTS_MAX];
    bool has_struck[PQ_FAULTS_MAX];
    int fault_count;
    int sent;
    int notifies_alive;
    struct pq_trace trace;
    LIST_HEAD(, pg_conn) connections;
} script;

static const char *const function_names[] = {
    [PQ_CONNECT_START] = "PQconnectStartParams",
    [PQ_CONNECT] = "PQconnectdbParams",
    [PQ_POLL] = "PQconnectPoll",
    [PQ_STATUS] = "PQstatus",
    [PQ_SOCKET] = "PQsocket",
    [PQ_BACKEND_PID] = "PQbackendPID",
    [PQ_SET_NONBLOCKING] = "PQsetnonblocking",
    [PQ_ENTER_PIPELINE] = "PQenterPipelineMode",
    [PQ_SEND_QUERY] = "PQsendQueryParams",
    [PQ_SEND_PREPARED] = "PQsendQueryPrepared",
    [PQ_SEND_PREPARE] = "PQsendPrepare",
    [PQ_SYNC] = "PQpipelineSync",
    [PQ_FLUSH] = "PQflush",
    [PQ_CONSUME] = "PQconsumeInput",
    [PQ_IS_BUSY] = "PQisBusy",
    [PQ_GET_RESULT] = "PQgetResult",
    [PQ_NOTIFIES] = "PQnotifies",
    [PQ_FINISH] = "PQfinish",
    [PQ_EXEC] = "PQexec",
    [PQ_EXEC_PARAMS] = "PQexecParams",
    [PQ_ESCAPE_IDENTIFIER] = "PQescapeIdentifier",
};

static const char *const fault_names[PQ_FAULT_KINDS] = {
    [PQ_NOTHING] = "nothing",
    [PQ_FAILS] = "it fails",
    [PQ_FAILS_ALIVE] = "it fails, the connection lives",
    [PQ_BREAKS] = "the connection is bad afterwards",
    [PQ_DESYNCS] = "the connection is out of step afterwards",
    [PQ_BLOCKS] = "it would block",
    [PQ_HANGS] = "nothing arrives afterwards",
    [PQ_MOVES] = "the socket changes",
    [PQ_REUSES] = "the socket is another with the same number",
    [PQ_NULLS] = "NULL instead of a result",
    [PQ_NULL_FIRST] = "NULL before a result",
    [PQ_OWN_ERROR] = "an error of libpq's own",
    [PQ_ABORTED] = "aborted without an error",
    [PQ_STRANGE] = "a strange status",
    [PQ_SKIPS] = "a result is missing",
    [PQ_REPEATS] = "a result comes twice",
    [PQ_REFUSES] = "the server refuses",
    [PQ_REFUSES_ENDS] = "the server refuses and ends the connection",
    [PQ_ENDS] = "the connection ends",
    [PQ_CUTS] = "a read ends",
    [PQ_NOTICE] = "a notice comes",
    [PQ_NOTIFY] = "a notification comes",
};

const char *pq_fault_name(enum pq_fault_kind kind)
{
    return fault_names[kind];
}

/* Those that read from the socket, or from what was read. */
static bool is_reading(enum pq_function function)
{
    return function == PQ_CONSUME || function == PQ_IS_BUSY || function == PQ_GET_RESULT ||
           function == PQ_NOTIFIES;
}

static bool can_fail(enum pq_function function)
{
    return function != PQ_IS_BUSY && function != PQ_NOTIFIES && function != PQ_FINISH;
}

static bool can_fail_alive(enum pq_function function)
{
    return function >= PQ_SET_NONBLOCKING && can_fail(function) && function != PQ_GET_RESULT;
}

bool pq_can_strike(enum pq_fault_kind kind, enum pq_function function)
{
    bool is_exec = function == PQ_EXEC || function == PQ_EXEC_PARAMS;

    switch (kind) {
    case PQ_FAILS:
        return can_fail(function);
    case PQ_FAILS_ALIVE:
        return can_fail_alive(function);
    case PQ_BREAKS:
    case PQ_DESYNCS:
        return is_reading(function);
    case PQ_HANGS:
        return function <= PQ_NOTIFIES && function != PQ_CONNECT;
    case PQ_BLOCKS:
        return function == PQ_FLUSH || function == PQ_POLL;
    case PQ_MOVES:
    case PQ_REUSES:
        return function == PQ_POLL;
    case PQ_OWN_ERROR:
    case PQ_STRANGE:
        return function == PQ_GET_RESULT || is_exec;
    case PQ_NULLS:
    case PQ_NULL_FIRST:
    case PQ_ABORTED:
    case PQ_SKIPS:
    case PQ_REPEATS:
        return function == PQ_GET_RESULT;
    case PQ_NOTHING:
    case PQ_REFUSES:
    case PQ_REFUSES_ENDS:
    case PQ_ENDS:
    case PQ_CUTS:
    case PQ_NOTICE:
    case PQ_NOTIFY:
    case PQ_FAULT_KINDS:
        break;
    }
    return false;
}

/* --- the script --- */

void pq_begin(const struct pq_server *server, const struct pq_trace *honest,
              const struct pq_fault *faults, int fault_count)
{
    assert_true(fault_count <= PQ_FAULTS_MAX);
    script.server = *server;
    script.honest = honest;
    script.fault_count = fault_count;
    for (int i = 0; i < fault_count; i++) {
        script.faults[i] = faults[i];
        script.has_struck[i] = false;
    }
    script.sent = 0;
    script.notifies_alive = 0;
    script.trace.count = 0;
    LIST_INIT(&script.connections);
    pq_results_forget();
}

void pq_end(struct pq_trace *trace)
{
    if (!LIST_EMPTY(&script.connections))
        fail_msg("a connection was not closed");
    if (pq_results_alive() != 0)
        fail_msg("%d results were not cleared", pq_results_alive());
    if (script.notifies_alive != 0)
        fail_msg("%d notifications were not freed", script.notifies_alive);
    script.trace.sent = script.sent;
    if (trace != NULL)
        *trace = script.trace;
    else
        pq_trace_free(&script.trace);
    script.trace = (struct pq_trace){.calls = NULL};
}

int pq_calls(void)
{
    return script.trace.count;
}

bool pq_has_struck(int fault)
{
    return script.has_struck[fault];
}

void pq_trace_free(struct pq_trace *trace)
{
    free(trace->calls);
    free(trace->functions);
    *trace = (struct pq_trace){.calls = NULL};
}

static bool is_before_faults(void)
{
    for (int i = 0; i < script.fault_count; i++)
        if (script.has_struck[i])
            return false;
    return true;
}

static void trace_add(enum pq_function function, const char *text)
{
    struct pq_trace *trace = &script.trace;
    char *call;

    if (trace->count == CALLS_MAX)
        fail_msg("%d calls: it never ends; the last is %s", CALLS_MAX, function_names[function]);
    if (trace->count == trace->size) {
        trace->size = trace->size == 0 ? 256 : trace->size * 2;
        trace->calls = memory_resize(trace->calls, (size_t)trace->size, sizeof(*trace->calls));
        trace->functions =
            memory_resize(trace->functions, (size_t)trace->size, sizeof(*trace->functions));
    }
    call = trace->calls[trace->count];
    snprintf(call, sizeof(*trace->calls), "%s %s", function_names[function], text);
    trace->functions[trace->count] = function;
    if (script.honest != NULL && is_before_faults()) {
        const char *expected =
            trace->count < script.honest->count ? script.honest->calls[trace->count] : "nothing";

        if (strcmp(expected, call) != 0)
            fail_msg("call %d of the script: expected %s, was %s", trace->count, expected, call);
    }
    trace->count++;
}

static const struct pq_fault *fault_at(int at, bool is_call)
{
    for (int i = 0; i < script.fault_count; i++) {
        const struct pq_fault *fault = &script.faults[i];

        if (fault->at == at && (fault->kind < PQ_FIRST_AT_SENT) == is_call && !script.has_struck[i])
            return fault;
    }
    return NULL;
}

static void note_struck(const struct pq_fault *fault)
{
    script.has_struck[fault - script.faults] = true;
}

/* --- sockets --- */

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

static void make_readable(PGconn *connection)
{
    if (connection->is_readable || connection->is_hanging || connection->ours < 0)
        return;
    connection->is_readable = true;
    assert_int_equal(write(connection->theirs, "!", 1), 1);
}

static void drain(PGconn *connection)
{
    char bytes[8];

    while (read(connection->ours, bytes, sizeof(bytes)) > 0)
        ;
    connection->is_readable = false;
}

/* As libpq does when the connection is of no use any more: nothing arrives on the socket. */
static void break_off(PGconn *connection)
{
    if (!connection->is_bad)
        close_sockets(connection);
    connection->is_bad = true;
}

/* Every call that a script can hold begins here; returns what is to go wrong with it. */
static enum pq_fault_kind enter(PGconn *connection, enum pq_function function, const char *text)
{
    const struct pq_fault *fault = fault_at(script.trace.count, true);

    trace_add(function, text);
    if (connection != NULL && connection->will_be_bad)
        break_off(connection);
    if (fault == NULL || !pq_can_strike(fault->kind, function))
        return PQ_NOTHING;
    note_struck(fault);
    if (connection != NULL) {
        connection->will_be_bad |= fault->kind == PQ_BREAKS || fault->kind == PQ_DESYNCS;
        connection->has_desynced |= fault->kind == PQ_DESYNCS;
        connection->is_hanging |= fault->kind == PQ_HANGS;
        connection->has_error |= fault->kind == PQ_FAILS || fault->kind == PQ_FAILS_ALIVE;
        connection->is_bad |= fault->kind == PQ_FAILS;
    }
    return fault->kind;
}

static bool is_failure(enum pq_fault_kind kind)
{
    return kind == PQ_FAILS || kind == PQ_FAILS_ALIVE;
}

/* --- the server --- */

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

static PGresult *new_error(const char *sqlstate)
{
    PGresult *result = pq_result_new(PGRES_FATAL_ERROR);

    pq_result_set_error(result, sqlstate, "the script refuses it");
    return result;
}

static PGresult *new_own_error(void)
{
    PGresult *result = pq_result_new(PGRES_FATAL_ERROR);

    pq_result_set_error(result, "", PQ_REASON);
    return result;
}

static PGresult *execute(const struct pq_statement *statement, struct transaction *transaction)
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
    return new_error(sqlstate);
}

static const char *find_prepared(const PGconn *connection, const char *name)
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
        result = execute(&transaction->statements[command->statement], transaction);
    wire_add(connection, PARCEL_RESULT, result, transaction, false);
}

static void send_sync(PGconn *connection, const struct command *command)
{
    if (!command->transaction->is_refused)
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
    wire_add(connection, is_sync ? PARCEL_ERROR_OF_SYNC : PARCEL_RESULT, new_error(sqlstate),
             transaction, false);
}

/* The script's fault at this place; true when that is all that is sent for the command. */
static bool strike_sent(PGconn *connection, const struct command *command)
{
    const struct pq_fault *fault = fault_at(script.sent++, false);
    bool was_refused = command->transaction->is_refused;

    if (fault == NULL)
        return false;
    note_struck(fault);
    switch (fault->kind) {
    case PQ_REFUSES:
        refuse(connection, command, fault->sqlstate);
        return command->kind != COMMAND_SYNC && !was_refused;
    case PQ_REFUSES_ENDS:
        refuse(connection, command, fault->sqlstate);
        connection->is_ended = connection->is_deaf = true;
        return true;
    case PQ_ENDS:
        connection->is_ended = true;
        connection->is_deaf = !script.server.is_eager;
        break;
    case PQ_CUTS:
        wire_add(connection, PARCEL_CUT, NULL, NULL, false);
        break;
    case PQ_NOTICE:
        wire_add(connection, PARCEL_NOTICE, new_error("01000"), NULL, false);
        break;
    default:
        wire_add(connection, PARCEL_NOTIFY, NULL, NULL, false);
        break;
    }
    return false;
}

/* Does what was sent to it. */
static void serve(PGconn *connection)
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

/* --- connections --- */

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
    enter(connection, PQ_CONNECT_START, "");
    return connection;
}

PGconn *PQconnectdbParams(const char *const *keywords, const char *const *values, int expand)
{
    PGconn *connection = connection_new();

    assert_non_null(keywords);
    assert_non_null(values);
    assert_int_equal(expand, 1);
    connection->is_connected = true;
    if (enter(connection, PQ_CONNECT, "") == PQ_FAILS)
        connection->is_bad = true;
    return connection;
}

void pq_arrive(void)
{
    PGconn *connection;

    LIST_FOREACH(connection, &script.connections, entry)
    if (!connection->is_connected && connection->awaited_poll == PGRES_POLLING_READING)
        make_readable(connection);
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
    enum pq_fault_kind fault = enter(connection, PQ_POLL, "");

    if (connection->awaited_poll == PGRES_POLLING_READING && !connection->is_readable)
        fail_msg("PQconnectPoll() before the socket can be read");
    drain(connection);
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
    enter((PGconn *)connection, PQ_STATUS, "");
    if (connection->is_bad)
        return CONNECTION_BAD;
    return connection->is_connected ? CONNECTION_OK : CONNECTION_MADE;
}

char *PQerrorMessage(const PGconn *connection)
{
    static char reason[] = PQ_REASON;
    static char none[1];

    return connection == NULL || connection->is_bad || connection->has_error ? reason : none;
}

int PQsocket(const PGconn *connection)
{
    enter((PGconn *)connection, PQ_SOCKET, "");
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
    return enter((PGconn *)connection, PQ_BACKEND_PID, "") == PQ_FAILS ? 0
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
    if (is_failure(enter(connection, PQ_SET_NONBLOCKING, "")) || connection->is_bad)
        return -1;
    connection->is_nonblocking = true;
    return 0;
}

int PQenterPipelineMode(PGconn *connection)
{
    if (is_failure(enter(connection, PQ_ENTER_PIPELINE, "")) || connection->is_bad)
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

static void free_statement(struct pq_statement *statement)
{
    for (int i = 0; i < statement->count; i++)
        free(statement->values[i]);
    free(statement->values);
}

static void free_transactions(PGconn *connection)
{
    struct transaction *transaction;

    while ((transaction = STAILQ_FIRST(&connection->transactions)) != NULL) {
        STAILQ_REMOVE_HEAD(&connection->transactions, entry);
        for (int i = 0; i < transaction->count; i++)
            free_statement(&transaction->statements[i]);
        free(transaction);
    }
}

void PQfinish(PGconn *connection)
{
    if (connection == NULL)
        return;
    enter(connection, PQ_FINISH, "");
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

/* --- sending --- */

static void statement_copy(struct pq_statement *copy, const char *sql, int count,
                           const char *const *values)
{
    *copy = (struct pq_statement){.sql = sql, .count = count};
    copy->values = memory_new((size_t)count + 1, sizeof(*copy->values));
    for (int i = 0; i < count; i++)
        copy->values[i] = values[i] == NULL ? NULL : memory_copy_string(values[i]);
}

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

static void call_text(char *out, size_t size, const char *sql, int count, const char *const *values)
{
    int length = snprintf(out, size, "%.40s", sql);

    for (int i = 0; i < count && length < (int)size; i++)
        length += snprintf(out + length, size - (size_t)length, " | %.20s",
                           values[i] == NULL ? "NULL" : values[i]);
}

int PQsendQueryParams(PGconn *connection, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats, int format)
{
    char text[100];

    assert_true(types == NULL && lengths == NULL && formats == NULL && format == 0);
    call_text(text, sizeof(text), sql, count, values);
    if (is_failure(enter(connection, PQ_SEND_QUERY, text)) || connection->is_bad)
        return 0;
    command_add(connection, COMMAND_STATEMENT, sql, count, values);
    return 1;
}

int PQsendQueryPrepared(PGconn *connection, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format)
{
    const char *sql = find_prepared(connection, name);
    char text[100];

    assert_true(lengths == NULL && formats == NULL && format == 0);
    if (sql == NULL)
        fail_msg("%s was not prepared on this connection", name);
    call_text(text, sizeof(text), name, count, values);
    if (is_failure(enter(connection, PQ_SEND_PREPARED, text)) || connection->is_bad)
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
    if (is_failure(enter(connection, PQ_SEND_PREPARE, text)) || connection->is_bad)
        return 0;
    command = command_add(connection, COMMAND_PREPARE, sql, 0, NULL);
    snprintf(command->name, sizeof(command->name), "%s", name);
    return 1;
}

int PQpipelineSync(PGconn *connection)
{
    if (is_failure(enter(connection, PQ_SYNC, "")) || connection->is_bad)
        return 0;
    command_add(connection, COMMAND_SYNC, NULL, 0, NULL);
    return 1;
}

int PQflush(PGconn *connection)
{
    enum pq_fault_kind fault = enter(connection, PQ_FLUSH, "");

    if (is_failure(fault) || connection->is_bad)
        return -1;
    if (fault == PQ_BLOCKS)
        connection->blocked = BLOCKED_CALLS;
    if (connection->blocked > 0 && connection->blocked-- > 0)
        return 1;
    if (STAILQ_EMPTY(&connection->unsent))
        return 0;
    STAILQ_CONCAT(&connection->sent, &connection->unsent);
    if (script.server.is_eager)
        serve(connection);
    make_readable(connection);
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

    if (is_failure(enter(connection, PQ_CONSUME, "")) || connection->is_bad)
        return 0;
    drain(connection);
    if (connection->is_hanging)
        return 1;
    serve(connection);
    while (goes_on && !STAILQ_EMPTY(&connection->wire)) {
        struct parcel *parcel = STAILQ_FIRST(&connection->wire);

        STAILQ_REMOVE_HEAD(&connection->wire, entry);
        goes_on = receive(connection, parcel);
        is_first = false;
    }
    if (connection->is_ended && is_first)
        connection->is_bad = true;
    else if (connection->is_ended || !STAILQ_EMPTY(&connection->wire))
        make_readable(connection);
    return connection->is_bad ? 0 : 1;
}

int PQisBusy(PGconn *connection)
{
    enter(connection, PQ_IS_BUSY, "");
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
    return new_own_error();
}

static void note_given(const struct parcel *parcel)
{
    const struct transaction *transaction = parcel->transaction;

    if (!parcel->is_sync || transaction->is_spoilt || script.server.on_answered == NULL)
        return;
    for (int i = 0; i < transaction->count; i++)
        if (!transaction->is_prepare[i])
            script.server.on_answered(script.server.owner, &transaction->statements[i],
                                      transaction->is_refused);
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
    note_given(parcel);
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
        return instead(connection, new_own_error());
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
    enum pq_fault_kind fault = enter(connection, PQ_GET_RESULT, "");
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
    enter(connection, PQ_NOTIFIES, "");
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

/* --- blocking --- */

static PGresult *exec_fault(PGconn *connection, const struct pq_fault *fault)
{
    PGresult *result;

    switch (fault->kind) {
    case PQ_REFUSES_ENDS:
        connection->is_bad = true;
        return new_error(fault->sqlstate);
    case PQ_ENDS:
        connection->is_bad = true;
        return new_own_error();
    case PQ_NOTICE:
        result = new_error("01000");
        connection->on_notice(connection->notice_argument, result);
        PQclear(result);
        return NULL;
    case PQ_REFUSES:
        return new_error(fault->sqlstate);
    default:
        return NULL;
    }
}

/* An eager server has done it, though nothing is heard of that. */
static void execute_unheard(const struct pq_statement *given)
{
    struct transaction transaction = {.count = 0};

    if (script.server.is_eager)
        PQclear(execute(given, &transaction));
}

static PGresult *exec(PGconn *connection, enum pq_fault_kind kind, const struct pq_statement *given)
{
    const struct pq_fault *fault;
    struct transaction transaction = {.count = 0};
    PGresult *result = NULL;

    if (kind == PQ_FAILS || kind == PQ_OWN_ERROR)
        execute_unheard(given);
    if (is_failure(kind) || connection->is_bad)
        return NULL;
    if (kind == PQ_OWN_ERROR)
        return new_own_error();
    if (kind == PQ_STRANGE)
        return pq_result_new(PGRES_COPY_OUT);
    fault = fault_at(script.sent++, false);
    if (fault != NULL) {
        note_struck(fault);
        if (fault->kind == PQ_ENDS || fault->kind == PQ_REFUSES_ENDS)
            execute_unheard(given);
        result = exec_fault(connection, fault);
    }
    return result != NULL ? result : execute(given, &transaction);
}

PGresult *PQexec(PGconn *connection, const char *sql)
{
    struct pq_statement statement = {.sql = sql};
    char text[100];

    snprintf(text, sizeof(text), "%.90s", sql);
    return exec(connection, enter(connection, PQ_EXEC, text), &statement);
}

PGresult *PQexecParams(PGconn *connection, const char *sql, int count, const Oid *types,
                       const char *const *values, const int *lengths, const int *formats,
                       int format)
{
    struct pq_statement statement;
    char text[100];
    PGresult *result;

    assert_true(types == NULL && lengths == NULL && formats == NULL && format == 0);
    call_text(text, sizeof(text), sql, count, values);
    statement_copy(&statement, sql, count, values);
    result = exec(connection, enter(connection, PQ_EXEC_PARAMS, text), &statement);
    free_statement(&statement);
    return result;
}

char *PQescapeIdentifier(PGconn *connection, const char *text, size_t length)
{
    if (is_failure(enter(connection, PQ_ESCAPE_IDENTIFIER, text)) || connection->is_bad)
        return NULL;
    script.notifies_alive++;
    return memory_format("\"%.*s\"", (int)length, text);
}
