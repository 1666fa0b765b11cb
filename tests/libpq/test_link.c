/* SPDX-License-Identifier: MIT */
/*
 * test_link.c: the worker's connection, with an answer lost at every place.
 *
 * One exchange (connect, ask for the backend, set the session up, requests in a pipeline, prepared
 * statements) runs without a fault, and then with every fault at every call of libpq and at
 * everything that the server sends. Whatever happens, the promises of db/link.h must hold, by what
 * the server has done and what was handed out: not by what the link believes.
 */
#include "unit.h"

#include <event2/event.h>

#include "db/link.h"
#include "every_place.h"
#include "link_timer.h"
#include "scripted_libpq.h"

#define BACKEND_PID  4711
#define REQUESTS_MAX 64
#define TURNS_MAX    3000
#define IDLE_TURNS   3

static const char read_sql[] = "SELECT often, read";
static const char write_sql[] = "UPDATE often, write";
static const char once_sql[] = "DELETE once";

/* One attempt at a request: what came of it, by the link and by the server. */
struct attempt {
    char token[16];
    int statements;
    bool is_accepted;
    int answers;
    enum db_result result;
    int committed;            /* its statements that the server has committed */
    int given, given_refused; /* ... whose answer was handed out to the end */
};

enum course { COURSE_DIRECT, COURSE_POOLED };

static struct {
    struct event_base *base;
    struct db_link *link;
    struct attempt attempts[REQUESTS_MAX];
    int attempt_count;
    int rounds;
    bool is_over;    /* the last request was answered */
    bool may_answer; /* inside of db_link_collect() or db_link_free() */
    bool is_answering;
    bool is_up;
    int ups, downs, notified;
    int final; /* attempt that ends it, -1 = none is out */
    int sent;  /* things that the server sent until it was over */
    int turns;
    enum course course;
    bool has_settings;     /* the server's session has them */
    int reset_at, free_at; /* turns; -1 = none */
    bool resets_when_struck, frees_when_struck;
    bool may_hang; /* the script has a fault after which nothing arrives */
} run;

/* --- the server --- */

static struct attempt *find_attempt(const struct pq_statement *statement)
{
    for (int i = 0; i < run.attempt_count; i++)
        if (statement->count == 2 && strcmp(run.attempts[i].token, statement->values[0]) == 0)
            return &run.attempts[i];
    return NULL;
}

/* Answers with what it was asked, so that an answer that was given to another request shows. */
static const char *on_statement(void *owner, const struct pq_statement *statement, PGresult *result)
{
    const char *greeting[] = {"4711", "f"}; /* process, whether it is a standby */
    const char *echo[] = {statement->sql, statement->count > 0 ? statement->values[0] : NULL,
                          statement->count > 1 ? statement->values[1] : NULL};

    (void)owner;
    if (strstr(statement->sql, "pg_backend_pid") != NULL) {
        run.has_settings = run.course == COURSE_POOLED; /* they are in the same transaction */
        pq_result_add_row(result, 2, greeting);
        return NULL;
    }
    if (strncmp(statement->sql, "SET transaction_isolation", 25) == 0) {
        pq_result_set_command(result, "SET");
        return NULL;
    }
    run.has_settings |= strstr(statement->sql, "set_config") != NULL;
    check_case(run.has_settings, "a statement without the settings of its session");
    pq_result_add_row(result, 3, echo);
    return NULL;
}

static void on_commit(void *owner, const struct pq_statement *statement)
{
    struct attempt *attempt = find_attempt(statement);

    (void)owner;
    if (attempt != NULL)
        attempt->committed++;
}

static void on_given(void *owner, const struct pq_statement *statement, bool is_refused)
{
    struct attempt *attempt = find_attempt(statement);

    (void)owner;
    if (attempt == NULL)
        return;
    attempt->given++;
    if (is_refused)
        attempt->given_refused++;
}

/* --- the client --- */

static bool send_attempt(int statements, bool is_often);

static void check_results(const struct attempt *attempt, const struct db_answer *answer)
{
    assert_int_equal(answer->count, attempt->statements);
    for (int i = 0; i < answer->count; i++) {
        char number[12];

        snprintf(number, sizeof(number), "%d", i);
        assert_int_equal(PQntuples(answer->results[i]), 1);
        assert_string_equal(PQgetvalue(answer->results[i], 0, 1), attempt->token);
        assert_string_equal(PQgetvalue(answer->results[i], 0, 2), number);
    }
}

/* What the link says is held against what has happened. */
static void check_answer(const struct attempt *attempt, const struct db_answer *answer)
{
    bool is_whole = attempt->given == attempt->statements;

    switch (answer->result) {
    case DB_ANSWERED:
        check_case(attempt->committed == attempt->statements, "answered, but not committed");
        check_case(is_whole && attempt->given_refused == 0,
                   "answered, but the answer was not seen");
        assert_string_equal(answer->message, "");
        check_results(attempt, answer);
        break;
    case DB_REFUSED:
        check_case(attempt->committed == 0, "refused, but it is committed");
        check_case(is_whole && attempt->given_refused == attempt->statements,
                   "refused, but the answer was not seen");
        check_case(answer->message[0] != '\0' && strlen(answer->sqlstate) == 5,
                   "refused without a reason");
        break;
    case DB_LOST:
        check_case(!is_whole, "lost, but the whole answer was given");
        check_case(answer->message[0] != '\0' && strchr(answer->message, '\n') == NULL,
                   "lost without a reason on one line");
        break;
    }
}

static void on_answer(void *owner, const struct db_answer *answer)
{
    struct attempt *attempt = owner;

    check_case(run.may_answer, "an answer outside of db_link_collect()");
    check_case(!run.is_answering, "an answer inside of an answer");
    check_case(attempt->is_accepted, "an answer to what was not accepted");
    check_case(attempt->answers == 0, "a second answer");
    run.is_answering = true;
    attempt->answers++;
    attempt->result = answer->result;
    check_answer(attempt, answer);
    if (attempt == &run.attempts[0])
        (void)send_attempt(1, false); /* from inside */
    if (run.final >= 0 && attempt == &run.attempts[run.final]) {
        run.final = -1;
        run.is_over = answer->result == DB_ANSWERED;
    }
    run.is_answering = false;
}

static bool send_attempt(int statements, bool is_often)
{
    static const char *const sql[] = {read_sql, write_sql, once_sql};
    static const char *const numbers[] = {"0", "1", "2"};
    struct attempt *attempt = &run.attempts[run.attempt_count];
    struct db_statement list[3] = {{NULL, 0, {NULL}}};

    assert_true(run.attempt_count < REQUESTS_MAX);
    snprintf(attempt->token, sizeof(attempt->token), "attempt %d", run.attempt_count++);
    attempt->statements = statements;
    attempt->is_accepted = true; /* an answer from inside would show as such */
    for (int i = 0; i < statements; i++)
        list[i] = (struct db_statement){sql[i], 2, {attempt->token, numbers[i]}};
    attempt->is_accepted = is_often
                               ? db_link_send_often(run.link, list, statements, on_answer, attempt)
                               : db_link_send(run.link, list, statements, on_answer, attempt);
    check_case(attempt->is_accepted || !db_link_is_up(run.link), "not sent by a link that is up");
    return attempt->is_accepted;
}

static void on_up(void *owner)
{
    (void)owner;
    check_case(run.may_answer && !run.is_up && db_link_is_up(run.link), "up at a wrong time");
    run.is_up = true;
    run.ups++;
}

static void on_down(void *owner, const char *reason)
{
    (void)owner;
    check_case(run.may_answer && !db_link_is_up(run.link), "down at a wrong time");
    check_case(reason[0] != '\0' && strchr(reason, '\n') == NULL, "down without a reason");
    check_case(db_link_outstanding(run.link) == 0, "down with requests outstanding");
    run.is_up = false;
    run.downs++;
}

static void on_notified(void *owner)
{
    (void)owner;
    check_case(run.may_answer, "notified at a wrong time");
    run.notified++;
}

static bool is_all_answered(void)
{
    for (int i = 0; i < run.attempt_count; i++)
        if (run.attempts[i].is_accepted && run.attempts[i].answers == 0)
            return false;
    return true;
}

/* Three requests at once, and again when statements can be prepared; when they are answered the
 * last one, until it has gone through. */
static void act(void)
{
    if (!db_link_is_up(run.link) || run.is_over || !is_all_answered())
        return;
    if (run.rounds++ < 2) {
        (void)send_attempt(2, true);
        (void)send_attempt(1, false);
        (void)send_attempt(3, true);
    } else {
        run.final = run.attempt_count;
        if (!send_attempt(2, true))
            run.final = -1;
    }
}

static void turn(void)
{
    pq_arrive();
    assert_true(event_base_loop(run.base, EVLOOP_NONBLOCK) >= 0);
    run.may_answer = true;
    db_link_collect(run.link);
    run.may_answer = false;
    act();
}

/* Nothing happens: the timer's time has come, or a request takes too long. */
static void on_standstill(void)
{
    if (link_timer_fire(run.base, run.link))
        return;
    if (run.may_hang && db_link_is_up(run.link))
        db_link_reset(run.link, "it takes too long");
    else
        fail_msg("it stands still: nothing is awaited");
}

static void run_turns(void)
{
    int idle = 0;

    for (run.turns = 0; run.turns < TURNS_MAX && !run.is_over; run.turns++) {
        int calls = pq_calls();

        if (run.turns == run.free_at || (run.frees_when_struck && pq_has_struck(0)))
            return;
        if (run.turns == run.reset_at || (run.resets_when_struck && pq_has_struck(0))) {
            db_link_reset(run.link, "somebody is impatient");
            run.resets_when_struck = false;
        }
        turn();
        idle = pq_calls() == calls ? idle + 1 : 0;
        if (idle >= IDLE_TURNS) {
            on_standstill();
            idle = 0;
        }
    }
    check_case(run.is_over, "the last request never went through");
}

/* Two requests that are outstanding at the end, and one that its answer sends. */
static void end_run(void)
{
    int first = run.attempt_count;

    (void)send_attempt(1, false);
    (void)send_attempt(2, true);
    run.may_answer = true;
    db_link_free(run.link);
    run.may_answer = false;
    for (int i = first; i < run.attempt_count; i++)
        if (run.attempts[i].is_accepted)
            check_case(run.attempts[i].answers == 1 && run.attempts[i].result == DB_LOST,
                       "%s at the end: %d answers", run.attempts[i].token, run.attempts[i].answers);
    check_case(is_all_answered(), "an accepted request was not answered");
    assert_int_equal(event_base_get_num_events(run.base, EVENT_BASE_COUNT_ADDED |
                                                             EVENT_BASE_COUNT_ACTIVE |
                                                             EVENT_BASE_COUNT_VIRTUAL),
                     0);
    event_base_free(run.base);
}

static struct pq_server server_of(enum course course, bool is_eager)
{
    return (struct pq_server){.on_statement = on_statement,
                              .on_commit = on_commit,
                              .on_answered = on_given,
                              .is_eager = is_eager,
                              .backend_pid = course == COURSE_DIRECT ? BACKEND_PID : 1};
}

static void begin_run(enum course course)
{
    memset(&run, 0, sizeof(run));
    run.final = run.reset_at = run.free_at = -1;
    run.course = course;
}

/* The whole exchange with one script, after begin_run(). */
static void run_script(const struct exchange_script *script)
{
    static const struct db_link_events events = {on_up, on_down, on_notified, NULL};
    struct pq_server server = server_of(run.course, script->is_eager);

    for (int i = 0; i < script->fault_count; i++)
        run.may_hang |= script->faults[i].kind == PQ_HANGS;
    pq_begin(&server, script->honest, script->faults, script->fault_count);
    run.base = event_base_new();
    run.link = db_link_new(run.base, "postgresql:///", run.course == COURSE_DIRECT ? "" : "schema",
                           &events);
    run_turns();
    end_run();
    pq_end(script->trace);
}

static void run_exchange(const struct exchange *exchange, const struct exchange_script *script)
{
    begin_run((enum course)exchange->variant);
    run_script(script);
    if (script->fault_count > 0)
        return;
    assert_int_equal(run.attempts[0].result, DB_ANSWERED);
    assert_int_equal(run.ups, 1);
    assert_int_equal(run.downs, 0);
}

static const struct exchange exchanges[] = {
    {"a direct link", run_exchange, COURSE_DIRECT, false},
    {"a link to a pooler", run_exchange, COURSE_POOLED, false},
};

static void test_an_answer_is_lost_at_every_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(exchanges); i++)
        every_place(&exchanges[i]);
}

static void test_two_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(exchanges); i++)
        every_place_twice(&exchanges[i], 2000);
}

/* Its owner drops the connection, or ends it, at any time. */
static void break_off_every_turn(enum course course, int turns)
{
    for (int i = 0; i < turns * 4; i++) {
        const struct exchange_script script = {.is_eager = i / 2 % 2 == 0};

        begin_run(course);
        if (i % 2 == 0)
            run.reset_at = i / 4;
        else
            run.free_at = i / 4;
        run_script(&script);
    }
}

/* The same while something is left to be written. */
static void break_off_every_flush(enum course course, const struct pq_trace *honest)
{
    for (int at = 0; at < honest->count; at++) {
        struct pq_fault fault = {PQ_BLOCKS, at, NULL};
        const struct exchange_script script = {
            .honest = honest, .faults = &fault, .fault_count = 1};

        for (int is_free = 0; is_free <= 1 && honest->functions[at] == PQ_FLUSH; is_free++) {
            begin_run(course);
            run.resets_when_struck = is_free == 0;
            run.frees_when_struck = is_free != 0;
            run_script(&script);
        }
    }
}

static void test_it_is_broken_off_at_every_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(exchanges); i++) {
        struct pq_trace honest = every_place_honest(&exchanges[i], false);

        break_off_every_turn((enum course)exchanges[i].variant, run.turns);
        break_off_every_flush((enum course)exchanges[i].variant, &honest);
        pq_trace_free(&honest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_it_is_broken_off_at_every_turn, every_place_tell),
        cmocka_unit_test_teardown(test_an_answer_is_lost_at_every_place, every_place_tell),
        cmocka_unit_test_teardown(test_two_faults, every_place_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
