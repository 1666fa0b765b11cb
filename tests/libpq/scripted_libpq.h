/* SPDX-License-Identifier: MIT */
/*
 * scripted_libpq.h: a stand-in for libpq that loses an answer where it is told to.
 *
 * It has the functions that src/ calls, a server behind them, and a script:
 *   struct pq_server  what the server answers to each statement, and what it has committed
 *   struct pq_fault   what goes wrong, and where: at the n-th call of libpq, or at the n-th thing
 *                     that the server sends (a result, a sync)
 *   the calls of an honest run (pq_end()), which every replay must repeat, function by
 * function and text by text, until its fault; the first call that differs fails the test So a test
 * runs an exchange once without a fault, and then again for every place in it.
 *
 * What libpq forbids fails the test, whatever the script: a call on a connection that was closed, a
 * PQgetResult() that would block, a statement outside the pipeline, one that was prepared nowhere.
 * What is sent reaches the server when PQflush() has returned 0. Sockets are real, and readable
 * when something has arrived, so an event that is missing shows as a test that gets no further.
 *
 * Limits: one thread, one script at a time; text parameters; a server with one simple transaction.
 */
#ifndef POSTRIDER_TESTS_SCRIPTED_LIBPQ_H
#define POSTRIDER_TESTS_SCRIPTED_LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>

#define PQ_FAULTS_MAX 2
#define PQ_REASON     "the script ended it\n\tas it was told to\n" /* PQerrorMessage() */

enum pq_function {
    PQ_CONNECT_START,
    PQ_CONNECT,
    PQ_POLL,
    PQ_STATUS,
    PQ_SOCKET,
    PQ_BACKEND_PID,
    PQ_SET_NONBLOCKING,
    PQ_ENTER_PIPELINE,
    PQ_SEND_QUERY,
    PQ_SEND_PREPARED,
    PQ_SEND_PREPARE,
    PQ_SYNC,
    PQ_FLUSH,
    PQ_CONSUME,
    PQ_IS_BUSY,
    PQ_GET_RESULT,
    PQ_NOTIFIES,
    PQ_TRANSACTION_STATUS,
    PQ_FINISH,
    PQ_EXEC,
    PQ_EXEC_PARAMS,
    PQ_ESCAPE_IDENTIFIER,
};

enum pq_fault_kind {
    PQ_NOTHING,
    /* At a call. */
    PQ_FAILS,        /* what it returns when it fails; the connection is bad from then on */
    PQ_FAILS_ALIVE,  /* the same, but the connection is not: out of memory */
    PQ_BREAKS,       /* it works, and PQstatus() says CONNECTION_BAD from then on */
    PQ_DESYNCS,      /* the same, as after garbage: one error without SQLSTATE, then only NULL */
    PQ_BLOCKS,       /* PQflush() stays at 1, PQconnectPoll() at what it was, three times */
    PQ_HANGS,        /* nothing arrives from then on */
    PQ_MOVES,        /* PQconnectPoll(): to another socket */
    PQ_REUSES,       /* ... that has the same number */
    PQ_NULLS,        /* PQgetResult(): NULL instead of the result: out of memory */
    PQ_NULL_FIRST,   /* ... NULL before it */
    PQ_OWN_ERROR,    /* ... an error of libpq's own instead of it, without SQLSTATE */
    PQ_ABORTED,      /* ... aborted, where nothing has failed */
    PQ_STRANGE,      /* ... a status that none of our statements has */
    PQ_SKIPS,        /* ... the one after it instead */
    PQ_REPEATS,      /* ... and the same once more afterwards */
    PQ_STAYS_OPEN,   /* PQtransactionStatus(): one is open, which will not end */
    PQ_STAYS_FAILED, /* ... and has failed */
    /* At what the server sends. */
    PQ_REFUSES,      /* an error with sqlstate instead of it; what follows is aborted */
    PQ_REFUSES_ENDS, /* the same, and the connection ends */
    PQ_KEEPS_OPEN,   /* this transaction does not end, nor does any from here on */
    PQ_ENDS,         /* the connection ends before it */
    PQ_CUTS,         /* a read ends before it */
    PQ_NOTICE,       /* before it */
    PQ_NOTIFY,       /* before it */
    PQ_FAULT_KINDS,
};

/* The first kind of each group. */
#define PQ_FIRST_AT_CALL PQ_FAILS
#define PQ_FIRST_AT_SENT PQ_REFUSES

struct pq_fault {
    enum pq_fault_kind kind;
    int at; /* from 0: the call, or what the server sends */
    const char *sqlstate;
};

struct pq_statement {
    const char *sql; /* of a prepared one, too */
    int count;
    char **values;
};

struct pq_server {
    /* Fills the result of a statement: PGRES_TUPLES_OK without a row, unless it does. An SQLSTATE
     * refuses it; NULL is success. */
    const char *(*on_statement)(void *owner, const struct pq_statement *statement,
                                PGresult *result);
    /* Before the first statement of a transaction. May be NULL. */
    void (*on_begin)(void *owner);
    /* Its transaction has committed. May be NULL. */
    void (*on_commit)(void *owner, const struct pq_statement *statement);
    /* The client was given all results of its transaction, the sync behind it, and the answer that
     * it has ended. May be NULL. */
    void (*on_answered)(void *owner, const struct pq_statement *statement, bool is_refused);
    void *owner;
    /* What it was sent is done at once, whatever becomes of the answer; else when it is answered.
     */
    bool is_eager;
    int backend_pid; /* as the connection says it */
};

/* One call of a run, as text: the function, then what it was called with. */
struct pq_trace {
    char (*calls)[120];
    enum pq_function *functions;
    int count, size;
    int sent; /* things that the server has sent */
};

/*
 * Begins a run. honest: the calls up to the first fault must be these; NULL = any.
 * pq_end() fails when a connection, a result or a notification is left. It gives the run's calls to
 * the caller, for pq_trace_free(), who may not want them (NULL).
 */
void pq_begin(const struct pq_server *server, const struct pq_trace *honest,
              const struct pq_fault *faults, int fault_count);
void pq_end(struct pq_trace *trace);

/* For every turn of the loop: what is on its way arrives. */
void pq_arrive(void);

/* Of the run so far. */
int pq_calls(void);
bool pq_has_struck(int fault);
void pq_trace_free(struct pq_trace *trace);

/* What a fault of this kind can happen to. */
bool pq_can_strike(enum pq_fault_kind kind, enum pq_function function);
const char *pq_fault_name(enum pq_fault_kind kind);

/* --- results (scripted_results.c) --- */

PGresult *pq_result_new(ExecStatusType status);
void pq_result_set_status(PGresult *result, ExecStatusType status);
void pq_result_set_error(PGresult *result, const char *sqlstate, const char *message);
void pq_result_set_command(PGresult *result, const char *command); /* PQcmdStatus() */
/* A row of count texts, which are copied; every row has as many. */
void pq_result_add_row(PGresult *result, int count, const char *const *values);
PGresult *pq_result_copy(const PGresult *result);
int pq_results_alive(void);
void pq_results_forget(void);

#endif
