/* SPDX-License-Identifier: MIT */
/* "dead replay" and "dead discard", which ask for a replay or a discard and follow it. */
#include <stdio.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/confirmation.h"
#include "command/dead_report.h"
#include "command/interruption.h"
#include "command/replay_following.h"

#define RATE_MAX 1000000

#define CHANGE_HELP                                                                      \
    "\n"                                                                                 \
    "      --all               every dead letter (needed when nothing else is chosen)\n" \
    "      --dry-run           only count them, by endpoint\n"
#define STATUS_HELP                                                                                \
    "\n"                                                                                           \
    "An ID that is no dead letter, or doesn't match the other choices, is named, the others are\n" \
    "done, and the exit status is 1. That nothing matches a choice without IDs is no failure.\n"   \
    "At ^C or a signal it says what is done and what is left, also as \"left\" and\n"              \
    "\"interrupted\" with --json, and ends with 130, 143 or 129 as shells count: SIGINT, "         \
    "SIGTERM,\n"                                                                                   \
    "SIGHUP. The batch in progress is rolled back.\n"

static const char replay_help[] =
    "usage: postrider dead replay [OPTION]... [ID]...\n"
    "\n"
    "Makes failed deliveries pending again: due now, as if no attempt had been made, with the\n"
    "same event id, so that receivers can tell a repetition. What has failed by now is meant, and\n"
    "not what fails meanwhile. Few at first, then more from second to second. The replay is a row\n"
    "that workers carry out, and so does this command while it follows it: closing the terminal\n"
    "ends neither. \"postrider replay stop ID\" stops it.\n"
    "What is erased (\"postrider erase\", retention.payload) can't be sent again. Deliveries to\n"
    "endpoints that are disabled are left as they are, and so are those to "
    "endpoints\n"
    "that do nothing but fail, but for one now and then, which finds out whether they answer "
    "again;\n"
    "after two minutes the rest of them is left, and named.\n"
    "\n" DEAD_FILTER_HELP CHANGE_HELP
    "      --rate N            at most N a second, to spare the receivers\n"
    "      --json              for programs: {\"matched\": …, \"changed\": …, \"endpoints\": […]}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n" STATUS_HELP;

static const char discard_help[] =
    "usage: postrider dead discard [OPTION]... [ID]...\n"
    "\n"
    "Deletes failed deliveries for good, with their payloads and attempts. An event that they "
    "were\n"
    "made for stays, and \"postrider audit\" and \"postrider explain\" know that they were there, "
    "and\n"
    "who asked. First it counts, and asks; what fails after the count is not meant. Batches of "
    "1,000\n"
    "are committed one by one. The discard is a row like a replay's: \"postrider replay show ID\"\n"
    "shows it, and at ^C it is stopped, so that \"postrider replay resume ID\" goes on with it.\n"
    "\n" DEAD_FILTER_HELP CHANGE_HELP
    "      --rate N            at most N a second, to spare the database\n"
    "      --yes               do it without asking\n"
    "      --json              for programs: {\"matched\": …, \"changed\": …, \"endpoints\": […]}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n" STATUS_HELP;

struct change_options {
    enum dead_letter_change change;
    bool all;
    bool dry_run;
    bool yes;
    bool json;
    int64_t rate; /* 0 = no limit */
};

/* They would only be dead letters again. */
static void warn_of_hopeless(const struct dead_letter_counts *counts)
{
    int64_t letters = 0;
    int64_t removed = 0;

    for (size_t i = 0; i < counts->count; i++) {
        letters += counts->rows[i].is_disabled ? counts->rows[i].count : 0;
        removed += counts->rows[i].is_removed ? counts->rows[i].count : 0;
    }
    if (removed > 0)
        fprintf(stderr,
                "warning: %lld of them go%s to URLs for which an endpoint was removed: what was "
                "made for that one fails again at once\n",
                (long long)removed, text_plural(removed, "es", ""));
    if (letters > 0)
        fprintf(stderr,
                "warning: %lld of them go%s to endpoints that are disabled, and %s left as %s\n"
                "hint: \"postrider endpoint enable URL%s\" enables one\n",
                (long long)letters, text_plural(letters, "es", ""),
                text_plural(letters, "is", "are"), text_plural(letters, "it is", "they are"),
                hint_options());
}

/* What dies while the question stands is not among those that were counted. */
static bool freeze(const struct database *database, struct dead_selection *selection,
                   struct error *error)
{
    if (selection->filter.until != NULL)
        return true;
    selection->filter.until = selection->until;
    return moment_ago(database->session, 0, selection->until, error);
}

static bool may_discard(const struct dead_report *report, const struct change_options *options)
{
    if (options->change != DEAD_LETTER_DISCARD || options->yes)
        return true;
    dead_report_plan(report);
    return confirmation_ask("Delete for good?");
}

static bool change_all(const struct database *database, const struct dead_selection *selection,
                       const struct change_options *options, struct dead_report *report,
                       bool *ret_is_done, struct error *error)
{
    return replay_ask(database, &selection->filter, options->rate, report, error) &&
           replay_follow(database, report, ret_is_done, error);
}

static bool count(const struct database *database, const struct dead_selection *selection,
                  struct dead_report *report, struct error *error)
{
    report->is_counted =
        (report->change != DEAD_LETTER_REPLAY ||
         dead_letters_count_erased(database->session, &selection->filter, &report->erased,
                                   error)) &&
        dead_letters_find_left_out(database->session, &selection->filter, &report->left_out,
                                   error) &&
        dead_letters_count(database->session, &selection->filter, &report->counts, error);
    return report->is_counted;
}

static int refuse_unconfirmed(const struct dead_report *report, const struct database *database)
{
    struct error error;

    if (interruption_name() != NULL)
        return dead_report_stopped(report, database, NULL);
    error_set(&error, "nothing was discarded");
    return command_fail(COMMAND_FAILED, &error);
}

static int count_and_change(const struct database *database, const struct dead_selection *given,
                            const struct change_options *options, struct dead_report *report)
{
    struct dead_selection frozen = *given;
    const struct dead_selection *selection = &frozen;
    struct error error = {0};
    bool is_done = true;
    int status;

    if (options->change == DEAD_LETTER_DISCARD && !freeze(database, &frozen, &error))
        return dead_report_stopped(report, database, &error);
    if (!count(database, selection, report, &error))
        return dead_report_stopped(report, database, &error);
    if (options->change == DEAD_LETTER_REPLAY && !options->json)
        warn_of_hopeless(&report->counts);
    if (report->erased > 0 && !options->json && selection->filter.ids == NULL)
        fprintf(stderr,
                "warning: %lld more %s erased, and %s left as %s: nothing is there to be sent\n",
                (long long)report->erased, text_plural(report->erased, "is", "are"),
                text_plural(report->erased, "is", "are"),
                text_plural(report->erased, "it is", "they are"));
    status = dead_report_left_out(&report->left_out);
    if (!options->dry_run && report->counts.total > 0 && !may_discard(report, options))
        return refuse_unconfirmed(report, database);
    if (!options->dry_run && report->counts.total > 0 &&
        !change_all(database, selection, options, report, &is_done, &error))
        return dead_report_stopped(report, database, &error);
    if (!is_done)
        return dead_report_stopped(report, database, NULL);
    dead_report_done(report, given);
    if (!interruption_flush())
        return dead_report_unwritten(report);
    return status;
}

static int run_change_on(const struct database *database, const struct dead_selection *selection,
                         const struct change_options *options)
{
    struct dead_report report = {
        .change = options->change, .json = options->json, .dry_run = options->dry_run};
    int status;

    interruption_begin(database);
    status = count_and_change(database, selection, options, &report);
    interruption_end();
    dead_report_free(&report);
    return status;
}

static int run_selected(const struct command *self, const char *config_file,
                        struct dead_selection *selection, const struct change_options *options)
{
    struct database database;
    int status = database_open(config_file, &database);

    if (status != COMMAND_OK)
        return status;
    status = dead_selection_resolve(self, &database, selection);
    if (status == COMMAND_OK)
        status = run_change_on(&database, selection, options);
    database_close(&database);
    return status;
}

static int check_selection(const struct command *self, const struct dead_selection *selection,
                           const struct change_options *options)
{
    bool is_empty = dead_selection_is_empty(selection);

    if (is_empty && !options->all && !options->dry_run)
        return command_usage_error(self, "choose some, or say --all; nothing was done");
    if (!is_empty && options->all)
        return command_usage_error(self, "--all goes with no other choice; nothing was done");
    if (options->change == DEAD_LETTER_DISCARD && !options->yes && !options->dry_run &&
        !confirmation_can_ask())
        return command_usage_error(self, "there is no terminal to ask on: say --yes, or --dry-run "
                                         "to count; nothing was done");
    return COMMAND_OK;
}

static int run_change(const struct command *self, int argc, char **argv,
                      enum dead_letter_change change)
{
    struct dead_selection selection = {.filter.spares_erased = change == DEAD_LETTER_REPLAY};
    struct change_options set = {.change = change};
    const struct argument options[] = {
        DEAD_FILTER_OPTIONS(selection),
        {.name = "all", .flag = &set.all},
        {.name = "dry-run", .flag = &set.dry_run},
        {.name = "json", .flag = &set.json},
        {.name = "rate", .integer = &set.rate, .minimum = 1, .maximum = RATE_MAX},
        /* The last one: replay has none. */
        {.name = change == DEAD_LETTER_DISCARD ? "yes" : NULL, .flag = &set.yes},
        {0}};
    struct arguments arguments = {.options = options, .values_max = DEAD_IDS_MAX};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = dead_selection_set_ids(self, &arguments, &selection);
    if (status == COMMAND_OK)
        status = check_selection(self, &selection, &set);
    if (status == COMMAND_OK)
        status = run_selected(self, arguments.config_file, &selection, &set);
    dead_selection_free(&selection);
    return status;
}

static int run_replay(const struct command *self, int argc, char **argv)
{
    return run_change(self, argc, argv, DEAD_LETTER_REPLAY);
}

static int run_discard(const struct command *self, int argc, char **argv)
{
    return run_change(self, argc, argv, DEAD_LETTER_DISCARD);
}

const struct command command_dead_replay = {
    .name = "dead replay",
    .summary = "send failed deliveries again",
    .help = replay_help,
    .run = run_replay,
};

const struct command command_dead_discard = {
    .name = "dead discard",
    .summary = "delete failed deliveries",
    .help = discard_help,
    .run = run_discard,
};
