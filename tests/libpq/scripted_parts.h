/* SPDX-License-Identifier: MIT */
/*
 * scripted_parts.h: what the files of the scripted libpq share; tests include scripted_libpq.h.
 *
 *   scripted_script.c      the script: its calls, its faults, what is left at its end
 *   scripted_faults.c      the kinds of faults, and what each can happen to
 *   scripted_server.c      the server: does statements, sends results
 *   scripted_statement.c   copies of statements
 *   scripted_connection.c  connections: how they are made and end, their sockets
 *   scripted_pipeline.c    what is sent in a pipeline, and the results that are taken from it
 *   scripted_blocking.c    PQexec() and what else waits for its answer
 *   scripted_results.c     results (PGresult)
 */
#ifndef POSTRIDER_TESTS_SCRIPTED_PARTS_H
#define POSTRIDER_TESTS_SCRIPTED_PARTS_H

#include <sys/queue.h>

#include "scripted_libpq.h"

#define BLOCKED_CALLS  3
#define PREPARED_NAMES 32

/* What was sent between two syncs. */
struct transaction {
    STAILQ_ENTRY(transaction) entry;
    struct pq_statement statements[16];
    bool is_prepare[16];
    int count;
    bool has_begun;  /* the server has seen its first statement */
    bool is_refused; /* by the server */
    bool is_spoilt;  /* the client was not given all of its results */
    bool is_given;   /* ... but was, to the sync, and has not heard yet that it has ended */
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
    bool is_wordless;  /* lost behind a good answer: PQerrorMessage() says nothing, as libpq */
    bool has_desynced; /* it owes an error */
    bool has_error;    /* PQerrorMessage() has a reason */
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
    bool is_ended;                  /* the server sends nothing more */
    bool is_deaf;                   /* ... and does nothing more */
    PGTransactionStatusType status; /* when nothing is under way */
    bool stays_open;                /* ... whatever happens */
    bool needs_null;
    int awaited; /* results and syncs that were asked for and not given to the client */
    PGresult *again;
    int notifies;
};

struct script {
    struct pq_server server;
    const struct pq_trace *honest;
    struct pq_fault faults[PQ_FAULTS_MAX];
    bool has_struck[PQ_FAULTS_MAX];
    int fault_count;
    int sent;
    int notifies_alive;
    struct pq_trace trace;
    LIST_HEAD(, pg_conn) connections;
};

extern struct script script;

/* --- scripted_script.c --- */

/* Every call that a script can hold begins here; returns what is to go wrong with it. */
enum pq_fault_kind script_enter(PGconn *connection, enum pq_function function, const char *text);
bool script_is_failure(enum pq_fault_kind kind);
/* The server sends something: the fault that strikes it, or NULL. */
const struct pq_fault *script_strike_sent(void);

/* --- scripted_server.c --- */

/* Does what was sent to it. */
void server_serve(PGconn *connection);
PGresult *server_execute(const struct pq_statement *statement, struct transaction *transaction);
/* The SQL of a prepared statement; NULL when it was not prepared on this connection. */
const char *server_find_prepared(const PGconn *connection, const char *name);
PGresult *server_new_error(const char *sqlstate);
/* libpq's own: without SQLSTATE. */
PGresult *server_new_own_error(void);

/* --- scripted_statement.c --- */

/* The values are copied, the text is not. */
void statement_copy(struct pq_statement *copy, const char *sql, int count,
                    const char *const *values);
void statement_free(struct pq_statement *statement);
/* For the script's calls. */
void statement_text(char *out, size_t size, const char *sql, int count, const char *const *values);

/* --- scripted_connection.c --- */

void connection_make_readable(PGconn *connection);
void connection_drain(PGconn *connection);
/* As libpq does when the connection is of no use any more: nothing arrives on the socket. */
void connection_break_off(PGconn *connection);

#endif
