/* SPDX-License-Identifier: MIT */
#include "command/status_problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hint.h"
#include "base/text.h"
#include "base/units.h"
#include "core/lane.h"
#include "db/worker_problems.h"

#define LOST_MS 600000 /* a lost worker is worth a look for so long, whoever has its lanes */

static struct status_problem *add(struct status_problems *problems, const char *name,
                                  const char *action, ...) PRINTF_LIKE(3, 4);

static struct status_problem *add(struct status_problems *problems, const char *name,
                                  const char *action, ...)
{
    va_list args;
    struct status_problem *problem;

    if (problems->count == STATUS_PROBLEMS_MAX)
        bug("more than %d problems", STATUS_PROBLEMS_MAX);
    problem = &problems->list[problems->count++];
    problem->name = name;
    va_start(args, action);
    vsnprintf(problem->action, sizeof(problem->action), action, args);
    va_end(args);
    return problem;
}

static void say(struct status_problem *problem, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct status_problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(problem->what, sizeof(problem->what), format, args);
    va_end(args);
}

static void find_schema(int database_version, int binary_version, struct status_problems *problems)
{
    if (database_version < binary_version)
        say(add(problems, "schema_old", "postrider migrate%s", hint_options()),
            "The schema is version %d, older than this program's %d.", database_version,
            binary_version);
    if (database_version > binary_version)
        say(add(problems, "schema_new", "install the Postrider that migrated this database"),
            "The schema is version %d, newer than this program's %d.", database_version,
            binary_version);
}

static bool is_alive(const struct worker_record *worker)
{
    return worker->host != NULL && worker->lease_ms >= 0;
}

static bool has_worker(const struct overview *o)
{
    for (size_t i = 0; i < o->worker_count; i++)
        if (is_alive(&o->workers[i]))
            return true;
    return false;
}

/* Lanes that are being handed over are nobody's for a moment. */
static bool is_hand_over(const struct overview *o)
{
    return has_worker(o) && o->oldest_due_ms < OVERVIEW_LATE_MS;
}

/* Also when nothing is due: whoever asks wants to know it before something is. */
static void find_absence(const struct overview *o, struct status_problems *problems)
{
    struct status_problem *problem;
    char age[UNITS_TEXT_SIZE];

    problem = add(problems, "no_worker",
                  "systemctl start postrider (why it stopped: journalctl -u postrider)");
    units_format_about_ms(o->oldest_due_ms, age);
    if (o->free_lanes < LANE_COUNT)
        say(problem, "Nobody owns %lld lane%s with due deliveries, the oldest for %s.",
            (long long)o->due_free_lanes, text_plural(o->due_free_lanes, "", "s"), age);
    else if (o->due_free_lanes > 0)
        say(problem, "No worker is running; deliveries are due, the oldest for %s.", age);
    else
        say(problem, "No worker is running: what becomes due is not delivered.");
}

static void find_late(const struct overview *o, struct status_problems *problems)
{
    char age[UNITS_TEXT_SIZE];

    if ((o->due_free_lanes > 0 && !is_hand_over(o)) ||
        (o->free_lanes == LANE_COUNT && !has_worker(o))) {
        find_absence(o, problems);
        return;
    }
    if (o->late_lanes > 0)
        say(add(problems, "late",
                "see the endpoints above; if it is all of them: journalctl -u postrider"),
            "Deliveries are late in %lld lane%s that workers own: the oldest is due for %s.",
            (long long)o->late_lanes, text_plural(o->late_lanes, "", "s"),
            units_format_about_ms(o->oldest_due_ms, age));
}

static bool is_lost(const struct worker_record *worker)
{
    return worker->host != NULL && worker->lease_ms < 0;
}

/* Lost long ago, and nothing is left for it to do: others have its lanes. */
static bool is_forgotten(const struct worker_record *worker)
{
    return -worker->lease_ms > LOST_MS && worker->lanes == 0;
}

static void find_lost_workers(const struct overview *o, struct status_problems *problems)
{
    const struct worker_record *first = NULL;
    char age[UNITS_TEXT_SIZE];
    char others[40] = "";
    size_t count = 0;

    for (size_t i = 0; i < o->worker_count; i++) {
        if (!is_lost(&o->workers[i]) || is_forgotten(&o->workers[i]))
            continue;
        count++;
        if (first == NULL)
            first = &o->workers[i];
    }
    if (first == NULL)
        return;
    if (count > 1)
        snprintf(others, sizeof(others), " (and %zu other%s)", count - 1,
                 text_plural((int64_t)count - 1, "", "s"));
    say(add(problems, "worker_lost",
            "journalctl -u 'postrider*' on its host; if it was stopped for good: its row goes "
            "by itself"),
        "Worker %s%s was not heard of for %s and has lost its lanes.", first->owner, others,
        units_format_about_ms(first->seen_ms, age));
}

static void find_versions(const struct overview *o, struct status_problems *problems)
{
    const char *version = NULL;

    for (size_t i = 0; i < o->worker_count; i++) {
        const struct worker_record *worker = &o->workers[i];

        if (worker->version == NULL || is_lost(worker))
            continue;
        if (version == NULL)
            version = worker->version;
        if (strcmp(version, worker->version) == 0)
            continue;
        say(add(problems, "versions_differ",
                "install one version, and restart one after the other"),
            "Workers run different versions: %s and %s.", version, worker->version);
        return;
    }
}

/* What workers say of themselves; what is not as it should be there is left out. */
static void find_workers_own(const struct overview *o, struct status_problems *problems)
{
    int left = STATUS_PROBLEMS_WORKERS_MAX;

    for (size_t i = 0; i < o->worker_count; i++) {
        const struct worker_record *worker = &o->workers[i];
        struct worker_problems own =
            worker_problems_read(is_lost(worker) ? NULL : worker->problems);

        for (size_t k = 0; k < own.count; k++) {
            const struct worker_problem *one = &own.list[k];

            if (one->what[0] != '\0' && left-- > 0)
                say(add(problems, "worker_problem", "%s",
                        one->action != NULL ? one->action
                                            : "journalctl -u 'postrider*' on its host"),
                    "Worker %s: %s.", worker->owner, one->what);
        }
        worker_problems_free(&own);
    }
}

static void find_blocked(const struct overview *o, struct status_problems *problems)
{
    if (o->blocked_keys.number > 0)
        say(add(problems, "key_blocked", "postrider explain %s%s", o->blocked_head, hint_options()),
            "%s%lld ordering key%s waiting behind a dead letter, since %s endpoint has ordering = "
            "'block'.",
            o->blocked_keys.is_more ? "At least " : "", (long long)o->blocked_keys.number,
            text_plural(o->blocked_keys.number, " is", "s are"),
            text_plural(o->blocked_keys.number, "its", "their"));
}

static void find_failing(const struct overview *o, struct status_problems *problems)
{
    if (o->dead_without_secret.number > 0)
        say(add(problems, "no_secret",
                "postrider secret new --customer UUID%s && postrider dead replay --error 'no "
                "signing "
                "secret'%s",
                hint_options(), hint_options()),
            "%s%lld deliver%s failed in the last hour for lack of a secret to sign with.",
            o->dead_without_secret.is_more ? "At least " : "",
            (long long)o->dead_without_secret.number,
            text_plural(o->dead_without_secret.number, "y", "ies"));
    if (o->disabled_endpoints > 0)
        say(add(problems, "endpoint_disabled",
                "SELECT url, disabled_at, disabled_reason FROM webhook_endpoints WHERE "
                "disabled_at IS NOT NULL; to enable one, set both to NULL"),
            "%lld endpoint%s disabled: deliveries to %s fail at once.",
            (long long)o->disabled_endpoints, text_plural(o->disabled_endpoints, " is", "s are"),
            text_plural(o->disabled_endpoints, "it", "them"));
}

/* What an alert says first; what to do is nearly always said by the problem that it is about. */
static void find_alerts(const struct overview *o, struct status_problems *problems)
{
    static const char *const actions[ALERT_CAUSES] = {
        [ALERT_DEAD_LETTERS] = "dead list --error 'not sent'",
        [ALERT_DEAD_LETTERS_RECEIVER] = "dead list",
        [ALERT_KEY_BLOCKED] = "dead list",
        [ALERT_AUDIT] = "audit",
    };
    char about[UNITS_TEXT_SIZE];

    for (size_t i = 0; i < o->alert_count && i < STATUS_PROBLEMS_ALERTS_MAX; i++) {
        const struct alert_record *alert = &o->alerts[i];
        enum alert_cause cause = alert_cause_of(alert->cause);
        const char *action = cause != ALERT_CAUSES ? actions[cause] : NULL;

        say(add(problems, "alert", "postrider %s%s", action != NULL ? action : "status",
                hint_options()),
            "Alert %s, raised %s ago: %s.", alert->cause,
            units_format_about_ms(alert->open_ms, about), alert->summary);
    }
}

static bool is_incomplete(const struct overview *o)
{
    return o->due_free_lanes < 0 || o->due.number < 0 || o->later.number < 0 ||
           o->last_minute.total.number < 0 || o->last_hour.total.number < 0 || o->dead.number < 0 ||
           o->dead_last_hour.number < 0 || o->failures_last_hour.number < 0 ||
           o->disabled_endpoints < 0 || o->blocked_keys.number < 0 || !o->has_alerts;
}

void status_problems_add_unmet(struct status_problems *problems, const struct requirement *unmet)
{
    if (problems->count < STATUS_PROBLEMS_UNMET_MAX)
        say(add(problems, "requirements", "%s", unmet->action), "%s.", unmet->problem);
}

void status_problems_find(const struct overview *overview, int database_version, int binary_version,
                          struct status_problems *problems)
{
    bool has_unmet = problems->count > 0;

    find_schema(database_version, binary_version, problems);
    find_late(overview, problems);
    find_lost_workers(overview, problems);
    find_versions(overview, problems);
    find_workers_own(overview, problems);
    find_failing(overview, problems);
    find_blocked(overview, problems);
    find_alerts(overview, problems);
    if (is_incomplete(overview) && !has_unmet)
        say(add(problems, "slow_database", "look at pg_stat_activity, locks and vacuum"),
            "The database did not answer within %d s: what it could not count is shown as ?.",
            OVERVIEW_TIMEOUT_MS / 1000);
}
