/* SPDX-License-Identifier: MIT */
#include "command/replay_following.h"

#include "base/hint.h"
#include "command/interruption.h"
#include "command/progress.h"

#define LOOK_US 200000
#define BUSY_US 20000 /* another one is at work on the batch */

/* What one look at the row has shown. */
struct sight {
    bool is_finished;
    bool is_stopped;
    int64_t due_us;
};

static bool is_discard(const struct dead_report *report)
{
    return report->change == DEAD_LETTER_DISCARD;
}

static const char *kind_of(const struct dead_report *report)
{
    return is_discard(report) ? "discard" : "replay";
}

bool replay_ask(const struct database *database, const struct dead_letter_filter *filter,
                int64_t rate, struct dead_report *report, struct error *error)
{
    const struct replay_request request = {.filter = filter,
                                           .kind = kind_of(report),
                                           .requested_with =
                                               is_discard(report) ? "dead discard" : "dead replay",
                                           .rate = rate,
                                           .total = report->counts.total};

    return replays_request(database->session, &request, report->replay_id, error);
}

static void note(const struct replay *replay, struct dead_report *report, struct sight *sight)
{
    *sight = (struct sight){
        .is_finished = replay->finished_at != NULL,
        .is_stopped = replay->stopped_at != NULL,
        .due_us = replay->due_ms * 1000,
    };
    report->changed = replay->done;
    report->skipped = replay->skipped_count;
    json_decref(report->skipped_urls);
    report->skipped_urls = json_loads(replay->skipped, 0, NULL);
}

/* What has ended otherwise than by being carried out. */
static bool is_well(const struct replay *replay, struct dead_report *report, struct error *error)
{
    if (replay->error != NULL) {
        error_set(error, "the %s has ended: %s", replay->kind, replay->error);
        return false;
    }
    if (replay->finished_at == NULL && replay->stopped_at != NULL && !report->is_resting) {
        error_set(error, "the %s was stopped by somebody else", replay->kind);
        return error_hint(error, "\"postrider replay resume %s%s\" lets it go on",
                          report->replay_id, hint_options());
    }
    return true;
}

static bool look(const struct database *database, struct dead_report *report, struct sight *sight,
                 struct error *error)
{
    struct replay_list list;
    bool ok;

    if (!replays_find(database->session, report->replay_id, &list, error))
        return false;
    ok = list.count > 0;
    if (ok) {
        note(&list.rows[0], report, sight);
        ok = is_well(&list.rows[0], report, error);
        if (ok && !sight->is_finished && sight->due_us <= 0 && interruption_name() == NULL)
            ok = replays_step(database->session, &list.rows[0], &report->changed, error);
    } else
        error_set(error, "the row of the %s was deleted by somebody else", kind_of(report));
    replays_list_free(&list);
    return ok;
}

/* The statement in progress was cancelled, or has ended before: what is done is asked once more.
 * Who ends a discard wants no more to be deleted, by a worker neither. */
static bool look_last(const struct database *database, struct dead_report *report,
                      struct sight *sight, bool was_ok, struct error *error)
{
    if (!was_ok && !interruption_is_cause(database))
        return false;
    if (is_discard(report) &&
        !replays_stop(database->session, report->replay_id, &report->is_resting, error))
        return false;
    return look(database, report, sight, error);
}

bool replay_follow(const struct database *database, struct dead_report *report, bool *ret_is_done,
                   struct error *error)
{
    struct sight sight = {0};
    struct progress progress;
    bool ok = true;

    progress_start(&progress, is_discard(report) ? "discarding" : "replaying",
                   report->counts.total);
    while (ok && !sight.is_finished && interruption_name() == NULL) {
        int64_t before = report->changed;

        ok = look(database, report, &sight, error);
        progress_update(&progress, report->changed);
        if (!ok || sight.is_finished)
            break;
        if (sight.due_us > 0)
            interruption_sleep(sight.due_us < LOOK_US ? sight.due_us : LOOK_US);
        else if (report->changed == before)
            interruption_sleep(BUSY_US);
    }
    progress_finish(&progress);
    if (interruption_name() != NULL && !sight.is_finished)
        ok = look_last(database, report, &sight, ok, error);
    *ret_is_done = sight.is_finished;
    return ok;
}
