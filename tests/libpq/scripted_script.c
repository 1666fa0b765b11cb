/* SPDX-License-Identifier: MIT */
#include "scripted_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "unit.h"

#define CALLS_MAX 20000 /* more is a loop that never ends */

struct script script;

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
    [PQ_TRANSACTION_STATUS] = "PQtransactionStatus",
    [PQ_FINISH] = "PQfinish",
    [PQ_EXEC] = "PQexec",
    [PQ_EXEC_PARAMS] = "PQexecParams",
    [PQ_ESCAPE_IDENTIFIER] = "PQescapeIdentifier",
};

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

enum pq_fault_kind script_enter(PGconn *connection, enum pq_function function, const char *text)
{
    const struct pq_fault *fault = fault_at(script.trace.count, true);

    trace_add(function, text);
    if (connection != NULL && connection->will_be_bad)
        connection_break_off(connection);
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

bool script_is_failure(enum pq_fault_kind kind)
{
    return kind == PQ_FAILS || kind == PQ_FAILS_ALIVE;
}

const struct pq_fault *script_strike_sent(void)
{
    const struct pq_fault *fault = fault_at(script.sent++, false);

    if (fault != NULL)
        note_struck(fault);
    return fault;
}
