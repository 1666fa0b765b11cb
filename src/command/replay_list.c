/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/units.h"
#include "command/delivery_report.h"
#include "command/replay.h"
#include "command/report.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     10000

static const char help_text[] =
    "usage: postrider replay list [OPTION]...\n"
    "\n"
    "Lists replays, and tests and doctors of endpoints: those that have not finished first, then\n"
    "the last that were asked for. What has finished is kept for 90 days.\n"
    "\n"
    "  -n, --limit N           at most so many (20)\n"
    "      --json              for programs: an array of objects\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

enum column {
    AT_ID,
    AT_KIND,
    AT_STATE,
    AT_DONE,
    AT_SKIPPED,
    AT_RATE,
    AT_LEFT,
    AT_REQUESTED,
    AT_BY
};

static const struct report_column columns[] = {
    [AT_ID] = {.title = "ID"},
    [AT_KIND] = {.title = "KIND"},
    [AT_STATE] = {.title = "STATE"},
    [AT_DONE] = {.title = "DONE", .is_number = true},
    [AT_SKIPPED] = {.title = "SKIPPED", .is_number = true},
    [AT_RATE] = {.title = "RATE", .is_number = true, .is_optional = true},
    [AT_LEFT] = {.title = "LEFT", .is_number = true},
    [AT_REQUESTED] = {.title = "REQUESTED", .is_optional = true},
    [AT_BY] = {.title = "BY", .is_optional = true, .cut = REPORT_CUT_END},
};

static void add(struct report *report, const struct replay *replay)
{
    int64_t left_ms = replay_left_ms(replay);
    char count[REPLAY_COUNT_SIZE], left[UNITS_TEXT_SIZE], time[DELIVERY_TIME_SIZE];

    report_add_row(report);
    report_set_text(report, AT_ID, replay->id);
    report_set_text(report, AT_KIND, replay->kind);
    report_set_text(report, AT_STATE, replay_state(replay));
    report_set_text(report, AT_DONE, replay_count(replay, count));
    report_set_number(report, AT_SKIPPED, replay->skipped_count);
    if (replay->rate > 0)
        report_set_number(report, AT_RATE, replay->rate);
    if (left_ms >= 0)
        report_set_text(report, AT_LEFT, units_format_about_ms(left_ms, left));
    report_set_text(report, AT_REQUESTED, delivery_time(replay->requested_at, time));
    report_set_text(report, AT_BY, replay->requested_by);
}

static void print_table(const struct replay_list *list)
{
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < list->count; i++)
        add(report, &list->rows[i]);
    report_print_table(report, stdout);
    report_free(report);
}

static void print_json(const struct replay_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, replay_json(&list->rows[i]));
    report_print_json(array, stdout);
}

static int run_list(const struct command *self, int argc, char **argv)
{
    struct database database;
    struct replay_list list;
    struct error error = {0};
    int64_t limit = LIMIT_DEFAULT;
    bool json = false;
    const struct argument options[] = {
        {.name = "limit", .letter = 'n', .integer = &limit, .minimum = 1, .maximum = LIMIT_MAX},
        {.name = "json", .flag = &json},
        {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = database_open(arguments.config_file, &database);
    if (status != COMMAND_OK)
        return status;
    if (!replays_list(database.session, limit, &list, &error))
        status = database_fail(&database, &error);
    else if (json)
        print_json(&list);
    else if (list.count == 0)
        puts("No replays.");
    else
        print_table(&list);
    replays_list_free(&list);
    database_close(&database);
    return status;
}

const struct command command_replay_list = {
    .name = "replay list",
    .summary = "list replays",
    .help = help_text,
    .run = run_list,
};
