/* SPDX-License-Identifier: MIT */
/*
 * test_finding.c: rows of events are read in two statements, with an answer lost at every place.
 *
 * A lane has plain rows and rows of events, two of which share one. The stand-in's database answers
 * as db/due.c's and db/due_events.c's statements do, two rows at a time. Whatever happens: no row is
 * known without what is to be sent for it, and in the end all are, each event once.
 */
#include "unit.h"

#include "db/due.h"
#include "scripted_worker.h"
#include "worker/finding.h"
#include "worker/recording.h"
#include "worker/refilling.h"

#define CUSTOMER  "11111111-2222-3333-4444-555555555555"
#define ROWS      6
#define PAGE      3
#define TURNS_MAX 3000

/* The event of each row, 0 = it has a payload of its own. */
static const int events[ROWS] = {0, 1, 1, 2, 0, 1};

static struct config config = {
    .worker = {.max_in_flight = 64, .max_buffered_bytes = 1 << 20, .poll_interval_ms = 250},
    .delivery = {.max_payload_bytes = 1 << 16},
    .endpoint = {.max_in_flight_per_origin = 128, .breaker_max_interval_ms = 300000}};

static bool is_refused; /* the second statement, once */

static const char *id_of(char prefix, int number)
{
    static char ids[4][37];
    static int next;
    char *id = ids[next++ % 4];

    snprintf(id, sizeof(ids[0]), "%c0000000-0000-0000-0000-%012d", prefix, number);
    return id;
}

/* --- the database --- */

static void give_row(PGresult *result, int row, bool is_first)
{
    static const char *const snapshot[] = {"100:100:", "100", "2026-01-01 00:00:00+00",
                                           "2026-01-01 00:00:00+00"};
    const char *values[16] = {
        "0",
        "0",
        id_of('a', row),
        id_of(events[row] > 0 ? 'e' : 'd', events[row] > 0 ? events[row] : row),
        CUSTOMER,
        "https://a.example/",
        "42",
        "0",
        "2026-01-01 00:00:00+00",
        events[row] > 0 ? NULL : "own",
        events[row] > 0 ? NULL : "3",
        "f"};

    for (int i = 0; i < 4; i++)
        values[12 + i] = is_first ? snapshot[i] : NULL;
    pq_result_add_row(result, 16, values);
}

static void give_no_row(PGresult *result)
{
    const char *values[16] = {
        [12] = "100:100:", "100", "2026-01-01 00:00:00+00", "2026-01-01 00:00:00+00"};

    pq_result_add_row(result, 16, values);
}

/* Those behind the cursor, whose id is all that differs between rows. */
static void read_forward(const struct pq_statement *statement, PGresult *result)
{
    const char *after = statement->values[5] + 1;
    int given = 0;

    for (int i = 0; i < ROWS && given < PAGE; i++)
        if (strncmp(id_of('a', i), after, 36) > 0)
            give_row(result, i, given++ == 0);
    if (given == 0)
        give_no_row(result);
}

static void read_events(const struct pq_statement *statement, PGresult *result)
{
    int number = 0;

    for (const char *at = statement->values[2] + 1; *at == 'e'; at += at[36] == ',' ? 37 : 36) {
        char place[12];
        char body[12];
        const char *values[] = {place, "f",  body, "7", CUSTOMER, NULL,
                                NULL,  NULL, NULL, "f", NULL,     NULL};

        snprintf(place, sizeof(place), "%d", number++);
        snprintf(body, sizeof(body), "event %c", at[35]);
        pq_result_add_row(result, 12, values);
    }
}

static const char *on_statement(void *owner, const struct pq_statement *statement, PGresult *result)
{
    const char *greeting[] = {"1", "f"}; /* process, whether it is a standby */

    (void)owner;
    if (strstr(statement->sql, "pg_backend_pid") != NULL)
        pq_result_add_row(result, 2, greeting);
    if (strstr(statement->sql, "pg_current_snapshot") != NULL)
        read_forward(statement, result);
    if (strstr(statement->sql, "webhook_events") == NULL)
        return NULL;
    if (is_refused) {
        is_refused = false;
        return "57014";
    }
    read_events(statement, result);
    return NULL;
}

/* --- the worker --- */

static void check_payloads(void)
{
    const struct delivery *delivery;

    TAILQ_FOREACH(delivery, &worker.deliveries.lists[DELIVERY_WAITING], in_state) {
        int event = events[delivery->id[35] - '0'];
        char expected[12];

        snprintf(expected, sizeof(expected), "event %d", event);
        check_case(delivery->payload != NULL &&
                       strcmp(delivery->payload, event > 0 ? expected : "own") == 0,
                   "%s has %s", delivery->id,
                   delivery->payload != NULL ? delivery->payload : "nothing to send");
        check_case(delivery->is_of_event == (event > 0), "%s: whether it is an event's",
                   delivery->id);
    }
}

static bool is_done(void)
{
    return worker.deliveries.counts[DELIVERY_WAITING] == ROWS && !finding_is_reading(&worker);
}

static void turn(void)
{
    scripted_worker_turn();
    worker.may_send = worker_is_connected(&worker);
    if (worker.may_send)
        finding_own_lane(&worker, 0);
    finding_step(&worker);
    deliveries_reap(&worker.deliveries, finding_unanswered(&worker));
    check_payloads();
    scripted_worker_pass_time(finding_next_us(&worker));
}

static void run_exchange(const struct exchange *exchange, const struct exchange_script *script)
{
    struct pq_server server = {
        .on_statement = on_statement, .is_eager = script->is_eager, .backend_pid = 1};

    is_refused = exchange->variant == 2;
    scripted_worker_begin(&config, script, &server);
    refilling_init(&worker);
    recording_init(&worker);
    endpoints_reconfigure(&worker.endpoints, &config, 64);
    queues_set_rows_ahead(&worker.endpoints.queues, 512);
    for (int i = 0; i < TURNS_MAX && !is_done(); i++)
        turn();
    check_case(is_done(), "%zu rows are there", worker.deliveries.counts[DELIVERY_WAITING]);
    /* Two payloads of their own, and two events. */
    check_case(deliveries_buffered_bytes(&worker.deliveries) == 2 * 3 + 2 * 7, "%lld bytes",
               (long long)deliveries_buffered_bytes(&worker.deliveries));
    scripted_worker_end(script);
    recording_free(&worker);
    refilling_free(&worker);
}

static void test_no_row_is_known_without_its_event(void **state)
{
    static const struct exchange exchange = {"reading rows of events", run_exchange, 1, false};
    static const struct exchange refused = {"events that are refused once", run_exchange, 2, false};

    (void)state;
    every_place(&exchange);
    every_place(&refused);
    every_place_twice(&exchange, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_row_is_known_without_its_event, every_place_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
