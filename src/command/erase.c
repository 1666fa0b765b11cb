/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/arguments.h"
#include "command/confirmation.h"
#include "command/database.h"
#include "command/interruption.h"
#include "command/progress.h"
#include "command/report.h"
#include "db/erasure.h"

static const char help_text[] =
    "usage: postrider erase [OPTION]... --event ID|--customer UUID\n"
    "\n"
    "Erases for good what is there of an event, or of a customer: payloads, answers of\n"
    "receivers, error texts, and the answers that \"postrider serve\" has kept. The rows stay, so\n"
    "that the audit still balances. Pending deliveries fail as \"not sent: erased\"; requests in\n"
    "flight end. Nothing that is erased can be replayed. First it counts, and asks.\n"
    "\n"
    "      --event ID          this event with all of its deliveries, and deliveries that were\n"
    "                          inserted with its id\n"
    "      --customer UUID     all events of this customer with their deliveries, whoever gets\n"
    "                          them, and the deliveries that were inserted for it. Its endpoints\n"
    "                          and secrets stay\n"
    "      --dry-run           only count\n"
    "      --yes               do it without asking\n"
    "      --json              for programs: {\"events\": …, \"deliveries\": …, …}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n"
    "\n"
    "It reads the whole table of deliveries, which can take long on a large one. Batches of 1,000\n"
    "are committed one by one: what is done stays done when you stop it, and the same command\n"
    "goes on. Stopped by ^C or a signal it says what is done, and ends with 130, 143 or 129 as\n"
    "shells count: SIGINT, SIGTERM, SIGHUP. docs/erasure.md says what is not erased.\n";

struct erase_options {
    struct erasure_subject subject;
    bool dry_run, yes, json;
};

/* What there is to do, and how far it has come. */
struct erase {
    const struct erase_options *options;
    struct erasure_counts counts;
    struct erasure done;
};

static const char *subject_name(const struct erase *erase, const char **ret_id)
{
    const struct erasure_subject *subject = &erase->options->subject;

    *ret_id = subject->event_id != NULL ? subject->event_id : subject->customer_id;
    return subject->event_id != NULL ? "event" : "customer";
}

static int64_t deliveries_of(const struct erase *erase)
{
    return erase->counts.of_events + erase->counts.plain;
}

static bool is_nothing(const struct erase *erase)
{
    return erase->counts.events == 0 && deliveries_of(erase) == 0;
}

static void print_json(const struct erase *erase, const char *message)
{
    const struct erasure_counts *counts = &erase->counts;
    json_t *object = json_pack(
        "{s:s?, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s?, s:s?}", "event_id",
        erase->options->subject.event_id, "customer_id", erase->options->subject.customer_id,
        "events", (json_int_t)counts->events, "deliveries", (json_int_t)deliveries_of(erase),
        "pending", (json_int_t)counts->pending, "erased_before", (json_int_t)counts->erased,
        "erased_events", (json_int_t)erase->done.events, "erased_deliveries",
        (json_int_t)erase->done.deliveries, "dry_run", (int)erase->options->dry_run, "is_done",
        (int)(erase->done.phase == ERASURE_DONE), "interrupted", interruption_name(), "error",
        message);

    report_print_json(object, stdout);
}

/* The end before all was done: by a signal, or with error. */
static int stopped(const struct erase *erase, const struct database *database, struct error *error)
{
    bool is_interrupted = error == NULL || interruption_is_cause(database);
    const struct erasure *done = &erase->done;
    struct error interruption;
    char *said = memory_format("erased %lld event%s and %lld deliver%s", (long long)done->events,
                               text_plural(done->events, "", "s"), (long long)done->deliveries,
                               text_plural(done->deliveries, "y", "ies"));
    bool has_begun = done->id[0] != '\0';

    if (erase->options->json)
        print_json(erase, is_interrupted ? NULL : error->message);
    if (!is_interrupted && has_begun)
        error_prefix(error, "%s, then", said);
    if (has_begun)
        error_set(&interruption, "stopped by %s: %s", interruption_name(), said);
    else
        error_set(&interruption, "stopped by %s before anything was erased", interruption_name());
    error_hint(&interruption, "run the same command again for the rest");
    free(said);
    return is_interrupted ? command_fail(interruption_status(), &interruption)
                          : database_fail(database, error);
}

static void print_plan(const struct erase *erase)
{
    const struct erasure_counts *counts = &erase->counts;
    const char *id;
    const char *name = subject_name(erase, &id);

    printf("Of %s %s there %s to be erased:\n", name, id,
           text_plural(counts->events + deliveries_of(erase), "is", "are"));
    printf("  %-8lld %s: the payload\n", (long long)counts->events,
           text_plural(counts->events, "event", "events"));
    printf("  %-8lld %s: the payload, error texts and answers\n", (long long)deliveries_of(erase),
           text_plural(deliveries_of(erase), "delivery", "deliveries"));
    if (counts->pending > 0)
        printf("  %-8lld of them %s pending and %s as \"not sent: erased\"\n",
               (long long)counts->pending, text_plural(counts->pending, "is", "are"),
               text_plural(counts->pending, "fails", "fail"));
    if (counts->erased > 0)
        printf("  %-8lld %s erased already\n", (long long)counts->erased,
               text_plural(counts->erased, "is", "are"));
    if (counts->endpoints + counts->secrets > 0)
        printf("Its %lld endpoint%s and %lld secret%s stay: what is published for it from now on "
               "is delivered.\n",
               (long long)counts->endpoints, text_plural(counts->endpoints, "", "s"),
               (long long)counts->secrets, text_plural(counts->secrets, "", "s"));
}

static bool confirm(const struct erase *erase)
{
    return erase->options->yes || confirmation_ask("Erase it for good?");
}

static int finish(const struct erase *erase)
{
    const struct erasure *done = &erase->done;

    if (erase->options->json)
        print_json(erase, NULL);
    else if (done->phase != ERASURE_DONE)
        puts("Nothing was erased.");
    else
        printf("erased %lld event%s and %lld deliver%s; within seconds no worker sends them any "
               "more, requests in flight end\n",
               (long long)done->events, text_plural(done->events, "", "s"),
               (long long)done->deliveries, text_plural(done->deliveries, "y", "ies"));
    return interruption_flush() ? COMMAND_OK : COMMAND_FAILED;
}

static int carry_out(const struct database *database, struct erase *erase)
{
    struct erasure *done = &erase->done;
    struct progress progress;
    struct error error = {0};
    bool ok = erasure_begin(database->session, &erase->options->subject, done, &error);

    progress_start(&progress, "erasing", erase->counts.events + deliveries_of(erase));
    while (ok && done->phase != ERASURE_DONE && interruption_name() == NULL) {
        ok = erasure_step(database->session, done, &error);
        progress_update(&progress, done->events + done->deliveries);
    }
    progress_finish(&progress);
    erasure_free(done);
    if (!ok)
        return stopped(erase, database, &error);
    return done->phase == ERASURE_DONE ? finish(erase) : stopped(erase, database, NULL);
}

/* Mistyped, most likely; a customer of whom there is nothing is none. */
static int fail_absent(const struct erase *erase)
{
    struct error error;
    const char *id;
    const char *name = subject_name(erase, &id);

    if (erase->options->json)
        print_json(erase, NULL);
    error_set(&error, "there is nothing of %s %s: no event, and no delivery", name, id);
    error_hint(&error,
               "retention has removed it, or it is another id; \"postrider event list%s\" "
               "shows those that are there",
               hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

static int count_and_erase(const struct database *database, struct erase *erase)
{
    struct error error = {0};

    if (!erasure_count(database->session, &erase->options->subject, &erase->counts, &error))
        return stopped(erase, database, &error);
    if (interruption_name() != NULL)
        return stopped(erase, database, NULL);
    if (is_nothing(erase) && erase->counts.erased == 0)
        return fail_absent(erase);
    if (!erase->options->json)
        print_plan(erase);
    if (erase->options->dry_run || is_nothing(erase))
        return finish(erase);
    if (confirm(erase))
        return carry_out(database, erase);
    if (interruption_name() != NULL)
        return stopped(erase, database, NULL);
    error_set(&error, "nothing was erased");
    return command_fail(COMMAND_FAILED, &error);
}

static int check_options(const struct command *self, const struct erase_options *o)
{
    if ((o->subject.event_id == NULL) == (o->subject.customer_id == NULL))
        return command_usage_error(self, "give --event or --customer, one of them; nothing was "
                                         "done");
    if (!o->yes && !o->dry_run && !confirmation_can_ask())
        return command_usage_error(self, "there is no terminal to ask on: say --yes, or --dry-run "
                                         "to count; nothing was done");
    return COMMAND_OK;
}

static int run_erase(const struct command *self, int argc, char **argv)
{
    struct erase_options o = {0};
    struct erase erase = {.options = &o};
    struct database database;
    const struct argument options[] = {{.name = "event", .uuid = &o.subject.event_id},
                                       {.name = "customer", .uuid = &o.subject.customer_id},
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
    interruption_begin(&database);
    status = count_and_erase(&database, &erase);
    interruption_end();
    database_close(&database);
    return status;
}

const struct command command_erase = {
    .name = "erase",
    .summary = "erase what is there of an event or a customer",
    .help = help_text,
    .run = run_erase,
};
