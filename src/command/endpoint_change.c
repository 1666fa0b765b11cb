/* SPDX-License-Identifier: MIT */
/* "endpoint disable", "enable", "pause", "resume" and "remove", by the texts of the JSON API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/confirmation.h"
#include "command/database.h"
#include "command/endpoint.h"
#include "command/endpoint_choice.h"
#include "command/interruption.h"
#include "command/moment_option.h"
#include "command/replay_following.h"
#include "command/report.h"
#include "db/endpoint_pending.h"

#define CHOICE_HELP "      --customer UUID     whose, where more than one have the URL\n"
#define END_HELP                                           \
    "      --json              for programs: one object\n" \
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n"
#define YES_HELP "      --yes               does it without asking\n"

static const char disable_help[] =
    "usage: postrider endpoint disable [OPTION]... ID|URL\n"
    "\n"
    "Disables an endpoint: what is pending for it fails, and so does what comes, until it is\n"
    "enabled again. \"endpoint pause\" lets it wait instead. Counts what is pending, and asks.\n"
    "\n" CHOICE_HELP YES_HELP END_HELP;

static const char enable_help[] =
    "usage: postrider endpoint enable [OPTION]... ID|URL\n"
    "\n"
    "Enables an endpoint that was disabled, by somebody or by a worker.\n"
    "\n" CHOICE_HELP
    "      --recover-since TIME  sends what has failed for it since then again, and follows that:\n"
    "                          2h, or \"2031-05-17 12:00\"\n" END_HELP;

static const char pause_help[] =
    "usage: postrider endpoint pause [OPTION]... ID|URL\n"
    "\n"
    "Lets all deliveries of an endpoint wait until it is resumed; none fails for that.\n"
    "\n" CHOICE_HELP END_HELP;

static const char resume_help[] = "usage: postrider endpoint resume [OPTION]... ID|URL\n"
                                  "\n"
                                  "Lets the deliveries of an endpoint go that was paused.\n"
                                  "\n" CHOICE_HELP END_HELP;

static const char remove_help[] =
    "usage: postrider endpoint remove [OPTION]... ID|URL\n"
    "\n"
    "Deletes the row of an endpoint: what is pending of events for it fails, and nothing more is\n"
    "made for it. What an application inserts for its URL goes on, with the configuration's\n"
    "settings. Its secrets stay. Counts what is pending, and asks.\n"
    "\n" CHOICE_HELP YES_HELP END_HELP;

struct change {
    const char *text;     /* of src/db/queries */
    const char *question; /* NULL: nobody is asked */
    const char *done;     /* "disabled" */
    bool tells_who;
};

struct change_options {
    const char *id_or_url, *customer, *recover_since;
    char moment[MOMENT_SIZE];
    bool yes, json;
};

static bool is_removal(const struct change *change)
{
    return strcmp(change->text, "endpoint_remove") == 0;
}

static void print_pending(const struct change *change, const struct subscription *endpoint,
                          const struct endpoint_pending *pending)
{
    int64_t failing = pending->made_for_it + (is_removal(change) ? 0 : pending->others);
    const char *at_least = pending->is_cut ? "at least " : "";

    fprintf(stderr, "Endpoint %s of customer %s, %s: %s%lld pending deliver%s fail%s.\n",
            endpoint->id, endpoint->customer_id, endpoint_state(endpoint), at_least,
            (long long)failing, text_plural(failing, "y", "ies"), text_plural(failing, "s", ""));
    if (is_removal(change) && pending->others > 0)
        fprintf(stderr,
                "%s%lld that %s inserted for its URL go%s on, with the configuration's settings.\n",
                pending->is_cut ? "At least " : "", (long long)pending->others,
                text_plural(pending->others, "was", "were"),
                text_plural(pending->others, "es", ""));
}

/* Whether it is to be done; else status. */
static int ask(const struct database *database, const struct change *change,
               const struct subscription *endpoint, const struct change_options *o)
{
    struct endpoint_pending pending;
    struct error error = {0};

    if (change->question == NULL)
        return COMMAND_OK;
    if (!endpoint_pending_count(database->session, endpoint->id, &pending, &error))
        return database_fail(database, &error);
    print_pending(change, endpoint, &pending);
    if (o->yes || confirmation_ask(change->question))
        return COMMAND_OK;
    error_set(&error, "nothing was done");
    return command_fail(COMMAND_FAILED, &error);
}

/* NULL with error. */
static json_t *apply(const struct database *database, const struct change *change, const char *id,
                     const struct change_options *o, struct error *error)
{
    bool is_enable = strcmp(change->text, "endpoint_enable") == 0;
    char *who = memory_format("%s with postrider endpoint",
                              PQuser(db_session_connection(database->session)));
    json_t *body =
        o->recover_since != NULL ? json_pack("{s:s}", "recover_since", o->recover_since) : NULL;
    char *json = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    const char *values[] = {id, is_enable ? json : who, who, NULL};
    struct asking asking = {.text = change->text,
                            .count = is_enable           ? 4
                                     : change->tells_who ? 2
                                                         : 1,
                            .values = values};
    json_t *answer = endpoint_ask_alone(database, &asking, error);

    json_decref(body);
    free(json);
    free(who);
    return answer;
}

static void print_recovery(const struct change_options *o, json_t *endpoint,
                           const struct dead_report *report, bool is_done)
{
    if (o->json) {
        json_object_set_new(endpoint, "recovered", json_integer(report->changed));
        json_object_set_new(endpoint, "skipped", json_integer(report->skipped));
        report_print_json(json_incref(endpoint), stdout);
        return;
    }
    printf("enabled; %lld deliver%s %s sent again\n", (long long)report->changed,
           text_plural(report->changed, "y", "ies"),
           is_done ? text_plural(report->changed, "is", "are") : "so far are");
    if (report->skipped > 0) {
        char *url = hint_quoted(json_string_value(json_object_get(endpoint, "url")));

        printf("%lld %s left as %s, for the endpoint fails: \"postrider dead replay --endpoint "
               "%s%s\" sends them when it answers\n",
               (long long)report->skipped, text_plural(report->skipped, "is", "are"),
               text_plural(report->skipped, "it is", "they are"), url, hint_options());
        free(url);
    }
    if (!is_done)
        fprintf(stderr, "A worker goes on with it: \"postrider replay show %s%s\" shows how far.\n",
                report->replay_id, hint_options());
}

/* What the answer's replay does, until it has ended or somebody interrupts. */
static int follow(const struct database *database, const struct change_options *o, json_t *endpoint)
{
    const json_t *replay = json_object_get(endpoint, "replay");
    struct dead_report report = {.change = DEAD_LETTER_REPLAY};
    struct error error = {0};
    bool is_done = false;
    int status = COMMAND_OK;

    snprintf(report.replay_id, sizeof(report.replay_id), "%s",
             json_string_value(json_object_get(replay, "id")));
    interruption_begin(database);
    if (!replay_follow(database, &report, &is_done, &error))
        status = database_fail(database, &error);
    else
        print_recovery(o, endpoint, &report, is_done);
    if (status == COMMAND_OK && !is_done && interruption_name() != NULL)
        status = interruption_status();
    interruption_end();
    dead_report_free(&report);
    return status;
}

static int finish(const struct database *database, const struct change *change,
                  const struct change_options *o, json_t *endpoint)
{
    if (o->recover_since != NULL)
        return follow(database, o, endpoint);
    if (o->json)
        report_print_json(json_incref(endpoint), stdout);
    else
        printf("%s\n", change->done);
    return COMMAND_OK;
}

static int change_one(const struct database *database, const struct change *change,
                      const struct change_options *o)
{
    struct subscription_list list = {0};
    struct error error = {0};
    int status = endpoint_choose(database, o->id_or_url, o->customer, &list);
    json_t *endpoint = NULL;

    if (status == COMMAND_OK)
        status = ask(database, change, &list.rows[0], o);
    if (status == COMMAND_OK) {
        endpoint = apply(database, change, list.rows[0].id, o, &error);
        status = endpoint != NULL ? finish(database, change, o, endpoint)
                                  : database_fail(database, &error);
    }
    json_decref(endpoint);
    subscription_list_free(&list);
    return status;
}

static int run_change(const struct command *self, int argc, char **argv,
                      const struct change *change)
{
    struct change_options o = {.yes = false};
    struct argument options[5] = {{.name = "customer", .uuid = &o.customer},
                                  {.name = "json", .flag = &o.json}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    struct database database;
    int status;

    if (change->question != NULL)
        options[2] = (struct argument){.name = "yes", .flag = &o.yes};
    else if (strcmp(change->text, "endpoint_enable") == 0)
        options[2] = (struct argument){.name = "recover-since", .text = &o.recover_since};
    status = arguments_parse(self, argc, argv, &arguments);
    if (status != ARGUMENTS_OK)
        return status;
    o.id_or_url = arguments.values[0];
    if (change->question != NULL && !o.yes && !confirmation_can_ask())
        return command_usage_error(self, "there is no terminal to ask on: say --yes; nothing was "
                                         "done");
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = moment_option(self, &database, "recover-since", &o.recover_since, o.moment);
    if (status == COMMAND_OK)
        status = change_one(&database, change, &o);
    database_close(&database);
    return status;
}

static int run_disable(const struct command *self, int argc, char **argv)
{
    static const struct change change = {"endpoint_disable", "Disable it?", "disabled", true};

    return run_change(self, argc, argv, &change);
}

static int run_enable(const struct command *self, int argc, char **argv)
{
    static const struct change change = {"endpoint_enable", NULL, "enabled", true};

    return run_change(self, argc, argv, &change);
}

static int run_pause(const struct command *self, int argc, char **argv)
{
    static const struct change change = {"endpoint_pause", NULL, "paused", false};

    return run_change(self, argc, argv, &change);
}

static int run_resume(const struct command *self, int argc, char **argv)
{
    static const struct change change = {"endpoint_resume", NULL, "resumed", false};

    return run_change(self, argc, argv, &change);
}

static int run_remove(const struct command *self, int argc, char **argv)
{
    static const struct change change = {"endpoint_remove", "Remove it for good?", "removed",
                                         false};

    return run_change(self, argc, argv, &change);
}

const struct command command_endpoint_disable = {
    .name = "endpoint disable",
    .summary = "disable an endpoint",
    .help = disable_help,
    .run = run_disable,
};

const struct command command_endpoint_enable = {
    .name = "endpoint enable",
    .summary = "enable an endpoint, and send again what it has missed",
    .help = enable_help,
    .run = run_enable,
};

const struct command command_endpoint_pause = {
    .name = "endpoint pause",
    .summary = "let an endpoint's deliveries wait",
    .help = pause_help,
    .run = run_pause,
};

const struct command command_endpoint_resume = {
    .name = "endpoint resume",
    .summary = "let an endpoint's deliveries go on",
    .help = resume_help,
    .run = run_resume,
};

const struct command command_endpoint_remove = {
    .name = "endpoint remove",
    .summary = "remove an endpoint",
    .help = remove_help,
    .run = run_remove,
};
