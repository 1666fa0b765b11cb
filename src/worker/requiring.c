/* SPDX-License-Identifier: MIT */
#include "worker/requiring.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "db/requirements.h"
#include "worker/reporting.h"

#define LOOK_PAUSE_US      2000000 /* between two looks; each takes the server 1.5 ms */
#define UNMET_PAUSE_US     1000000
#define REFUSED_LONGEST_US 30000000 /* the list itself was refused */
#define DENIED_PAUSE_US    100000   /* between two looks, when one refusal follows the other */
#define LATE_US            5000000
#define TELL_FIRST_US      60000000
#define TELL_LONGEST_US    INT64_C(3600000000)
#define TELL_MAX           5 /* lines at a time */

struct requiring {
    bool is_asking;
    bool is_known; /* since the connection was made */
    bool is_met;
    bool bars_version, bars_lanes; /* what is unmet refuses to read the version, to own lanes */
    int unmet;
    char *problem, *action; /* of the first that is unmet; NULL: it was all met when last asked */
    int64_t asked_us;
    int64_t refused_us; /* the pause after it was refused; 0: it was not */
    int64_t due_us;     /* asked again */
    int64_t tell_us;    /* told again */
    int64_t tell_pause_us;
};

static void set_text(char **text, const char *value)
{
    free(*text);
    *text = value != NULL ? memory_copy_string(value) : NULL;
}

void requiring_init(struct worker *worker)
{
    worker->requiring = memory_new(1, sizeof(*worker->requiring));
}

void requiring_free(struct worker *worker)
{
    set_text(&worker->requiring->problem, NULL);
    set_text(&worker->requiring->action, NULL);
    free(worker->requiring);
}

void requiring_restart(struct worker *worker)
{
    struct requiring *requiring = worker->requiring;

    requiring->is_known = requiring->is_met = false;
    requiring->due_us = worker->now_us;
}

bool requiring_is_met(const struct worker *worker)
{
    return worker->requiring->is_met;
}

bool requiring_lets_read_version(const struct worker *worker)
{
    return worker->requiring->is_known && !worker->requiring->bars_version;
}

bool requiring_lets_own_lanes(const struct worker *worker)
{
    return !worker->requiring->bars_lanes;
}

const char *requiring_problem(const struct worker *worker)
{
    return worker->requiring->problem;
}

const char *requiring_action(const struct worker *worker)
{
    return worker->requiring->action;
}

static void tell(const struct requirement *requirement, int unmet)
{
    log_event(LOG_LEVEL_ERROR, "nothing is sent: the database does not give what a worker needs",
              LOG_TEXT("error", requirement->problem), LOG_TEXT("hint", requirement->action),
              LOG_NUMBER("unmet", unmet));
}

/* What is missing besides keeps nothing from being sent; "check --database" says it. */
static bool is_unmet(const struct requirement *requirement)
{
    return requirement->problem != NULL && requirement->is_essential;
}

static void tell_all(const PGresult *result, int unmet)
{
    int told = 0;

    for (int i = 0; i < PQntuples(result) && told < TELL_MAX; i++) {
        struct requirement requirement = requirement_at(result, i);

        if (!is_unmet(&requirement))
            continue;
        tell(&requirement, unmet);
        told++;
    }
}

/* Once for each change, then with a pause that grows. */
static bool is_to_tell(struct requiring *requiring, int unmet, const char *problem, int64_t now_us)
{
    bool is_news = requiring->problem == NULL || requiring->unmet != unmet ||
                   strcmp(requiring->problem, problem) != 0;

    if (!is_news && now_us < requiring->tell_us)
        return false;
    requiring->tell_pause_us = is_news ? TELL_FIRST_US : requiring->tell_pause_us * 2;
    if (requiring->tell_pause_us > TELL_LONGEST_US)
        requiring->tell_pause_us = TELL_LONGEST_US;
    requiring->tell_us = now_us + requiring->tell_pause_us;
    return true;
}

static void note_met(struct worker *worker)
{
    struct requiring *requiring = worker->requiring;

    if (requiring->problem != NULL)
        log_event(LOG_LEVEL_INFO, "the database gives what a worker needs again");
    set_text(&requiring->problem, NULL);
    set_text(&requiring->action, NULL);
}

static void note_unmet(struct worker *worker, const PGresult *result, int unmet, int first)
{
    struct requiring *requiring = worker->requiring;
    struct requirement requirement = requirement_at(result, first);

    if (is_to_tell(requiring, unmet, requirement.problem, worker->now_us))
        tell_all(result, unmet);
    set_text(&requiring->problem, requirement.problem);
    set_text(&requiring->action, requirement.action);
}

/* Without one of these there is no use in asking. */
static bool is_of_version(const struct requirement *requirement)
{
    return strcmp(requirement->kind, "schema") == 0 ||
           (strcmp(requirement->object, "postrider_migrations") == 0 &&
            strcmp(requirement->kind, "table") != 0);
}

static bool is_of_lanes(const struct requirement *requirement)
{
    return strcmp(requirement->object, "webhook_lanes") == 0 ||
           strcmp(requirement->object, "webhook_workers") == 0;
}

static void note_list(struct worker *worker, const PGresult *result)
{
    struct requiring *requiring = worker->requiring;
    bool is_policed = false;
    int first = -1;
    int unmet = 0;

    requiring->bars_version = requiring->bars_lanes = false;
    for (int i = 0; i < PQntuples(result); i++) {
        struct requirement requirement = requirement_at(result, i);

        is_policed |= strcmp(requirement.kind, "row_security") == 0;
        if (!is_unmet(&requirement))
            continue;
        first = unmet++ == 0 ? i : first;
        requiring->bars_version |= is_of_version(&requirement);
        requiring->bars_lanes |= is_of_lanes(&requirement);
    }
    db_link_allow_policies(worker->reading, is_policed);
    if (unmet > 0)
        note_unmet(worker, result, unmet, first);
    else
        note_met(worker);
    requiring->unmet = unmet;
    requiring->is_met = unmet == 0;
    requiring->is_known = true;
}

static void on_list_answered(void *owner, const struct db_answer *answer)
{
    struct worker *worker = owner;
    struct requiring *requiring = worker->requiring;

    requiring->is_asking = false;
    requiring->due_us = worker->now_us + UNMET_PAUSE_US;
    if (answer->result == DB_REFUSED) {
        reporting_refusal("asking what the database gives was refused", answer);
        requiring->refused_us =
            requiring->refused_us == 0 ? UNMET_PAUSE_US : requiring->refused_us * 2;
        if (requiring->refused_us > REFUSED_LONGEST_US)
            requiring->refused_us = REFUSED_LONGEST_US;
        requiring->due_us = worker->now_us + requiring->refused_us;
        (void)db_link_take_denial(worker->reading);
    }
    if (answer->result != DB_ANSWERED)
        return;
    requiring->refused_us = 0;
    note_list(worker, answer->results[0]);
    if (requiring->is_met)
        requiring->due_us = worker->now_us + LOOK_PAUSE_US;
}

/* A refusal may be what the list would say. */
static void hasten(struct worker *worker)
{
    struct requiring *requiring = worker->requiring;
    bool was_denied = db_link_take_denial(worker->reading);

    was_denied |= db_link_take_denial(worker->writing);
    if (was_denied && requiring->due_us > requiring->asked_us + DENIED_PAUSE_US)
        requiring->due_us = requiring->asked_us + DENIED_PAUSE_US;
}

/* The text is larger than the buffers of a pooler, so it waits there until it is alone on the link
 * (db/requirements.c), but not for long. */
static bool may_ask(const struct worker *worker)
{
    const struct requiring *requiring = worker->requiring;
    bool is_late = worker->now_us >= requiring->due_us + LATE_US;

    return !requiring->is_asking && worker_is_connected(worker) &&
           (db_link_is_direct(worker->reading) || db_link_outstanding(worker->reading) == 0 ||
            is_late);
}

void requiring_step(struct worker *worker)
{
    const struct config *config = worker->config;

    hasten(worker);
    if (!may_ask(worker) || worker->now_us < worker->requiring->due_us)
        return;
    worker->requiring->asked_us = worker->now_us;
    worker->requiring->is_asking =
        requirements_send(worker->reading, config->database.schema, on_list_answered, worker);
}

int64_t requiring_next_us(const struct worker *worker)
{
    return may_ask(worker) ? worker->requiring->due_us : WORKER_NEVER;
}
