/* "dead replay" and "dead discard": the same walk with another change. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/hint.h"
#include "command/dead.h"
#include "command/progress.h"
#include "command/report.h"

#define BATCH_ROWS    1000
#define ENDPOINTS_MAX 20 /* shown to people; JSON has them all */
#define RATE_MAX      1000000

#define CHANGE_HELP                                                                      \
    "\n"                                                                                 \
    "      --all               every dead letter (needed when nothing else is chosen)\n" \
    "      --dry-run           only count them, by endpoint\n"

static const char replay_help[] =
    "usage: postrider dead replay [OPTION]... [ID]...\n"
    "\n"
    "Makes failed deliveries pending again: due now, as if no attempt had been made, with the\n"
    "same event id, so that receivers can tell a repetition. Batches of 1,000 are committed one\n"
    "by one: what is done stays done when you stop it.\n"
    "\n" DEAD_FILTER_HELP CHANGE_HELP
    "      --rate N            at most N a second, to spare the receivers\n"
    "      --json              for programs: {\"matched\": …, \"changed\": …, \"endpoints\": […]}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static const char discard_help[] =
    "usage: postrider dead discard [OPTION]... [ID]...\n"
    "\n"
    "Deletes failed deliveries for good. Batches of 1,000 are committed one by one.\n"
    "\n" DEAD_FILTER_HELP CHANGE_HELP
    "      --json              for programs: {\"matched\": …, \"changed\": …, \"endpoints\": […]}\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct change_words {
    const char *doing;
    const char *done;
    const char *would;
};

static const struct change_words words[] = {
    [DEAD_LETTER_REPLAY] = {"replaying", "replayed", "would replay"},
    [DEAD_LETTER_DISCARD] = {"discarding", "discarded", "would discard"},
};

struct change_options {
    enum dead_letter_change change;
    bool all;
    bool dry_run;
    bool json;
    int64_t rate; /* 0 = no limit */
};

enum count_column { COUNT_ENDPOINT, COUNT_NUMBER, COUNT_DISABLED };

static const struct report_column columns[] = {
    [COUNT_ENDPOINT] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
    [COUNT_NUMBER] = {.key = "dead_letters", .title = "DEAD LETTERS", .is_number = true},
    [COUNT_DISABLED] = {.key = "is_disabled", .title = ""},
};

static struct report *count_report(const struct dead_letter_counts *counts, size_t limit)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < counts->count && i < limit; i++) {
        bool is_disabled = counts->rows[i].is_disabled;

        report_add_row(report);
        report_set_text(report, COUNT_ENDPOINT, counts->rows[i].url);
        report_set_number(report, COUNT_NUMBER, counts->rows[i].count);
        report_set(report, COUNT_DISABLED, is_disabled ? "disabled" : "",
                   json_boolean(is_disabled));
    }
    return report;
}

static void print_json(const struct dead_letter_counts *counts, int64_t changed, bool dry_run)
{
    struct report *report = count_report(counts, counts->count);

    report_print_json(json_pack("{s:I, s:I, s:b, s:o}", "matched", (json_int_t)counts->total,
                                "changed", (json_int_t)changed, "dry_run", dry_run, "endpoints",
                                report_json(report)),
                      stdout);
    report_free(report);
}

static void print_counts(const struct dead_letter_counts *counts)
{
    struct report *report = count_report(counts, ENDPOINTS_MAX);

    report_print_table(report, stdout);
    if (counts->count > ENDPOINTS_MAX)
        printf("… and %zu more endpoints\n", counts->count - ENDPOINTS_MAX);
    report_free(report);
}

/* A replay to a disabled endpoint would only make a dead letter again. */
static void warn_of_disabled(const struct dead_letter_counts *counts)
{
    int64_t letters = 0;

    for (size_t i = 0; i < counts->count; i++)
        letters += counts->rows[i].is_disabled ? counts->rows[i].count : 0;
    if (letters > 0)
        fprintf(stderr,
                "warning: %lld of them go to endpoints that are disabled, and fail again at once\n"
                "hint: to enable one: UPDATE webhook_endpoints SET disabled_at = NULL,"
                " disabled_reason = NULL WHERE url = '…'\n",
                (long long)letters);
}

/* Waits until done rows are no more than rate allows since the start. */
static void hold_rate(int64_t rate, int64_t done, int64_t started_us)
{
    int64_t due_us = started_us + done * 1000000 / rate;
    int64_t wait_us = due_us - clock_monotonic_us();
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};

    if (wait_us > 0)
        while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
            continue;
}

static bool change_all(const struct database *database, const struct dead_selection *selection,
                       const struct change_options *options, int64_t total,
                       struct dead_letter_progress *done, struct error *error)
{
    /* Ten small batches a second rather than one large one. */
    int64_t share = options->rate / 10 > 0 ? options->rate / 10 : 1;
    int64_t batch = options->rate > 0 && share < BATCH_ROWS ? share : BATCH_ROWS;
    int64_t started_us = clock_monotonic_us();
    struct progress progress;
    bool ok = true;

    progress_start(&progress, words[options->change].doing, total);
    while (ok && !done->is_done) {
        ok = dead_letters_change(database->session, options->change, &selection->filter, batch,
                                 done, error);
        progress_update(&progress, done->changed);
        if (ok && !done->is_done && options->rate > 0)
            hold_rate(options->rate, done->changed, started_us);
    }
    progress_finish(&progress);
    return ok;
}

static void print_done(const struct change_options *options, int64_t total, int64_t changed)
{
    printf("%s %lld of %lld\n", words[options->change].done, (long long)changed,
           (long long)(changed > total ? changed : total));
    if (changed < total)
        printf("%lld were changed by someone else meanwhile\n", (long long)(total - changed));
    if (options->change == DEAD_LETTER_REPLAY && changed > 0)
        printf("They are due now; \"postrider status%s\" shows how they get on.\n", hint_options());
}

static int change(const struct database *database, const struct dead_selection *selection,
                  const struct change_options *options, const struct dead_letter_counts *counts)
{
    struct dead_letter_progress done = {0};
    struct error error = {0};

    if (options->change == DEAD_LETTER_REPLAY && !options->json)
        warn_of_disabled(counts);
    if (!change_all(database, selection, options, counts->total, &done, &error)) {
        error_prefix(&error, "%s %lld of %lld, then", words[options->change].done,
                     (long long)done.changed, (long long)counts->total);
        error_hint(&error, "run the same command again for the rest");
        return database_fail(database, &error);
    }
    if (options->json)
        print_json(counts, done.changed, false);
    else
        print_done(options, counts->total, done.changed);
    return COMMAND_OK;
}

static void print_no_match(const struct dead_selection *selection)
{
    if (selection->filter.ids != NULL)
        printf("No dead letter has this id; \"postrider explain ID%s\" says where a delivery is.\n",
               hint_options());
    else if (dead_selection_is_empty(selection))
        puts("No dead letters.");
    else
        puts("No dead letter matches.");
}

static int count_and_change(const struct database *database, const struct dead_selection *selection,
                            const struct change_options *options)
{
    struct dead_letter_counts counts;
    struct error error = {0};
    int status = COMMAND_OK;

    if (!dead_letters_count(database->session, &selection->filter, &counts, &error))
        return database_fail(database, &error);
    if (counts.total == 0 && !options->json)
        print_no_match(selection);
    else if (options->dry_run && options->json)
        print_json(&counts, 0, true);
    else if (options->dry_run) {
        print_counts(&counts);
        printf("%s %lld\n", words[options->change].would, (long long)counts.total);
        if (options->change == DEAD_LETTER_REPLAY)
            warn_of_disabled(&counts);
    } else
        status = change(database, selection, options, &counts);
    dead_letters_counts_free(&counts);
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
        status = count_and_change(&database, selection, options);
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
    return COMMAND_OK;
}

static int run_change(const struct command *self, int argc, char **argv,
                      enum dead_letter_change change)
{
    struct dead_selection selection = {0};
    struct change_options set = {.change = change};
    const struct argument options[] = {DEAD_FILTER_OPTIONS(selection),
                                       {.name = "all", .flag = &set.all},
                                       {.name = "dry-run", .flag = &set.dry_run},
                                       {.name = "json", .flag = &set.json},
                                       /* The last one: discard has none. */
                                       {.name = change == DEAD_LETTER_REPLAY ? "rate" : NULL,
                                        .integer = &set.rate,
                                        .minimum = 1,
                                        .maximum = RATE_MAX},
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
