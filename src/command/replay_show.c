/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/hint.h"
#include "base/units.h"
#include "command/delivery_report.h"
#include "command/replay.h"
#include "command/report.h"
#include "command/terminal.h"
#include "command/verdict_report.h"

static const char help_text[] =
    "usage: postrider replay show [OPTION]... ID\n"
    "\n"
    "Shows one replay: how far it is, how long it will take, who asked for it, and which "
    "endpoints\n"
    "it has skipped since they fail or are disabled. Of a test or a doctor of an endpoint it "
    "shows\n"
    "what was found.\n"
    "\n"
    "      --json              for programs: an object\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

static void print_line(const char *name, const char *text)
{
    char *clean;

    if (text == NULL)
        return;
    clean = terminal_clean(text);
    printf("%-12s %s\n", name, clean);
    free(clean);
}

static void print_time(const char *name, const char *utc)
{
    char time[DELIVERY_TIME_SIZE];

    if (utc != NULL)
        print_line(name, delivery_time(utc, time));
}

static void print_left(const struct replay *replay)
{
    int64_t left_ms = replay_left_ms(replay);
    char about[UNITS_TEXT_SIZE];

    if (left_ms >= 0)
        printf("%-12s about %s\n", "left", units_format_about_ms(left_ms, about));
    if (replay->pass > 1 && replay->finished_at == NULL && !replay_is_check(replay))
        printf("%-12s %d: what was left before is looked at again\n", "pass", replay->pass);
}

static void print_skipped(const struct replay *replay)
{
    json_t *urls = json_loads(replay->skipped, 0, NULL);
    const char *url;
    json_t *number;

    if (replay->skipped_count > 0)
        printf("%-12s %lld: %s\n", "skipped", (long long)replay->skipped_count,
               replay_skip_reason(replay->kind));
    json_object_foreach(urls, url, number)
    {
        char *clean = terminal_clean(url);

        printf("  %lld to %s\n", (long long)json_integer_value(number), clean);
        free(clean);
    }
    json_decref(urls);
}

static void print_result(const struct replay *replay)
{
    json_t *result = replay->result != NULL ? json_loads(replay->result, 0, NULL) : NULL;

    if (result == NULL)
        return;
    putchar('\n');
    verdict_report_print(result);
    json_decref(result);
}

static void print_replay(const struct replay *replay)
{
    char count[REPLAY_COUNT_SIZE];

    print_line("replay", replay->id);
    print_line("kind", replay->kind);
    print_line("state", replay_state(replay));
    if (!replay_is_check(replay))
        print_line("done", replay_count(replay, count));
    print_left(replay);
    if (replay->rate > 0)
        printf("%-12s %lld a second\n", "rate", (long long)replay->rate);
    print_line("chosen", replay->filter);
    print_line("customer", replay->customer_id);
    print_line("asked by", replay->requested_by);
    print_time("asked", replay->requested_at);
    print_time("begun", replay->started_at);
    print_time("stopped", replay->stopped_at);
    print_time("ended", replay->finished_at);
    print_line("error", replay->error);
    print_skipped(replay);
    print_result(replay);
}

/* Nobody else than a worker goes on with it. */
static void warn_without_worker(const struct database *database, const struct replay *replay)
{
    struct error ignored = {0};
    bool have_worker = true;

    if (replay->finished_at != NULL || replay->stopped_at != NULL)
        return;
    if (!replays_have_worker(database->session, &have_worker, &ignored))
        return;
    if (!have_worker)
        fprintf(stderr,
                "warning: no worker runs that would go on with it\n"
                "hint: \"postrider status%s\" shows the workers\n",
                hint_options());
    else if (!replay->is_known)
        fprintf(stderr, "warning: this version does not know replays of the kind \"%s\"\n",
                replay->kind);
}

static int show(const struct database *database, const char *id, bool json)
{
    struct replay_list list;
    int status = replay_find(database, id, &list);

    if (status != COMMAND_OK)
        return status;
    if (json)
        report_print_json(replay_json(&list.rows[0]), stdout);
    else {
        print_replay(&list.rows[0]);
        fflush(stdout);
        warn_without_worker(database, &list.rows[0]);
    }
    replays_list_free(&list);
    return status;
}

static int run_show(const struct command *self, int argc, char **argv)
{
    struct database database;
    const char *id;
    bool json = false;
    int status = replay_open(self, argc, argv, &json, &id, &database);

    if (status != ARGUMENTS_OK)
        return status;
    status = show(&database, id, json);
    database_close(&database);
    return status;
}

const struct command command_replay_show = {
    .name = "replay show",
    .summary = "show one replay",
    .help = help_text,
    .run = run_show,
};
