#include "command/problems.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/units.h"

#define LANES 64

static struct problem *add(struct problems *problems, const char *name, const char *action)
{
    struct problem *problem;

    if (problems->count == PROBLEMS_MAX)
        bug("more than %d problems", PROBLEMS_MAX);
    problem = &problems->list[problems->count++];
    problem->name = name;
    snprintf(problem->action, sizeof(problem->action), "%s", action);
    return problem;
}

static void say(struct problem *problem, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(problem->what, sizeof(problem->what), format, args);
    va_end(args);
}

static void find_schema(int database_version, int binary_version, struct problems *problems)
{
    if (database_version < binary_version)
        say(add(problems, "schema_old", "postrider migrate"),
            "The schema is version %d, older than this program's %d.", database_version,
            binary_version);
    if (database_version > binary_version)
        say(add(problems, "schema_new", "install the Postrider that migrated this database"),
            "The schema is version %d, newer than this program's %d.", database_version,
            binary_version);
}

static void find_late(const struct overview *o, struct problems *problems)
{
    char age[UNITS_TEXT_SIZE];

    if (o->due_free_lanes > 0) {
        struct problem *problem =
            add(problems, "no_worker",
                "systemctl start postrider (why it stopped: journalctl -u postrider)");

        units_format_about_ms(o->oldest_due_ms, age);
        if (o->free_lanes == LANES)
            say(problem, "No worker is running; deliveries are due, the oldest for %s.", age);
        else
            say(problem, "Nobody owns %lld lanes with due deliveries, the oldest for %s.",
                (long long)o->due_free_lanes, age);
        return;
    }
    if (o->oldest_due_ms > PROBLEM_LATE_DUE_MS)
        say(add(problems, "late",
                "see the endpoints above; if it is all of them: journalctl -u postrider"),
            "Deliveries are late: the oldest is due for %s, though a worker owns its lane.",
            units_format_about_ms(o->oldest_due_ms, age));
}

static void find_failing(const struct overview *o, struct problems *problems)
{
    if (o->dead_without_secret > 0)
        say(add(problems, "no_secret",
                "postrider secret new --customer UUID, then postrider dead "
                "replay --error \"no signing secret\""),
            "%lld deliveries failed in the last hour for lack of a secret to sign with.",
            (long long)o->dead_without_secret);
    if (o->disabled_endpoints > 0)
        say(add(problems, "endpoint_disabled",
                "SELECT url, disabled_at, disabled_reason FROM webhook_endpoints WHERE "
                "disabled_at IS NOT NULL; to enable one, set both to NULL"),
            "%lld endpoints are disabled: deliveries to them fail at once.",
            (long long)o->disabled_endpoints);
}

static bool is_incomplete(const struct overview *o)
{
    return o->due_free_lanes < 0 || o->due.number < 0 || o->later.number < 0 ||
           o->last_minute.total.number < 0 || o->last_hour.total.number < 0 || o->dead.number < 0 ||
           o->dead_last_hour.number < 0 || o->failures_last_hour.number < 0 ||
           o->disabled_endpoints < 0;
}

void problems_find(const struct overview *overview, int database_version, int binary_version,
                   struct problems *ret_problems)
{
    *ret_problems = (struct problems){.count = 0};
    find_schema(database_version, binary_version, ret_problems);
    find_late(overview, ret_problems);
    find_failing(overview, ret_problems);
    if (is_incomplete(overview))
        say(add(ret_problems, "slow_database", "look at pg_stat_activity, locks and vacuum"),
            "The database did not answer within %d s: what it could not count is shown as ?.",
            OVERVIEW_TIMEOUT_MS / 1000);
}
