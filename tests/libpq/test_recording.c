/* SPDX-License-Identifier: MIT */
/*
 * test_recording.c: outcomes, with the database's answer lost at every place.
 *
 * A worker has deliveries whose outcomes are to be written: successes, a failure that is due again,
 * an endpoint that is gone; some finish while the first are being written. The stand-in's database
 * decides about a row as db/outcomes.c's statements do, and may say that a row was updated, or that
 * none was, where the row is as before. Whatever happens: no outcome is forgotten
 * that was not committed, each is committed once, and all are in the end.
 */
#include "unit.h"

#include "db/outcomes.h"
#include "scripted_worker.h"
#include "worker/recording.h"

#define CUSTOMER  "11111111-2222-3333-4444-555555555555"
#define ROWS      7
#define FIRST     4 /* that have finished when it begins */
#define TURNS_MAX 3000

enum row_kind { ROW_DELIVERED, ROW_RETRIED, ROW_GONE };

static const enum row_kind kinds[ROWS] = {ROW_DELIVERED, ROW_RETRIED,   ROW_DELIVERED, ROW_GONE,
                                          ROW_DELIVERED, ROW_DELIVERED, ROW_RETRIED};

/* What the database has of a row. */
struct row {
    char id[37];
    int attempts;
    int logged; /* lines of its in the attempt log */
    bool is_pending;
    bool is_disabled; /* its endpoint was disabled */
};

static struct config config = {
    .worker = {.max_in_flight = 64, .max_buffered_bytes = 1 << 20, .poll_interval_ms = 250},
    .delivery = {.max_payload_bytes = 1 << 16},
    .attempt_log = ATTEMPT_LOG_FAILURES};

static struct row rows[ROWS];
static int finished;
static int poisoned = -1; /* the row that is refused by itself */
static int refusals;      /* ... so many times more when the others have passed */

/* What the application does to the updates of a row, so many times. */
enum meddling { LEAVES, SWALLOWS, TURNS_BACK };
static enum meddling meddling;
static int meddled = -1; /* that row */
static int meddlings;

/* --- the database --- */

static int row_of(const char *id)
{
    for (int i = 0; i < ROWS; i++)
        if (strncmp(rows[i].id, id, 36) == 0)
            return i;
    fail_msg("an unknown row: %s", id);
    return -1;
}

static bool is_log(const struct pq_statement *statement)
{
    return strstr(statement->sql, "INSERT INTO webhook_attempts") != NULL;
}

static bool is_look(const struct pq_statement *statement)
{
    return strstr(statement->sql, "JOIN webhook_deliveries") != NULL && !is_log(statement);
}

static bool is_write(const struct pq_statement *statement)
{
    return strstr(statement->sql, "UPDATE webhook_deliveries") != NULL;
}

static const char *attempts_text(const struct pq_statement *statement)
{
    return statement->values[2];
}

/* The n-th element of an array of numbers. */
static int number_at(const char *array, int n)
{
    const char *at = array + 1;

    while (n-- > 0)
        at = strchr(at, ',') + 1;
    return (int)strtol(at, NULL, 10);
}

/* The row, which is the n-th of the statement. */
typedef void row_callback(struct row *row, const struct pq_statement *statement, int n,
                          PGresult *result);

/* Calls back for each row that the statement means, as the database is now: one that is to be
 * written, or, for the attempt log by itself, that was. */
static void each_row(const struct pq_statement *statement, row_callback *on_row, PGresult *result)
{
    const char *ids = statement->values[0];
    bool was_written = is_log(statement) && !is_write(statement);
    int n = 0;

    for (const char *at = ids + 1; *at != '}' && *at != '\0'; n++) {
        struct row *row = &rows[row_of(at)];

        if (row->is_pending == !was_written &&
            row->attempts == number_at(attempts_text(statement), n) + was_written)
            on_row(row, statement, n, result);
        at += 36;
        at += *at == ',';
    }
}

static bool is_meddled(const struct row *row)
{
    return meddlings > 0 && row == &rows[meddled];
}

static void give_id(struct row *row, const struct pq_statement *statement, int n, PGresult *result)
{
    const char *values[] = {row->id};

    (void)statement;
    (void)n;
    pq_result_add_row(result, 1, values);
}

static const char *status_after(const struct row *row)
{
    static const char *const texts[] = {
        [ROW_DELIVERED] = "delivered", [ROW_RETRIED] = "pending", [ROW_GONE] = "failed"};

    return is_meddled(row) ? "pending" : texts[kinds[row - rows]];
}

static void give_row(struct row *row, const struct pq_statement *statement, int n, PGresult *result)
{
    char attempts[12];
    const char *values[] = {row->id, status_after(row), attempts, is_meddled(row) ? "t" : "f", "f",
                            NULL};

    (void)n;
    if (is_meddled(row) && meddling == SWALLOWS)
        return;
    if (statement->count == SUCCESS_COLUMNS && !is_meddled(row))
        values[1] = NULL; /* as the statement has it for what stays */
    snprintf(attempts, sizeof(attempts), "%d", row->attempts + !is_meddled(row));
    pq_result_add_row(result, statement->count == SUCCESS_COLUMNS ? 2 : 6, values);
}

static bool is_logged_at(const struct pq_statement *statement, int n)
{
    return statement->values[COLUMN_IS_LOGGED][1 + 2 * n] == 't';
}

static void log_row(struct row *row, const struct pq_statement *statement, int n, PGresult *result)
{
    (void)result;
    row->logged += row->logged == 0 && is_logged_at(statement, n);
}

static void change_row(struct row *row, const struct pq_statement *statement, int n,
                       PGresult *result)
{
    (void)result;
    row->logged += is_log(statement) && is_logged_at(statement, n) &&
                   !(is_meddled(row) && meddling == SWALLOWS);
    if (is_meddled(row)) {
        meddlings--;
        return;
    }
    row->attempts++;
    row->is_pending = false; /* also when it is due again: nobody else reads it here */
}

/* Until all others have passed, and then some times more. */
static bool is_refused(void)
{
    for (int i = 0; i < ROWS; i++)
        if (i != poisoned && rows[i].is_pending)
            return true;
    return refusals-- > 0;
}

static const char *on_statement(void *owner, const struct pq_statement *statement, PGresult *result)
{
    const char *greeting[] = {"1", "f"}; /* process, whether it is a standby */

    (void)owner;
    if (strstr(statement->sql, "pg_backend_pid") != NULL)
        pq_result_add_row(result, 2, greeting);
    if (is_look(statement))
        each_row(statement, give_id, result);
    if (!is_write(statement))
        return NULL;
    if (poisoned >= 0 && strstr(statement->values[0], rows[poisoned].id) != NULL && is_refused())
        return "22P02";
    each_row(statement, give_row, result);
    return NULL;
}

static void on_commit(void *owner, const struct pq_statement *statement)
{
    (void)owner;
    if (is_write(statement))
        each_row(statement, change_row, NULL);
    else if (is_log(statement))
        each_row(statement, log_row, NULL);
    else if (strstr(statement->sql, "INSERT INTO webhook_endpoints") != NULL)
        rows[3].is_disabled = true;
}

/* --- the worker --- */

static void finish_delivery(int i)
{
    struct endpoint *endpoint =
        endpoint_get(&worker.endpoints, CUSTOMER, "https://a.example/", worker.now_us);
    struct due_row row = {.id = rows[i].id,
                          .event_id = rows[i].id,
                          .customer_id = CUSTOMER,
                          .url_hash = "42",
                          .attempts = i,
                          .next_retry_at = "2026-01-01 00:00:00+00"};
    struct delivery *delivery = delivery_new(&worker.deliveries, &row, endpoint, &endpoint->tally);

    delivery->started_us = worker.now_us;
    delivery->finished_us = worker.now_us;
    delivery->outcome.counts_attempt = true;
    delivery->outcome.kind = kinds[i] == ROW_DELIVERED ? OUTCOME_DELIVERED
                             : kinds[i] == ROW_RETRIED ? OUTCOME_RETRY
                                                       : OUTCOME_FAILED;
    delivery->outcome.disables_endpoint = kinds[i] == ROW_GONE;
    delivery->response_status = kinds[i] == ROW_DELIVERED ? 200 : kinds[i] == ROW_GONE ? 410 : 500;
    delivery_set_state(&worker.deliveries, delivery, DELIVERY_FINISHED);
}

static void begin_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        rows[i] = (struct row){.attempts = i, .is_pending = true};
        snprintf(rows[i].id, sizeof(rows[i].id), "00000000-0000-0000-0000-%012d", i);
    }
    finished = 0;
    refusals = 3;
    meddlings = meddled >= 0 ? 3 : 0;
}

/* Everything that is known to have finished is on its way, or committed. */
static void check_nothing_is_forgotten(void)
{
    size_t *counts = worker.deliveries.counts;
    const struct delivery *delivery;

    TAILQ_FOREACH(delivery, &worker.deliveries.lists[DELIVERY_FORGOTTEN], in_state)
        check_case(!rows[row_of(delivery->id)].is_pending, "%s is forgotten, but not written",
                   delivery->id);
    deliveries_reap(&worker.deliveries, 0);
    for (int i = 0; i < finished; i++)
        check_case(!rows[i].is_pending || deliveries_find(&worker.deliveries, rows[i].id) != NULL,
                   "%s is gone, but not written", rows[i].id);
    check_case(recording_is_owing(&worker) ||
                   recording_is_writing(&worker) == (counts[DELIVERY_RECORDING] > 0),
               "%zu are recorded while none is out, or the other way round",
               counts[DELIVERY_RECORDING]);
}

/* The later ones while the first are being written. */
static void turn(void)
{
    if (finished < FIRST ||
        (finished < ROWS && (recording_is_writing(&worker) || recording_unwritten(&worker) == 0)))
        finish_delivery(finished++);
    scripted_worker_turn();
    recording_step(&worker);
    check_nothing_is_forgotten();
    scripted_worker_pass_time(recording_next_us(&worker));
}

static void check_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        check_case(!rows[i].is_pending && rows[i].attempts == i + 1, "row %d: %d attempts", i,
                   rows[i].attempts);
        /* A write that is turned back, and whose answer is lost on top, is logged once more. */
        check_case(rows[i].logged == (kinds[i] != ROW_DELIVERED) ||
                       (i == meddled && meddling == TURNS_BACK && rows[i].logged > 1),
                   "row %d: %d lines in the log", i, rows[i].logged);
    }
    check_case(rows[3].is_disabled, "the endpoint that is gone was not disabled");
}

static void run_exchange(const struct exchange *exchange, const struct exchange_script *script)
{
    struct pq_server server = {.on_statement = on_statement,
                               .on_commit = on_commit,
                               .is_eager = script->is_eager,
                               .backend_pid = exchange->variant};

    begin_rows();
    scripted_worker_begin(&config, script, &server);
    recording_init(&worker);
    for (int i = 0; i < TURNS_MAX && (finished < ROWS || recording_unwritten(&worker) > 0 ||
                                      recording_is_owing(&worker));
         i++)
        turn();
    check_case(recording_unwritten(&worker) == 0, "outcomes were never written");
    check_rows();
    scripted_worker_end(script);
    recording_free(&worker);
}

static void test_no_outcome_is_dropped(void **state)
{
    static const struct exchange direct = {"recording", run_exchange, 1, false};
    static const struct exchange pooled = {"recording through a pooler", run_exchange, 2, false};

    (void)state;
    poisoned = -1;
    every_place(&direct);
    every_place(&pooled);
    every_place_twice(&direct, 500);
}

/* A record that the database refuses by itself; the others pass before it. */
static void test_one_record_is_refused(void **state)
{
    static const struct exchange exchange = {"a refused record", run_exchange, 1, false};

    (void)state;
    for (poisoned = 0; poisoned < ROWS; poisoned += 3)
        every_place(&exchange);
    poisoned = -1;
}

/* The row is written again until it stays; the attempt is logged once. */
static void test_updates_do_not_stay(void **state)
{
    static const struct exchange exchange = {"an update that does not stay", run_exchange, 1,
                                             false};

    (void)state;
    for (meddling = SWALLOWS; meddling <= TURNS_BACK; meddling++)
        for (meddled = ROW_DELIVERED; meddled <= ROW_RETRIED; meddled++)
            every_place(&exchange);
    meddled = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_updates_do_not_stay, every_place_tell),
        cmocka_unit_test_teardown(test_no_outcome_is_dropped, every_place_tell),
        cmocka_unit_test_teardown(test_one_record_is_refused, every_place_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
