/* SPDX-License-Identifier: MIT */
#include "scripted_libpq.h"

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
    [PQ_STAYS_OPEN] = "a transaction stays open",
    [PQ_STAYS_FAILED] = "a transaction has failed and stays",
    [PQ_REFUSES] = "the server refuses",
    [PQ_REFUSES_ENDS] = "the server refuses and ends the connection",
    [PQ_KEEPS_OPEN] = "no transaction ends",
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
           function == PQ_NOTIFIES || function == PQ_TRANSACTION_STATUS;
}

static bool can_fail(enum pq_function function)
{
    return function != PQ_IS_BUSY && function != PQ_NOTIFIES && function != PQ_FINISH;
}

static bool can_fail_alive(enum pq_function function)
{
    return function >= PQ_SET_NONBLOCKING && can_fail(function) && function != PQ_GET_RESULT &&
           function != PQ_TRANSACTION_STATUS;
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
    case PQ_STAYS_OPEN:
    case PQ_STAYS_FAILED:
        return function == PQ_TRANSACTION_STATUS;
    case PQ_NOTHING:
    case PQ_REFUSES:
    case PQ_REFUSES_ENDS:
    case PQ_KEEPS_OPEN:
    case PQ_ENDS:
    case PQ_CUTS:
    case PQ_NOTICE:
    case PQ_NOTIFY:
    case PQ_FAULT_KINDS:
        break;
    }
    return false;
}
