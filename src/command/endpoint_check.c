/* SPDX-License-Identifier: MIT */
/* "endpoint test" and "endpoint doctor": a row that a worker carries out, and what came of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/endpoint_choice.h"
#include "command/interruption.h"
#include "command/report.h"
#include "command/verdict_report.h"
#include "db/endpoint_checks.h"
#include "db/replays.h"

#define LOOK_US    200000
#define PATIENT_US 10000000
/* A worker has ended the row long before, if there is one that knows how. */
#define GIVE_UP_US ((ENDPOINT_CHECK_WAIT_S + 60) * INT64_C(1000000))

#define COMMON_HELP                                                                           \
    "      --customer UUID     whose, where more than one have the URL\n"                     \
    "      --json              for programs: one object\n"                                    \
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n"              \
    "\n"                                                                                      \
    "The worker that owns the lane of its URL does it, with its secrets, addresses and "      \
    "settings:\n"                                                                             \
    "one must be running. At ^C it is left to the worker. Exit status 0 when all is well, 1 " \
    "when\n"                                                                                  \
    "something is not. \"postrider replay show ID\" shows it again.\n"

static const char test_help[] =
    "usage: postrider endpoint test [OPTION]... ID|URL\n"
    "\n"
    "Sends an endpoint one signed test event (postrider.test), as a delivery's first attempt "
    "would\n"
    "be, also when it is paused or disabled, and says what it answered. Nothing of it counts: no\n"
    "delivery is made, and neither retries nor breakers hear of it.\n"
    "\n" COMMON_HELP;

static const char doctor_help[] =
    "usage: postrider endpoint doctor [OPTION]... ID|URL\n"
    "\n"
    "Looks for what is wrong with an endpoint, without sending it an event: its state,\n"
    "subscription, limits and secrets, its name and the verdict on each address, connection, TLS\n"
    "and certificates, the answer to a HEAD request, and its clock; and says what to mend.\n"
    "\n" COMMON_HELP;

struct check {
    const struct database *database;
    const char *name; /* "test" */
    const char *text; /* of src/db/queries */
    const char *endpoint_id;
    char id[REPLAY_ID_SIZE]; /* of the row; "" before */
    bool json;
    bool is_told; /* that nobody has taken it up yet */
};

/* False with error when nobody could do it. */
static bool look_for_workers(struct check *check, struct endpoint_check_outlook *outlook,
                             struct error *error)
{
    if (!endpoint_checks_outlook(check->database->session, check->endpoint_id, outlook, error))
        return false;
    if (outlook->has_workers)
        return true;
    error_set(error, "no worker is running, and nobody else has secrets and connections for it");
    return error_hint(error,
                      "start one: \"postrider run%s\"; to send one from this machine: \"postrider "
                      "send --customer UUID%s URL\"",
                      hint_options(), hint_options());
}

static bool request(struct check *check, struct error *error)
{
    char *who = memory_format("%s with postrider endpoint %s",
                              PQuser(db_session_connection(check->database->session)), check->name);
    const char *values[] = {check->endpoint_id, who, NULL};
    const struct asking asking = {.text = check->text, .count = 3, .values = values};
    json_t *row = endpoint_ask_alone(check->database, &asking, error);

    free(who);
    if (row != NULL)
        text_copy(check->id, sizeof(check->id), json_string_value(json_object_get(row, "id")));
    json_decref(row);
    return row != NULL;
}

/* Why it may take longer, once. */
static bool tell_waiting(struct check *check, struct error *error)
{
    struct endpoint_check_outlook outlook;

    check->is_told = true;
    if (!look_for_workers(check, &outlook, error))
        return false;
    if (outlook.is_lane_owned)
        fprintf(stderr,
                "waiting: the worker of lane %d has not taken it up; is it of an earlier version, "
                "or does it hold something? \"postrider status%s\" tells\n",
                outlook.lane, hint_options());
    else
        fprintf(stderr,
                "waiting: lane %d, which its URL belongs to, is owned by no worker; \"postrider "
                "status%s\" shows who owns which\n",
                outlook.lane, hint_options());
    return true;
}

/* It is not to be done when nobody looks any more. */
static bool give_up(struct check *check, struct error *error)
{
    bool is_changed;

    if (!replays_stop(check->database->session, check->id, &is_changed, error))
        return false;
    error_set(error, "no worker has taken it up, and it was stopped");
    return error_hint(error, "\"postrider status%s\" shows the workers and their versions",
                      hint_options());
}

/* The row when it has finished; then *ret_is_done is true. False with error. */
static bool look(struct check *check, int64_t waited_us, struct replay_list *ret_list,
                 bool *ret_is_done, struct error *error)
{
    const struct replay *row;

    if (!replays_find(check->database->session, check->id, ret_list, error))
        return false;
    if (ret_list->count == 0)
        return error_set(error, "its row was deleted by somebody else");
    row = &ret_list->rows[0];
    *ret_is_done = row->finished_at != NULL;
    if (*ret_is_done)
        return true;
    if (row->stopped_at != NULL)
        return error_set(error, "it was stopped by somebody else");
    if (row->started_at == NULL && waited_us > PATIENT_US && !check->is_told)
        return tell_waiting(check, error);
    return waited_us < GIVE_UP_US || give_up(check, error);
}

/* With the row in the list, unless it was interrupted. False with error. */
static bool follow(struct check *check, struct replay_list *ret_list, struct error *error)
{
    int64_t began_us = clock_monotonic_us();
    bool is_done = false;

    while (interruption_name() == NULL) {
        if (!look(check, clock_monotonic_us() - began_us, ret_list, &is_done, error) || is_done)
            return is_done;
        replays_list_free(ret_list);
        interruption_sleep(LOOK_US);
    }
    return true;
}

static void print_json(const struct check *check, json_t *result, bool is_well)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:b}", "id", check->id, "kind", check->name,
                               "endpoint_id", check->endpoint_id, "ok", (int)is_well);

    json_object_update(object, result);
    report_print_json(object, stdout);
}

static int report(const struct check *check, const struct replay *row)
{
    json_t *result = row->result != NULL ? json_loads(row->result, 0, NULL) : NULL;
    struct error error = {0};
    int wrong;

    if (row->error != NULL || result == NULL) {
        json_decref(result);
        error_set(&error, "it has ended without a result: %s",
                  row->error != NULL ? row->error : "none was written");
        error_hint(&error, "\"postrider status%s\" shows the workers and their problems",
                   hint_options());
        return command_fail(COMMAND_FAILED, &error);
    }
    wrong = verdict_report_wrong(result);
    if (check->json)
        print_json(check, result, wrong == 0);
    else
        verdict_report_print(result);
    json_decref(result);
    return wrong == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static int report_interrupted(const struct check *check)
{
    struct error error;

    if (check->id[0] == '\0') {
        error_set(&error, "stopped by %s before it was asked for", interruption_name());
    } else {
        error_set(&error, "interrupted by %s; a worker goes on with it", interruption_name());
        error_hint(&error, "\"postrider replay show %s%s\" shows what came of it", check->id,
                   hint_options());
    }
    return command_fail(interruption_status(), &error);
}

static int carry_out(struct check *check)
{
    struct endpoint_check_outlook outlook;
    struct replay_list list = {0};
    struct error error = {0};
    int status;
    bool ok = look_for_workers(check, &outlook, &error) && request(check, &error) &&
              follow(check, &list, &error);

    if (interruption_name() != NULL && list.count == 0)
        status = report_interrupted(check);
    else if (!ok)
        status = database_fail(check->database, &error);
    else
        status = report(check, &list.rows[0]);
    replays_list_free(&list);
    return status;
}

static int check_one(struct check *check, const char *id_or_url, const char *customer)
{
    struct subscription_list endpoints = {0};
    int status = endpoint_choose(check->database, id_or_url, customer, &endpoints);

    if (status == COMMAND_OK) {
        check->endpoint_id = endpoints.rows[0].id;
        interruption_begin(check->database);
        status = carry_out(check);
        interruption_end();
    }
    subscription_list_free(&endpoints);
    return status;
}

static int run(const struct command *self, int argc, char **argv, const char *name,
               const char *text)
{
    struct check check = {.name = name, .text = text};
    const char *customer = NULL;
    const struct argument options[] = {
        {.name = "customer", .uuid = &customer}, {.name = "json", .flag = &check.json}, {0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    struct database database;
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    check.database = &database;
    status = check_one(&check, arguments.values[0], customer);
    database_close(&database);
    return status;
}

static int run_test(const struct command *self, int argc, char **argv)
{
    return run(self, argc, argv, "test", "endpoint_test");
}

static int run_doctor(const struct command *self, int argc, char **argv)
{
    return run(self, argc, argv, "doctor", "endpoint_doctor");
}

const struct command command_endpoint_test = {
    .name = "endpoint test",
    .summary = "send an endpoint one signed test event",
    .help = test_help,
    .run = run_test,
};

const struct command command_endpoint_doctor = {
    .name = "endpoint doctor",
    .summary = "find what is wrong with an endpoint",
    .help = doctor_help,
    .run = run_doctor,
};
