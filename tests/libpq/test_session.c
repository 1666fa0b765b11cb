/* SPDX-License-Identifier: MIT */
/*
 * test_session.c: the commands' connection, with a fault at every call.
 *
 * A command opens a session, asks and changes something in a transaction, and closes it. Whatever
 * call fails, what it is told is an error with words, on one line; a commit whose answer was lost
 * is not called a failure that nothing came of; and nothing is left behind.
 */
#include "unit.h"

#include "db/row_security.h"
#include "db/session.h"
#include "every_place.h"

static struct {
    bool is_open;        /* a transaction, on the server */
    bool has_failed;     /* ... which takes nothing but its end */
    int changes;         /* of the open transaction */
    int committed;       /* changes */
    bool has_ended_well; /* by a commit, of changes or of none, when faults took all of them */
    bool is_hiding;      /* a policy has come behind the first look */
} server_state;

static bool begins_with(const struct pq_statement *statement, const char *word)
{
    return strncmp(statement->sql, word, strlen(word)) == 0;
}

static const char *on_statement(void *owner, const struct pq_statement *statement, PGresult *result)
{
    const char *row[] = {"42"};
    const char *guard[] = {"f", "on", NULL};

    (void)owner;
    if (begins_with(statement, "BEGIN")) {
        server_state.is_open = true;
        server_state.has_failed = false;
        server_state.changes = 0;
        pq_result_set_command(result, "SET");
    } else if (begins_with(statement, "COMMIT")) {
        bool commits = server_state.is_open && !server_state.has_failed;

        server_state.committed += commits ? server_state.changes : 0;
        server_state.has_ended_well = commits;
        pq_result_set_command(result, commits ? "COMMIT" : "ROLLBACK");
        server_state.is_open = false;
    } else if (begins_with(statement, "ROLLBACK")) {
        server_state.is_open = false;
        pq_result_set_command(result, "ROLLBACK");
    } else if (server_state.has_failed) {
        return "25P02";
    } else if (begins_with(statement, "UPDATE nothing")) {
        server_state.has_failed = true;
        return "42P01";
    } else if (begins_with(statement, "UPDATE")) {
        server_state.changes++;
        pq_result_set_command(result, "UPDATE 1");
    } else if (strcmp(statement->sql, row_security_guard()) == 0) {
        guard[ROW_SECURITY_HIDING] =
            server_state.is_hiding && server_state.changes > 0 ? "webhook_deliveries" : NULL;
        pq_result_add_row(result, 3, guard);
    } else {
        pq_result_add_row(result, 1, row);
    }
    return NULL;
}

/* Only an answer that came can be one that does not fit: else somebody looks for a wrong server. */
static bool has_strange_answer(const struct exchange_script *script)
{
    for (int i = 0; i < script->fault_count; i++)
        if (script->faults[i].kind == PQ_STRANGE || script->faults[i].kind == PQ_OWN_ERROR)
            return true;
    return false;
}

static void check_error(const struct exchange_script *script, const struct error *error)
{
    check_case(strstr(error->message, "does not fit") == NULL || has_strange_answer(script),
               "lost, and told as an answer: %s", error->message);
    check_case(error->message[0] != '\0' && error->message[strlen(error->message) - 1] != ' ',
               "an error without a message: \"%s\"", error->message);
    check_case(strchr(error->message, '\n') == NULL && strchr(error->message, '\t') == NULL,
               "more than one line: %s", error->message);
}

enum step { STEP_OPEN, STEP_BEGIN, STEP_QUERY, STEP_CHANGE, STEP_EXECUTE, STEP_COMMIT, STEPS };

/* Runs one step; false with an error. */
static bool take_step(struct db_session **session, enum step step, struct error *error)
{
    const char *const values[] = {"7"};
    PGresult *result;

    switch (step) {
    case STEP_OPEN:
        *session = db_session_open("postgresql:///", "our \"schema\"", error);
        return *session != NULL;
    case STEP_BEGIN:
        return db_session_begin(*session, error);
    case STEP_QUERY:
        result = db_session_query(*session, "SELECT $1", 1, values, error);
        if (result == NULL)
            return false;
        assert_string_equal(PQgetvalue(result, 0, 0), "42");
        PQclear(result);
        return true;
    case STEP_CHANGE:
        result = db_session_query(*session, "UPDATE something SET x = $1", 1, values, error);
        PQclear(result);
        return result != NULL;
    case STEP_EXECUTE:
        return db_session_execute(*session, "UPDATE this; UPDATE that", error);
    case STEP_COMMIT:
        return db_session_commit(*session, error);
    case STEPS:
        break;
    }
    return false;
}

/* Twice, as a command that does one thing after another; it ends with the first error. */
static bool run_command(struct error *error, enum step *failed)
{
    struct db_session *session = NULL;
    bool ok = true;

    for (int i = STEP_OPEN; ok && i < STEPS; i++) {
        *failed = (enum step)i;
        ok = take_step(&session, (enum step)i, error);
    }
    if (!ok && session != NULL)
        db_session_rollback(session);
    db_session_close(session);
    return ok;
}

static void run_exchange(const struct exchange *exchange, const struct exchange_script *script)
{
    struct pq_server server = {.on_statement = on_statement, .is_eager = script->is_eager};
    struct error error = {.message = ""};
    enum step failed;
    bool ok;

    (void)exchange;
    memset(&server_state, 0, sizeof(server_state));
    pq_begin(&server, script->honest, script->faults, script->fault_count);
    ok = run_command(&error, &failed);
    if (ok) {
        check_case(server_state.committed == 2, "it says that it is done, and it is not");
        assert_string_equal(error.message, "");
    } else {
        check_error(script, &error);
        check_case(failed == STEP_COMMIT || server_state.committed == 0,
                   "it failed before the commit, and has changed something");
        check_case(server_state.committed == 0 || strstr(error.message, "not known") != NULL,
                   "it says that it failed, and it is done: %s", error.message);
    }
    pq_end(script->trace);
    if (script->fault_count == 0)
        check_case(ok, "it failed without a fault: %s", error.message);
}

/* A command that does not look at its errors, and commits. PostgreSQL answers the COMMIT of a
 * failed transaction with ROLLBACK, which is no error to libpq. */
static void run_failed_transaction(const struct exchange *exchange,
                                   const struct exchange_script *script)
{
    struct pq_server server = {.on_statement = on_statement, .is_eager = script->is_eager};
    struct error error = {.message = ""}, ignored;
    struct db_session *session = NULL;
    bool has_begun, is_committed = false;

    (void)exchange;
    memset(&server_state, 0, sizeof(server_state));
    pq_begin(&server, script->honest, script->faults, script->fault_count);
    has_begun =
        take_step(&session, STEP_OPEN, &ignored) && take_step(&session, STEP_BEGIN, &ignored);
    if (has_begun) {
        (void)take_step(&session, STEP_CHANGE, &ignored);
        assert_false(db_session_execute(session, "UPDATE nothing", &ignored));
        is_committed = db_session_commit(session, &error);
        check_case(is_committed == server_state.has_ended_well ||
                       (!is_committed && strstr(error.message, "not known") != NULL),
                   "the commit says that it is %sdone: %s", is_committed ? "" : "not ",
                   error.message);
        if (!is_committed)
            check_error(script, &error);
    }
    db_session_close(session);
    pq_end(script->trace);
    if (script->fault_count == 0)
        assert_string_equal(error.message, "the transaction was rolled back");
}

/* Whatever is lost meanwhile, nothing is committed of which a policy may have hidden a part. */
static void run_hidden_change(const struct exchange *exchange, const struct exchange_script *script)
{
    struct pq_server server = {.on_statement = on_statement, .is_eager = script->is_eager};
    struct error error = {.message = ""};
    enum step failed;

    (void)exchange;
    memset(&server_state, 0, sizeof(server_state));
    server_state.is_hiding = true;
    pq_begin(&server, script->honest, script->faults, script->fault_count);
    check_case(!run_command(&error, &failed), "it says that it is done");
    check_error(script, &error);
    check_case(server_state.committed == 0, "it has changed something");
    pq_end(script->trace);
    if (script->fault_count == 0)
        check_case(failed == STEP_CHANGE && strstr(error.message, "webhook_deliveries") != NULL,
                   "not the policy: %s", error.message);
}

static void test_a_policy_that_comes_meanwhile(void **state)
{
    static const struct exchange exchange = {"a hidden change", run_hidden_change, 0, true};

    (void)state;
    every_place(&exchange);
}

static void test_a_failed_transaction_is_not_committed(void **state)
{
    static const struct exchange exchange = {"a failed transaction", run_failed_transaction, 0,
                                             true};

    (void)state;
    every_place(&exchange);
    every_place_twice(&exchange, 300);
}

static void test_every_failing_call_says_so(void **state)
{
    static const struct exchange exchange = {"a session", run_exchange, 0, true};

    (void)state;
    every_place(&exchange);
    every_place_twice(&exchange, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_policy_that_comes_meanwhile, every_place_tell),
        cmocka_unit_test_teardown(test_a_failed_transaction_is_not_committed, every_place_tell),
        cmocka_unit_test_teardown(test_every_failing_call_says_so, every_place_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
