/* SPDX-License-Identifier: MIT */
#include "command/dead_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "command/interruption.h"
#include "command/replay.h"
#include "command/report.h"
#include "command/terminal.h"

#define ENDPOINTS_MAX 20 /* shown to people; JSON has them all */
#define LEFT_OUT_MAX  20

struct change_words {
    const char *kind; /* of the row that is asked for */
    const char *done;
    const char *would;
};

static const struct change_words words[] = {
    [DEAD_LETTER_REPLAY] = {"replay", "replayed", "would replay"},
    [DEAD_LETTER_DISCARD] = {"discard", "discarded", "would discard"},
};

enum count_column { COUNT_ENDPOINT, COUNT_NUMBER, COUNT_STATE, COUNT_DISABLED, COUNT_REMOVED };

static const struct report_column columns[] = {
    [COUNT_ENDPOINT] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
    [COUNT_NUMBER] = {.key = "dead_letters", .title = "DEAD LETTERS", .is_number = true},
    [COUNT_STATE] = {.title = ""},
    [COUNT_DISABLED] = {.key = "is_disabled"},
    [COUNT_REMOVED] = {.key = "is_removed"},
};

static struct report *count_report(const struct dead_letter_counts *counts, size_t limit)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < counts->count && i < limit; i++) {
        bool is_disabled = counts->rows[i].is_disabled;
        bool is_removed = counts->rows[i].is_removed;

        report_add_row(report);
        report_set_text(report, COUNT_ENDPOINT, counts->rows[i].url);
        report_set_number(report, COUNT_NUMBER, counts->rows[i].count);
        report_set(report, COUNT_STATE,
                   is_disabled  ? "disabled"
                   : is_removed ? "removed"
                                : "",
                   NULL);
        report_set(report, COUNT_DISABLED, "", json_boolean(is_disabled));
        report_set(report, COUNT_REMOVED, "", json_boolean(is_removed));
    }
    return report;
}

/* Rows that somebody else made dead letters meanwhile are changed too. */
static int64_t total_of(const struct dead_report *report)
{
    return report->changed > report->counts.total ? report->changed : report->counts.total;
}

/* What was not there any more when its turn came. */
static int64_t others_of(const struct dead_report *report)
{
    return report->counts.total - report->changed - report->skipped;
}

static json_t *left_out_json(const struct dead_letters_left_out *left_out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < left_out->count; i++)
        json_array_append_new(array, json_pack("{s:s, s:s?}", "id", left_out->rows[i].id, "status",
                                               left_out->rows[i].status));
    return array;
}

static json_t *result_json(const struct dead_report *report)
{
    struct report *counts = count_report(&report->counts, report->counts.count);
    json_t *matched = report->is_counted ? json_integer(report->counts.total) : json_null();
    json_t *object = json_pack("{s:o, s:I, s:b, s:o}", "matched", matched, "changed",
                               (json_int_t)report->changed, "dry_run", (int)report->dry_run,
                               "endpoints", report_json(counts));

    if (report->replay_id[0] != '\0') {
        json_object_set_new(object, "replay", json_string(report->replay_id));
        json_object_set_new(object, "skipped", json_integer(report->skipped));
        json_object_set(object, "skipped_endpoints", report->skipped_urls);
    }
    if (report->erased > 0)
        json_object_set_new(object, "erased", json_integer(report->erased));
    if (report->left_out.count > 0)
        json_object_set_new(object, "left_out", left_out_json(&report->left_out));
    report_free(counts);
    return object;
}

static void print_counts(const struct dead_letter_counts *counts)
{
    struct report *report = count_report(counts, ENDPOINTS_MAX);

    report_print_table(report, stdout);
    if (counts->count > ENDPOINTS_MAX)
        printf("… and %zu more endpoint%s\n", counts->count - ENDPOINTS_MAX,
               text_plural((int64_t)(counts->count - ENDPOINTS_MAX), "", "s"));
    report_free(report);
}

static void name_left_out(const struct dead_letter_left_out *left_out)
{
    if (left_out->status == NULL)
        fprintf(stderr, "postrider: there is no delivery %s\n", left_out->id);
    else if (strcmp(left_out->status, "erased") == 0)
        fprintf(stderr, "postrider: delivery %s is erased: there is nothing left to be sent\n",
                left_out->id);
    else if (strcmp(left_out->status, "failed") == 0)
        fprintf(stderr, "postrider: delivery %s does not match the other choices\n", left_out->id);
    else
        fprintf(stderr, "postrider: delivery %s is no dead letter: it is %s\n", left_out->id,
                left_out->status);
}

int dead_report_left_out(const struct dead_letters_left_out *left_out)
{
    if (left_out->count == 0)
        return COMMAND_OK;
    fflush(stdout);
    for (size_t i = 0; i < left_out->count && i < LEFT_OUT_MAX; i++)
        name_left_out(&left_out->rows[i]);
    if (left_out->count > LEFT_OUT_MAX)
        fprintf(stderr, "postrider: and %zu more ids\n", left_out->count - LEFT_OUT_MAX);
    fprintf(stderr, "hint: \"postrider explain %s%s\" says where it is\n", left_out->rows[0].id,
            hint_options());
    return COMMAND_FAILED;
}

static void print_skipped(const struct dead_report *report)
{
    size_t named = 0;
    const char *url;
    json_t *number;

    if (report->skipped == 0)
        return;
    printf("%lld %s left as %s: %s\n", (long long)report->skipped,
           text_plural(report->skipped, "was", "were"),
           text_plural(report->skipped, "it is", "they are"),
           replay_skip_reason(words[report->change].kind));
    json_object_foreach(report->skipped_urls, url, number)
    {
        char *clean = terminal_clean(url);

        if (named++ < ENDPOINTS_MAX)
            printf("  %lld to %s\n", (long long)json_integer_value(number), clean);
        free(clean);
    }
}

void dead_report_plan(const struct dead_report *report)
{
    if (report->json)
        return;
    print_counts(&report->counts);
    printf(
        "%lld dead letter%s to be deleted, with payload%s and attempts. Events stay, and so does a "
        "note in the ledger (\"postrider audit%s\").\n",
        (long long)report->counts.total, text_plural(report->counts.total, " is", "s are"),
        text_plural(report->counts.total, "", "s"), hint_options());
}

static void print_changed(const struct dead_report *report)
{
    int64_t others = others_of(report);

    printf("%s %lld of %lld\n", words[report->change].done, (long long)report->changed,
           (long long)total_of(report));
    if (others > 0)
        printf("%lld %s changed by someone else meanwhile\n", (long long)others,
               text_plural(others, "was", "were"));
    print_skipped(report);
    if (report->change == DEAD_LETTER_REPLAY && report->changed > 0)
        printf("They are due now; \"postrider status%s\" shows how they get on.\n", hint_options());
}

static void print_no_match(const struct dead_selection *selection)
{
    if (dead_selection_is_empty(selection))
        puts("No dead letters.");
    else
        puts("No dead letter matches.");
}

void dead_report_done(const struct dead_report *report, const struct dead_selection *selection)
{
    if (report->json)
        report_print_json(result_json(report), stdout);
    else if (report->counts.total == 0 && report->changed == 0)
        print_no_match(selection);
    else if (report->dry_run) {
        print_counts(&report->counts);
        printf("%s %lld\n", words[report->change].would, (long long)report->counts.total);
    } else
        print_changed(report);
}

/* What programs learn besides of a change that was stopped. */
static void print_stopped_json(const struct dead_report *report, const char *message)
{
    json_t *object = result_json(report);
    const char *signal = interruption_name();

    json_object_set_new(object, "left",
                        report->is_counted ? json_integer(total_of(report) - report->changed)
                                           : json_null());
    json_object_set_new(object, "interrupted", signal != NULL ? json_string(signal) : json_null());
    json_object_set_new(object, "error", message != NULL ? json_string(message) : json_null());
    report_print_json(object, stdout);
}

/* The row stays, and workers go on with it, unless it was stopped. */
static void hint_rest(const struct dead_report *report, struct error *error)
{
    const char *id = report->replay_id;

    if (id[0] == '\0')
        error_hint(error, "run the same command again for the rest");
    else if (report->is_resting)
        error_hint(error, "\"postrider replay resume %s%s\" lets the %s go on", id, hint_options(),
                   words[report->change].kind);
    else
        error_hint(error,
                   "the %s goes on as long as a worker runs; \"postrider replay stop %s%s\" "
                   "stops it, and "
                   "\"postrider replay show %s%s\" shows how far it is",
                   words[report->change].kind, id, hint_options(), id, hint_options());
}

int dead_report_stopped(const struct dead_report *report, const struct database *database,
                        struct error *error)
{
    const char *done = words[report->change].done;
    bool is_interrupted = error == NULL || interruption_is_cause(database);
    struct error interruption;

    if (report->json)
        print_stopped_json(report, is_interrupted ? NULL : error->message);
    if (!is_interrupted && report->is_counted) {
        error_prefix(error, "%s %lld of %lld, then", done, (long long)report->changed,
                     (long long)total_of(report));
        if (error->hint[0] == '\0')
            hint_rest(report, error);
    }
    if (!is_interrupted)
        return database_fail(database, error);
    error_set(&interruption, "stopped by %s before anything was %s", interruption_name(), done);
    if (report->is_counted) {
        int64_t left = total_of(report) - report->changed;

        error_set(&interruption, "%s by %s: %s %lld of %lld, %lld %s left",
                  report->replay_id[0] != '\0' && !report->is_resting ? "interrupted" : "stopped",
                  interruption_name(), done, (long long)report->changed,
                  (long long)total_of(report), (long long)left, text_plural(left, "is", "are"));
    }
    hint_rest(report, &interruption);
    return command_fail(interruption_status(), &interruption);
}

int dead_report_unwritten(const struct dead_report *report)
{
    struct error error;

    error_set(&error, "%s %lld of %lld, but standard output is closed",
              report->dry_run ? words[report->change].would : words[report->change].done,
              (long long)(report->dry_run ? report->counts.total : report->changed),
              (long long)total_of(report));
    return command_fail(COMMAND_FAILED, &error);
}

void dead_report_free(struct dead_report *report)
{
    dead_letters_counts_free(&report->counts);
    dead_letters_left_out_free(&report->left_out);
    json_decref(report->skipped_urls);
}
