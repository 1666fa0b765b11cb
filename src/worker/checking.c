/* SPDX-License-Identifier: MIT */
#include "worker/checking.h"

#include <stdlib.h>

#include "base/hint.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/lane_leases.h"
#include "worker/endpoint_check.h"
#include "worker/endpoint_doctor.h"
#include "worker/endpoint_test.h"
#include "worker/exchange.h"
#include "worker/finding.h"
#include "worker/leasing.h"
#include "worker/receiver_verdicts.h"
#include "worker/reporting.h"

#define RESOLVE_LOOK_US 20000
#define WRITE_AGAIN_US  1000000
/* Longer than a check can take: its name, its request, and what is to be written. */
#define LEASE_MS (ENDPOINT_CHECK_REQUEST_MS + ENDPOINT_DOCTOR_RESOLVE_MS + 30000)

TAILQ_HEAD(endpoint_check_list, endpoint_check);

struct checking {
    struct http_engine *engine; /* NULL: nothing has been checked by this configuration */
    bool is_asking;             /* a request for new ones is out */
    bool is_told;               /* that they can't be asked for */
    int64_t ask_us, write_us;   /* not before these */
    size_t count;               /* of checks */
    struct endpoint_check_list checks;
};

static void on_finished(void *request_owner, const struct http_response *response);

void checking_init(struct worker *worker)
{
    worker->checking = memory_new(1, sizeof(*worker->checking));
    TAILQ_INIT(&worker->checking->checks);
}

static void forget(struct endpoint_check *check)
{
    struct checking *checking = check->worker->checking;

    TAILQ_REMOVE(&checking->checks, check, entry);
    checking->count--;
    endpoint_check_free(check);
}

void checking_free(struct worker *worker)
{
    struct checking *checking = worker->checking;
    struct endpoint_check *check;

    http_engine_free(checking->engine);
    while ((check = TAILQ_FIRST(&checking->checks)) != NULL)
        forget(check);
    free(checking);
    worker->checking = NULL;
}

static bool is_at_work(const struct worker *worker)
{
    return worker->may_send && worker->phase == WORKER_RUNNING;
}

/* --- what comes of one --- */

/* What came of it is the row's to say; the line says who has made this machine ask a receiver. */
static void tell(const struct endpoint_check *check)
{
    log_event(LOG_LEVEL_INFO,
              check->is_doctor ? "an endpoint was examined" : "an endpoint was tested",
              LOG_TEXT("replay", check->id), LOG_TEXT("endpoint", check->endpoint_id),
              LOG_TEXT("customer", check->customer_id), LOG_TEXT("by", check->requested_by),
              LOG_NUMBER("wrong", check->verdicts.wrong),
              LOG_NUMBER("warnings", check->verdicts.warnings), LOG_NUMBER("pass", check->pass));
}

static void set_state(struct endpoint_check *check, enum endpoint_check_state state)
{
    check->state = state;
    if (state == CHECK_ENDED || state == CHECK_RETURNED)
        check->worker->checking->write_us = 0;
}

static void tell_error(const char *id, const char *error)
{
    log_event(LOG_LEVEL_WARNING, "a check of an endpoint has ended without a result",
              LOG_TEXT("replay", id), LOG_TEXT("error", error));
}

static void end(struct endpoint_check *check)
{
    if (check->error == NULL)
        tell(check);
    else
        tell_error(check->id, check->error);
    set_state(check, CHECK_ENDED);
}

static void fail(struct endpoint_check *check, const char *message)
{
    free(check->error);
    check->error = memory_copy_string(message);
}

static void fail_to_write(struct endpoint_check *check)
{
    char *message = memory_format("its result can't be written: look at the worker's log, and at "
                                  "\"postrider check --database%s\"",
                                  hint_options());

    fail(check, message);
    free(message);
}

/* A lost connection may have written it: then it is found to be somebody's else, and forgotten. */
static void on_written(void *owner, const struct db_answer *answer)
{
    struct endpoint_check *check = owner;
    struct checking *checking = check->worker->checking;

    switch (answer->result) {
    case DB_ANSWERED:
        forget(check);
        return;
    case DB_LOST:
        set_state(check, CHECK_ENDED);
        break;
    case DB_REFUSED:
        reporting_refusal("writing what came of a check of an endpoint was refused", answer);
        if (check->error != NULL) {
            forget(check); /* its time ends */
            return;
        }
        fail_to_write(check);
        set_state(check, CHECK_ENDED);
        break;
    }
    checking->write_us = check->worker->now_us + WRITE_AGAIN_US;
}

static void on_returned(void *owner, const struct db_answer *answer)
{
    (void)answer; /* or its time ends */
    forget(owner);
}

static bool write_result(struct endpoint_check *check)
{
    struct worker *worker = check->worker;
    char *result = check->error == NULL ? endpoint_check_result(check) : NULL;
    bool is_sent =
        endpoint_checks_send_result(worker->writing, worker->config->database.schema, check->id,
                                    check->pass, result, check->error, on_written, check);

    free(result);
    if (is_sent)
        check->state = CHECK_WRITING;
    return is_sent;
}

static bool give_back(struct endpoint_check *check)
{
    struct worker *worker = check->worker;
    bool is_sent = endpoint_checks_send_return(worker->writing, worker->config->database.schema,
                                               check->id, check->pass, on_returned, check);

    if (is_sent)
        check->state = CHECK_WRITING;
    return is_sent;
}

static void write_all(struct worker *worker)
{
    struct checking *checking = worker->checking;
    struct endpoint_check *check;

    if (worker->now_us < checking->write_us || !worker_is_connected(worker))
        return;
    checking->write_us = WORKER_NEVER;
    TAILQ_FOREACH(check, &checking->checks, entry) {
        if ((check->state == CHECK_ENDED && !write_result(check)) ||
            (check->state == CHECK_RETURNED && !give_back(check)))
            checking->write_us = worker->now_us + WRITE_AGAIN_US;
    }
}

/* --- its requests --- */

static bool have_engine(struct worker *worker, struct error *error)
{
    struct checking *checking = worker->checking;
    struct http_options options = exchange_options(worker->config);

    /* Nothing is kept from one to the next: they look at what there is. */
    options.connection_lifetime_ms = 0;
    if (checking->engine == NULL)
        checking->engine = http_engine_new(worker->loop.base, &options, on_finished, error);
    return checking->engine != NULL;
}

static void send_request(struct endpoint_check *check, const struct http_request *request)
{
    struct error error;

    if (!have_engine(check->worker, &error)) {
        fail(check, error.message);
        end(check);
        return;
    }
    set_state(check, CHECK_REQUESTING);
    http_start(check->worker->checking->engine, request, check);
}

static void on_finished(void *request_owner, const struct http_response *response)
{
    struct endpoint_check *check = request_owner;

    if (check->is_doctor)
        receiver_verdicts_add(check, response);
    else
        endpoint_test_finish(check, response);
    end(check);
}

static void ask_receiver(struct endpoint_check *check)
{
    struct http_request request = endpoint_doctor_request(check);

    send_request(check, &request);
}

static void begin(struct endpoint_check *check, const struct endpoint_check_taken *taken)
{
    struct http_request request;

    if (check->is_doctor) {
        if (!endpoint_doctor_begin(check, taken))
            end(check);
        else if (check->resolution != NULL)
            set_state(check, CHECK_RESOLVING);
        else
            ask_receiver(check);
        return;
    }
    if (endpoint_test_begin(check, taken, &request))
        send_request(check, &request);
    else
        end(check);
}

/* Names that were asked for. */
static void look_at_names(struct worker *worker)
{
    struct endpoint_check *check;

    TAILQ_FOREACH(check, &worker->checking->checks, entry) {
        if (check->state != CHECK_RESOLVING ||
            (!resolution_is_done(check->resolution) && worker->now_us < check->resolve_until_us))
            continue;
        if (endpoint_doctor_note_addresses(check))
            ask_receiver(check);
        else
            end(check);
    }
}

/* --- new ones --- */

static void take(struct worker *worker, const struct db_answer *answer)
{
    struct checking *checking = worker->checking;

    for (int i = 0; i < endpoint_checks_taken_count(answer); i++) {
        struct endpoint_check_taken taken = endpoint_checks_taken(answer, i);
        struct endpoint_check *check = endpoint_check_new(worker, &taken);

        TAILQ_INSERT_TAIL(&checking->checks, check, entry);
        checking->count++;
        begin(check, &taken);
    }
    /* There are secrets in it, and libpq frees its memory as it is. */
    endpoint_checks_wipe(answer);
}

static void on_taken(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct checking *checking = worker->checking;

    checking->is_asking = false;
    checking->ask_us = worker->now_us + CHECKING_REST_US;
    if (answer->result == DB_REFUSED && !checking->is_told) {
        checking->is_told = true;
        reporting_refusal("looking for tests and doctors of endpoints was refused", answer);
    }
    if (answer->result != DB_ANSWERED)
        return;
    checking->is_told = false;
    for (int i = 0; i < endpoint_checks_ended_count(answer); i++) {
        struct endpoint_check_ended ended = endpoint_checks_ended(answer, i);

        tell_error(ended.id, ended.error);
    }
    take(worker, answer);
}

static void ask(struct worker *worker)
{
    struct checking *checking = worker->checking;
    uint64_t lanes = leasing_leases(worker)->owned;

    checking->is_asking =
        endpoint_checks_send_take(worker->writing, worker->config->database.schema, lanes,
                                  (int)(CHECKING_MAX - checking->count), LEASE_MS,
                                  finding_owns_lane(worker, 0), on_taken, worker);
}

static bool may_ask(const struct worker *worker)
{
    const struct checking *checking = worker->checking;

    return is_at_work(worker) && !checking->is_asking && checking->count < CHECKING_MAX &&
           db_link_takes_long(worker->writing);
}

/* --- the end of the worker, or of its configuration --- */

static void return_all(struct worker *worker)
{
    struct endpoint_check *check;

    if (worker->checking->engine != NULL)
        http_engine_cancel_all(worker->checking->engine);
    TAILQ_FOREACH(check, &worker->checking->checks, entry) {
        if (check->state == CHECK_RESOLVING || check->state == CHECK_REQUESTING)
            set_state(check, CHECK_RETURNED);
    }
}

void checking_reconfigure(struct worker *worker)
{
    return_all(worker);
    http_engine_free(worker->checking->engine);
    worker->checking->engine = NULL;
    worker->checking->is_told = false;
}

void checking_step(struct worker *worker)
{
    struct checking *checking = worker->checking;

    if (checking->engine != NULL)
        http_engine_collect(checking->engine, CHECKING_MAX);
    if (worker->phase != WORKER_RUNNING)
        return_all(worker);
    else
        look_at_names(worker);
    write_all(worker);
    if (may_ask(worker) && worker->now_us >= checking->ask_us)
        ask(worker);
}

int64_t checking_next_us(const struct worker *worker)
{
    const struct checking *checking = worker->checking;
    int64_t next_us = may_ask(worker) ? checking->ask_us : WORKER_NEVER;
    const struct endpoint_check *check;

    if (checking->count > 0 && checking->write_us < next_us && worker_is_connected(worker))
        next_us = checking->write_us;
    TAILQ_FOREACH(check, &checking->checks, entry) {
        if (check->state == CHECK_RESOLVING && worker->now_us + RESOLVE_LOOK_US < next_us)
            next_us = worker->now_us + RESOLVE_LOOK_US;
    }
    return next_us;
}
