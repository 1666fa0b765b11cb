/* SPDX-License-Identifier: MIT */
#include "command/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "core/ramp.h"

static const char help_text[] =
    "usage: postrider replay list|show|stop|resume [OPTION]...\n"
    "\n"
    "Works on replays: rows that say which dead letters are sent again, and how far that is.\n"
    "\"postrider dead replay\" asks for one, and so does INSERT INTO webhook_replays; workers\n"
    "carry them out.\n"
    "\n"
    "  postrider replay list            those that go on, and the last ones\n"
    "  postrider replay show ID         one of them, with what it has skipped\n"
    "  postrider replay stop ID         it rests after the batch in progress\n"
    "  postrider replay resume ID       it goes on where it was stopped\n"
    "\n"
    "\"postrider replay list --help\" and so on show the options.\n";

const char *replay_state(const struct replay *replay)
{
    if (replay->error != NULL)
        return "failed";
    if (replay->finished_at != NULL)
        return "finished";
    return replay->stopped_at != NULL ? "stopped" : "running";
}

bool replay_is_check(const struct replay *replay)
{
    return strcmp(replay->kind, "test") == 0 || strcmp(replay->kind, "doctor") == 0;
}

static bool is_discard(const char *kind)
{
    return strcmp(kind, "discard") == 0;
}

const char *replay_skip_reason(const char *kind)
{
    return is_discard(kind) ? "somebody else was at work on them"
                            : "their endpoints fail, or are disabled";
}

int64_t replay_left_ms(const struct replay *replay)
{
    int64_t left = replay->total - replay->done - replay->skipped_count;

    if (replay->total < 0 || replay->finished_at != NULL || replay->stopped_at != NULL)
        return -1;
    return ramp_left_ms(is_discard(replay->kind) ? RAMP_IS_OVER : replay->done - replay->ramp_from,
                        left, replay->rate);
}

const char *replay_count(const struct replay *replay, char text[REPLAY_COUNT_SIZE])
{
    if (replay->total < 0)
        snprintf(text, REPLAY_COUNT_SIZE, "%lld", (long long)replay->done);
    else
        snprintf(text, REPLAY_COUNT_SIZE, "%lld of %lld", (long long)replay->done,
                 (long long)replay->total);
    return text;
}

static json_t *json_number(int64_t number, bool is_known)
{
    return is_known ? json_integer(number) : json_null();
}

/* What was written as JSON. */
static json_t *json_text(const char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    return value != NULL ? value : json_null();
}

json_t *replay_json(const struct replay *replay)
{
    int64_t left_ms = replay_left_ms(replay);

    return json_pack(
        "{s:s, s:s, s:s, s:s?, s:o, s:o, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:I, "
        "s:I, s:o, s:o, s:i, s:o}",
        "id", replay->id, "kind", replay->kind, "state", replay_state(replay), "customer_id",
        replay->customer_id, "filter", json_text(replay->filter), "rate",
        json_number(replay->rate, replay->rate > 0), "requested_by", replay->requested_by,
        "requested_at", replay->requested_at, "started_at", replay->started_at, "stopped_at",
        replay->stopped_at, "finished_at", replay->finished_at, "error", replay->error, "total",
        json_number(replay->total, replay->total >= 0), "done", (json_int_t)replay->done, "skipped",
        (json_int_t)replay->skipped_count, "skipped_endpoints", json_text(replay->skipped),
        "left_ms", json_number(left_ms, left_ms >= 0), "pass", replay->pass, "result",
        json_text(replay->result));
}

int replay_find(const struct database *database, const char *id, struct replay_list *ret_list)
{
    struct error error = {0};

    if (!replays_find(database->session, id, ret_list, &error))
        return database_fail(database, &error);
    if (ret_list->count > 0)
        return COMMAND_OK;
    replays_list_free(ret_list);
    error_set(&error, "there is no replay %s", id);
    error_hint(&error, "\"postrider replay list%s\" lists them", hint_options());
    return command_fail(COMMAND_FAILED, &error);
}

int replay_open(const struct command *self, int argc, char **argv, bool *json, const char **ret_id,
                struct database *ret_database)
{
    const struct argument options[] = {{.name = "json", .flag = json}, {0}};
    struct arguments arguments = {
        .options = options, .values_name = "ID", .values_min = 1, .values_max = 1};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    *ret_id = arguments.values[0];
    if (!text_is_uuid(*ret_id))
        return command_usage_error(self, "\"%s\" is not the id of a replay (a UUID)", *ret_id);
    status = database_open(arguments.config_file, ret_database);
    return status == COMMAND_OK ? ARGUMENTS_OK : status;
}

static const struct command *const nested[] = {
    &command_replay_list, &command_replay_show, &command_replay_stop, &command_replay_resume, NULL,
};

const struct command command_replay = {
    .name = "replay",
    .summary = "list, show, stop or resume replays",
    .help = help_text,
    .nested = nested,
};
