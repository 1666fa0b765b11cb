/* SPDX-License-Identifier: MIT */
/*
 * test_leasing.c: owning lanes, with the database's answer lost at every place.
 *
 * A worker starts beside another one, takes its half of the lanes and renews them, takes the rest
 * when the other is gone, gives the half back when it has returned, and stops. Whatever happens, at
 * no time does it believe that it owns a lane
 *   - without the answer to a request that gave it the lane, and longer than one lease after that
 *     request was sent;
 *   - that is not its own in the database, or whose lease has run out there.
 */
#include "unit.h"

#include <stdlib.h>

#include "core/lane_leases.h"
#include "scripted_worker.h"
#include "worker/leasing.h"

#define LEASE_MS       15000
#define LEASE_US       ((int64_t)LEASE_MS * 1000)
#define TURNS_MAX      4000
#define OTHER          2 /* owner of a lane */
#define SELF           1
#define TURN_KEPT      512
#define OTHER_PAUSE_US 100000

static struct config config = {.worker = {.lease_ms = LEASE_MS,
                                          .drain_timeout_ms = 20000,
                                          .max_in_flight = 64,
                                          .max_buffered_bytes = 1 << 20,
                                          .poll_interval_ms = 250},
                               .delivery = {.max_payload_bytes = 1 << 16}};

struct lanes {
    int owner[LANE_COUNT]; /* 0 = nobody */
    int64_t expires_us[LANE_COUNT];
    int64_t turn; /* of the worker's last request that was executed; -1 = it has no row */
    bool is_leaving;
    uint64_t renewed; /* by the request that is being executed */
};

static struct {
    struct lanes committed, open;
    int64_t other_us; /* when it looks again */
    bool has_other;   /* a second worker is alive; it takes whatever is free of its half */
    int64_t sent_us[TURN_KEPT];   /* when the request with this turn was sent */
    uint64_t renewed[TURN_KEPT];  /* what it was told that it has, if it was answered */
    int64_t until_us[LANE_COUNT]; /* as the answers that were given allow */
    int64_t keeps_from_us;        /* of the phase: since when everything is as it should be */
    int phase;
} run;

/* --- the database --- */

static int64_t number_of(const struct pq_statement *statement, int value)
{
    return strtoll(statement->values[value], NULL, 10);
}

/* The second number of worker_sql's fourth parameter, and the fifth. */
static void read_worker(const struct pq_statement *statement, int64_t *turn, bool *is_leaving)
{
    int64_t pid, uptime, lease;
    char *at = statement->values[3] + 1;

    pid = strtoll(at, &at, 10);
    *turn = strtoll(at + 1, &at, 10);
    uptime = strtoll(at + 1, &at, 10);
    lease = strtoll(at + 1, &at, 10);
    *is_leaving = strtoll(at + 1, &at, 10) == 1;
    assert_true(pid > 0 && uptime >= 0 && lease == LEASE_MS);
}

static bool is_free(const struct lanes *lanes, int lane)
{
    return lanes->owner[lane] == 0 || lanes->expires_us[lane] < worker.now_us;
}

static void renew(const struct pq_statement *statement)
{
    uint64_t keep = (uint64_t)number_of(statement, 3), take = (uint64_t)number_of(statement, 4);
    uint64_t release = (uint64_t)number_of(statement, 5);
    struct lanes *lanes = &run.open;

    lanes->renewed = 0;
    if (number_of(statement, 1) != lanes->turn)
        return;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        uint64_t bit = LANE_BIT(lane);
        bool is_own = lanes->owner[lane] == SELF && ((keep | take | release) & bit) != 0;

        if (!is_own && !(is_free(lanes, lane) && (take & bit) != 0))
            continue;
        lanes->owner[lane] = (release & bit) != 0 ? 0 : SELF;
        lanes->expires_us[lane] = worker.now_us + LEASE_US;
        if ((release & bit) == 0)
            lanes->renewed |= bit;
    }
}

static void add_numbers(PGresult *result, int count, const int64_t *numbers)
{
    char texts[4][24];
    const char *values[4];

    for (int i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%lld", (long long)numbers[i]);
        values[i] = texts[i];
    }
    pq_result_add_row(result, count, values);
}

static void view(PGresult *result)
{
    bool is_live = run.open.turn >= 0 && !run.open.is_leaving;
    uint64_t mine = 0, free_lanes = 0;
    int64_t numbers[4];

    for (int lane = 0; lane < LANE_COUNT; lane++) {
        if (run.open.owner[lane] == SELF)
            mine |= LANE_BIT(lane);
        if (is_free(&run.open, lane))
            free_lanes |= LANE_BIT(lane);
    }
    numbers[0] = (int64_t)mine;
    numbers[1] = (int64_t)free_lanes;
    numbers[2] = is_live + run.has_other;
    numbers[3] = is_live ? 0 : -1;
    add_numbers(result, 4, numbers);
}

static void on_begin(void *owner)
{
    (void)owner;
    run.open = run.committed;
}

static const char *on_statement(void *owner, const struct pq_statement *statement, PGresult *result)
{
    const char *greeting[] = {"1", "f"}; /* process, whether it is a standby */
    int64_t turn;

    (void)owner;
    if (strstr(statement->sql, "pg_backend_pid") != NULL) {
        pq_result_add_row(result, 2, greeting);
    } else if (strstr(statement->sql, "INSERT INTO webhook_workers") != NULL) {
        bool is_leaving;

        read_worker(statement, &turn, &is_leaving);
        if (turn > run.open.turn) {
            run.open.turn = turn;
            run.open.is_leaving = is_leaving;
        }
    } else if (strstr(statement->sql, "WITH locked") != NULL) {
        int64_t renewed;

        renew(statement);
        renewed = (int64_t)run.open.renewed;
        add_numbers(result, 1, &renewed);
        turn = number_of(statement, 1);
        assert_true(turn < TURN_KEPT);
        run.renewed[turn] = run.open.renewed;
    } else if (strstr(statement->sql, "DELETE FROM webhook_workers WHERE owner = $1)") != NULL) {
        run.open.turn = -1;
        for (int lane = 0; lane < LANE_COUNT; lane++)
            if (run.open.owner[lane] == SELF)
                run.open.owner[lane] = 0;
    } else if (strstr(statement->sql, "set_config") == NULL) {
        view(result);
    }
    return NULL;
}

static void on_commit(void *owner, const struct pq_statement *statement)
{
    (void)owner;
    (void)statement;
    run.committed = run.open;
}

/* What the client may believe from now on. */
static void on_given(void *owner, const struct pq_statement *statement, bool is_refused)
{
    int64_t turn;

    (void)owner;
    if (is_refused || strstr(statement->sql, "WITH locked") == NULL)
        return;
    turn = number_of(statement, 1);
    for (int lane = 0; lane < LANE_COUNT; lane++)
        if ((run.renewed[turn] & LANE_BIT(lane)) != 0)
            run.until_us[lane] = run.sent_us[turn] + LEASE_US;
}

/* The other worker takes what is free, to its half, and goes on renewing. */
static void serve_other(void)
{
    struct lanes *lanes = &run.committed;
    int count = 0;

    if (worker.now_us < run.other_us)
        return;
    run.other_us = worker.now_us + OTHER_PAUSE_US;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        if (lanes->owner[lane] != OTHER)
            continue;
        lanes->expires_us[lane] = run.has_other ? worker.now_us + LEASE_US : 0;
        count++;
    }
    for (int lane = LANE_COUNT - 1; lane >= 0 && run.has_other; lane--) {
        if (count == LANE_COUNT / 2 || !is_free(lanes, lane))
            continue;
        lanes->owner[lane] = OTHER;
        lanes->expires_us[lane] = worker.now_us + LEASE_US;
        count++;
    }
}

/* --- the worker --- */

/* By the lanes whose lease runs. */
static uint64_t believed(void)
{
    uint64_t lanes = leasing_leases(&worker)->owned;

    for (uint64_t left = lanes; left != 0; left &= left - 1) {
        int lane = __builtin_ctzll(left);

        if (!lane_leases_may_start(leasing_leases(&worker), lane, worker.now_us))
            lanes &= ~LANE_BIT(lane);
    }
    return lanes;
}

static void check_lanes(void)
{
    for (uint64_t left = believed(); left != 0; left &= left - 1) {
        int lane = __builtin_ctzll(left);

        check_case(worker.now_us < run.until_us[lane],
                   "lane %d is believed to be owned longer than any answer allows", lane);
        check_case(leasing_leases(&worker)->until_us[lane] <= run.until_us[lane],
                   "the end of lane %d is later than any answer allows", lane);
        check_case(run.committed.owner[lane] == SELF, "lane %d is not its own", lane);
        check_case(run.committed.expires_us[lane] > worker.now_us, "lane %d has expired", lane);
    }
}

static void step(void)
{
    int64_t turn = leasing_leases(&worker)->turn;

    if (worker.phase == WORKER_DRAINING && !leasing_is_valid(&worker))
        (void)leasing_release(&worker);
    leasing_step(&worker);
    if (leasing_leases(&worker)->turn != turn) {
        assert_true(leasing_leases(&worker)->turn < TURN_KEPT);
        run.sent_us[leasing_leases(&worker)->turn] = worker.now_us;
    }
}

/* What it should come to: beside another, alone, beside another again, gone. */
static bool is_settled(void)
{
    if (worker.phase == WORKER_DRAINING)
        return leasing_is_released(&worker);
    return lane_shares_count(believed()) == (run.has_other ? LANE_COUNT / 2 : LANE_COUNT);
}

/* Goes on to the next phase when the lanes have been as they should be for a renewal. */
static bool is_over(void)
{
    if (!is_settled()) {
        run.keeps_from_us = worker.now_us;
        return false;
    }
    if (worker.phase == WORKER_DRAINING)
        return true;
    if (worker.now_us - run.keeps_from_us < LEASE_US / 3)
        return false;
    run.keeps_from_us = worker.now_us;
    run.phase++;
    run.has_other = run.phase % 2 == 0;
    if (run.phase == 3) {
        worker.phase = WORKER_DRAINING;
        worker.drain_until_us = worker.now_us + config.worker.drain_timeout_ms * 1000;
    }
    return false;
}

static void turn(void)
{
    int calls = pq_calls();

    scripted_worker_turn();
    serve_other();
    step();
    if (pq_calls() != calls)
        check_lanes();
    scripted_worker_pass_time(leasing_next_us(&worker));
    check_lanes();
}

static void begin_run(void)
{
    memset(&run, 0, sizeof(run));
    run.has_other = true;
    run.committed.turn = -1;
    run.keeps_from_us = SCRIPTED_START_US;
}

static void run_exchange(const struct exchange *exchange, const struct exchange_script *script)
{
    struct pq_server server = {.on_begin = on_begin,
                               .on_statement = on_statement,
                               .on_commit = on_commit,
                               .on_answered = on_given,
                               .is_eager = script->is_eager,
                               .backend_pid = exchange->variant};
    bool is_done = false;

    begin_run();
    scripted_worker_begin(&config, script, &server);
    leasing_init(&worker);
    for (int i = 0; i < TURNS_MAX && !is_done; i++) {
        turn();
        is_done = is_over();
    }
    check_case(is_done, "it stays in phase %d, with %d lanes", run.phase,
               lane_shares_count(believed()));
    scripted_worker_end(script);
    leasing_free(&worker);
}

static void test_no_lane_is_owned_without_an_answer(void **state)
{
    static const struct exchange direct = {"leasing", run_exchange, 1, false};

    (void)state;
    every_place(&direct);
    every_place_twice(&direct, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_lane_is_owned_without_an_answer, every_place_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
