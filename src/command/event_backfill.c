/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/confirmation.h"
#include "command/database.h"
#include "command/event.h"
#include "command/interruption.h"
#include "command/moment_option.h"
#include "command/progress.h"
#include "command/report.h"
#include "command/terminal.h"
#include "command/waiting.h"
#include "db/backfill.h"

#define BATCH_EVENTS  1000
#define NO_SUCH_INDEX "42P10" /* SQLSTATE: ON CONFLICT finds none */

static const char help_text[] =
    "usage: postrider event backfill [OPTION]... --endpoint ID|URL --since TIME\n"
    "\n"
    "Makes the deliveries that an endpoint lacks of events that were published before it\n"
    "subscribed to them. First it waits until every transaction that may not have seen the\n"
    "subscription has ended, and says which; then it counts, and asks. Batches of 1,000 events\n"
    "are committed one by one: what is done stays done when you stop it, and the same command\n"
    "goes on. A delivery that is there, of whatever status, is not made again.\n"
    "\n"
    "      --endpoint ID|URL   the endpoint (webhook_endpoints.id), or its URL\n"
    "      --since TIME        events of the last 2h, or since \"2031-05-17 12:00\"\n"
    "      --until TIME        events before this time\n"
    "      --customer UUID     whose events, and of several endpoints with one URL which\n"
    "      --again             also events that are younger than the endpoint and older than\n"
    "                          retention.delivered or retention.failed: it may have had them,\n"
    "                          and then gets them again, with the same event id\n"
    "      --dry-run           only count them, without waiting\n"
    "      --yes               do it without asking\n"
    "      --json              for programs: {\"missing\": …, \"made\": …, …}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n"
    "\n"
    "Stopped by ^C or a signal it says what is done, and ends with 130, 143 or 129 as shells\n"
    "count: SIGINT, SIGTERM, SIGHUP.\n";

struct backfill_options {
    const char *endpoint;
    const char *since_text, *until_text;
    char since[MOMENT_SIZE];
    char until[MOMENT_SIZE];
    char kept_since[MOMENT_SIZE];
    const char *customer;
    bool again, dry_run, yes, json;
};

/* What there is to do, and how far it has come. */
struct backfill {
    const struct backfill_options *options;
    struct backfill_scope scope;
    struct backfill_progress counted, made;
    bool is_counted;
};

static int64_t left_of(const struct backfill *backfill)
{
    int64_t left = backfill->counted.missing - backfill->made.missing;

    return left > 0 && !backfill->made.is_done ? left : 0;
}

static void print_json(const struct backfill *b, const char *message)
{
    const struct backfill_target *target = b->scope.target;
    const char *signal = interruption_name();

    report_print_json(
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:o, s:I, s:I, s:b, s:s?, s:s?}",
                  "endpoint_id", target->id, "customer_id", target->customer_id, "endpoint",
                  target->url, "since", b->scope.since, "until", b->scope.until, "events",
                  b->is_counted ? json_integer(b->counted.events) : json_null(), "missing",
                  b->is_counted ? json_integer(b->counted.missing) : json_null(), "unsure",
                  b->is_counted ? json_integer(b->counted.unsure) : json_null(), "made",
                  (json_int_t)b->made.missing, "left", (json_int_t)left_of(b), "dry_run",
                  (int)b->options->dry_run, "interrupted", signal, "error", message),
        stdout);
}

/* The end before all was done: by a signal, or with error. */
static int stopped(const struct backfill *b, const struct database *database, struct error *error)
{
    bool is_interrupted = error == NULL || interruption_is_cause(database);
    struct error interruption;

    if (b->options->json)
        print_json(b, is_interrupted ? NULL : error->message);
    if (!is_interrupted) {
        if (b->made.events > 0)
            error_prefix(error, "made %lld of %lld, then", (long long)b->made.missing,
                         (long long)b->counted.missing);
        if (strcmp(db_session_sqlstate(database->session), NO_SUCH_INDEX) == 0)
            error_hint(error,
                       "the index webhook_deliveries_event is missing: run \"postrider "
                       "migrate%s\", which makes it",
                       hint_options());
        return database_fail(database, error);
    }
    if (b->is_counted)
        error_set(&interruption, "stopped by %s: made %lld of %lld, %lld %s left",
                  interruption_name(), (long long)b->made.missing, (long long)b->counted.missing,
                  (long long)left_of(b), text_plural(left_of(b), "is", "are"));
    else
        error_set(&interruption, "stopped by %s before anything was made", interruption_name());
    error_hint(&interruption, "run the same command again for the rest");
    return command_fail(interruption_status(), &interruption);
}

typedef bool step(struct db_session *session, const struct backfill_scope *scope, int64_t limit,
                  struct backfill_progress *progress, struct error *error);

/* Goes through all events once; false with error, or when a signal came. */
static bool walk(const struct database *database, const struct backfill *b, step *take,
                 const char *what, struct backfill_progress *progress, struct error *error)
{
    struct progress bar;
    bool ok = true;

    progress_start(&bar, what, b->counted.events);
    while (ok && !progress->is_done && interruption_name() == NULL) {
        ok = take(database->session, &b->scope, BATCH_EVENTS, progress, error);
        progress_update(&bar, progress->events);
    }
    progress_finish(&bar);
    return ok;
}

/* The name of an endpoint in a sentence; the caller frees it. */
static char *name_of(const struct backfill_target *target)
{
    char *url = terminal_clean(target->url);
    char *name = memory_format("%s (%s)", url, target->id);

    free(url);
    return name;
}

static void print_plan(const struct backfill *b)
{
    const struct backfill_target *target = b->scope.target;
    char *name = name_of(target);

    printf("Of %lld event%s since %s%s%s, %lld %s no delivery to %s and would get one.\n",
           (long long)b->counted.events, text_plural(b->counted.events, "", "s"), b->scope.since,
           b->scope.until != NULL ? " until " : "", b->scope.until != NULL ? b->scope.until : "",
           (long long)b->counted.missing, text_plural(b->counted.missing, "has", "have"), name);
    if (b->counted.unsure > 0)
        printf("%lld more may have been delivered to it, and the delivery been removed by "
               "retention since: they get none, unless you say --again.\n",
               (long long)b->counted.unsure);
    if (target->is_disabled && b->counted.missing > 0)
        fputs("The endpoint is disabled: they would fail at once. Enable it first.\n", stdout);
    else if (target->is_paused && b->counted.missing > 0)
        fputs("The endpoint is paused: they wait until it is not.\n", stdout);
    free(name);
}

static bool confirm(const struct backfill *b)
{
    char *question;
    bool is_yes;

    if (b->options->yes)
        return true;
    question = memory_format("Make %lld deliver%s?", (long long)b->counted.missing,
                             text_plural(b->counted.missing, "y", "ies"));
    is_yes = confirmation_ask(question);
    free(question);
    return is_yes;
}

static int finish(const struct backfill *b)
{
    if (b->options->json)
        print_json(b, NULL);
    else if (b->options->dry_run || b->counted.missing == 0)
        puts("Nothing was made.");
    else
        printf("made %lld deliver%s; \"postrider status%s\" shows how they get on\n",
               (long long)b->made.missing, text_plural(b->made.missing, "y", "ies"),
               hint_options());
    return interruption_flush() ? COMMAND_OK : COMMAND_FAILED;
}

static int make(const struct database *database, struct backfill *b)
{
    struct error error = {0};

    if (!walk(database, b, backfill_make, "making", &b->made, &error))
        return stopped(b, database, &error);
    return b->made.is_done ? finish(b) : stopped(b, database, NULL);
}

static int count_and_make(const struct database *database, struct backfill *b)
{
    struct error error = {0};

    if (!b->options->dry_run && !waiting_for_older(database, &error))
        return stopped(b, database, &error);
    if (interruption_name() != NULL)
        return stopped(b, database, NULL);
    if (!walk(database, b, backfill_count, "counting", &b->counted, &error))
        return stopped(b, database, &error);
    if (!b->counted.is_done)
        return stopped(b, database, NULL);
    b->is_counted = true;
    if (!b->options->json)
        print_plan(b);
    if (b->options->dry_run || b->counted.missing == 0)
        return finish(b);
    if (confirm(b))
        return make(database, b);
    if (interruption_name() != NULL)
        return stopped(b, database, NULL);
    error_set(&error, "nothing was made");
    return command_fail(COMMAND_FAILED, &error);
}

/* The one endpoint that is meant; NULL with error. */
static const struct backfill_target *choose(const struct backfill_targets *targets,
                                            const struct backfill_options *o, struct error *error)
{
    const struct backfill_target *target = &targets->rows[0];
    const char *row = text_is_uuid(o->endpoint) ? "id" : "url";

    if (targets->count == 0) {
        error_set(error, "there is no endpoint with the %s \"%.200s\"%s in webhook_endpoints", row,
                  o->endpoint, o->customer != NULL ? " for this customer" : "");
        error_hint(error, "\"postrider endpoint list%s\" shows them", hint_options());
        return NULL;
    }
    if (targets->count > 1) {
        error_set(error, "%zu%s endpoints have this URL: %s of customer %s, %s of customer %s%s",
                  targets->count > BACKFILL_TARGETS_MAX ? (size_t)BACKFILL_TARGETS_MAX
                                                        : targets->count,
                  targets->count > BACKFILL_TARGETS_MAX ? "+" : "", target->id, target->customer_id,
                  target[1].id, target[1].customer_id, targets->count > 2 ? ", …" : "");
        error_hint(error, "give the id of one, or --customer");
        return NULL;
    }
    if (target->subscription != NULL)
        return target;
    error_set(error, "endpoint %s subscribes to nothing: its event_types are NULL", target->id);
    error_hint(error, "subscribe first: \"postrider endpoint set %s --event-types 'order.*'%s\"",
               target->id, hint_options());
    return NULL;
}

static int run_on(const struct database *database, const struct backfill_options *o)
{
    struct backfill_targets targets = {0};
    struct backfill b = {.options = o};
    struct error error = {0};
    int status;

    if (!backfill_find(database->session, o->endpoint, o->customer, &targets, &error))
        return database_fail(database, &error);
    b.scope = (struct backfill_scope){
        .target = choose(&targets, o, &error),
        .since = o->since_text,
        .until = o->until_text,
        .kept_since = o->kept_since[0] != '\0' && !o->again ? o->kept_since : NULL,
    };
    if (b.scope.target == NULL)
        status = command_fail(COMMAND_FAILED, &error);
    else {
        b.scope.customer =
            b.scope.target->all_customers ? o->customer : b.scope.target->customer_id;
        interruption_begin(database);
        status = count_and_make(database, &b);
        interruption_end();
    }
    backfill_targets_free(&targets);
    return status;
}

/* Since when no delivery can have been removed by retention; stays empty when it removes none. */
static int resolve_kept(const struct database *database, struct backfill_options *o)
{
    int64_t delivered = database->config->retention.delivered_ms;
    int64_t failed = database->config->retention.failed_ms;
    int64_t shorter = failed == 0 || (delivered > 0 && delivered < failed) ? delivered : failed;
    struct error error = {0};

    if (shorter == 0 || moment_ago(database->session, shorter, o->kept_since, &error))
        return COMMAND_OK;
    return database_fail(database, &error);
}

static int resolve_and_run(const struct command *self, const struct database *database,
                           struct backfill_options *o)
{
    int status = moment_option(self, database, "since", &o->since_text, o->since);

    if (status == COMMAND_OK)
        status = moment_option(self, database, "until", &o->until_text, o->until);
    if (status == COMMAND_OK)
        status = resolve_kept(database, o);
    return status == COMMAND_OK ? run_on(database, o) : status;
}

static int check_options(const struct command *self, const struct backfill_options *o)
{
    if (o->endpoint == NULL)
        return command_usage_error(self, "--endpoint is missing");
    if (o->since_text == NULL)
        return command_usage_error(self, "--since is missing");
    if (!o->yes && !o->dry_run && !confirmation_can_ask())
        return command_usage_error(self, "there is no terminal to ask on: say --yes, or --dry-run "
                                         "to count; nothing was done");
    return COMMAND_OK;
}

static int run_backfill(const struct command *self, int argc, char **argv)
{
    struct backfill_options o = {0};
    struct database database;
    const struct argument options[] = {{.name = "endpoint", .text = &o.endpoint},
                                       {.name = "since", .text = &o.since_text},
                                       {.name = "until", .text = &o.until_text},
                                       {.name = "customer", .uuid = &o.customer},
                                       {.name = "again", .flag = &o.again},
                                       {.name = "dry-run", .flag = &o.dry_run},
                                       {.name = "yes", .flag = &o.yes},
                                       {.name = "json", .flag = &o.json},
                                       {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = check_options(self, &o);
    if (status == COMMAND_OK)
        status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    status = resolve_and_run(self, &database, &o);
    database_close(&database);
    return status;
}

const struct command command_event_backfill = {
    .name = "event backfill",
    .summary = "make the deliveries of earlier events for an endpoint",
    .help = help_text,
    .run = run_backfill,
};
